// Leaves nothing but declarations of what the compiler wrote to folders, for a bundle that takes the place of the rest.
// Usage: node scripts/keep-declarations.mjs FOLDER…
import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

function keepDeclarations(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) keepDeclarations(path);
    else if (!entry.name.endsWith('.d.ts')) rmSync(path);
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

for (const folder of process.argv.slice(2)) keepDeclarations(folder);
