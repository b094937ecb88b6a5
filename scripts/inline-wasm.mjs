// Writes a WebAssembly module as a JavaScript one, so that no bundler loses it.
// Usage: node scripts/inline-wasm.mjs FROM.wasm TO.js
import { readFileSync, writeFileSync } from 'node:fs';

const [from, to] = process.argv.slice(2);
writeFileSync(to, `export const WALKER_BASE64 = '${readFileSync(from).toString('base64')}';\n`);
