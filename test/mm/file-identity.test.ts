import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';

/** Has the files in a directory inodes of their own: 2^53 for the first by name, and one more for each that follows. */
function withLargeInodes(directory: string): Disposable {
  const { statSync } = fs;
  const names = fs.readdirSync(directory).sort();
  const fake = (path: string, options?: { bigint?: boolean }) => {
    const stats = statSync(path, { ...options, throwIfNoEntry: true }) as fs.Stats | fs.BigIntStats;
    const inode = 2n ** 53n + BigInt(names.findIndex((name) => path.endsWith(name)));
    // As Node.js gives it: a number unless a bigint is asked for.
    Object.defineProperty(stats, 'ino', { value: options?.bigint ? inode : Number(inode) });
    return stats;
  };
  const install = (stat: unknown) => {
    Object.assign(fs, { statSync: stat });
    syncBuiltinESMExports();
  };
  install(fake);
  return { [Symbol.dispose]: () => install(statSync) };
}

it('two files whose inodes differ in their lowest bit alone are two', async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'mtcopy-'));
  try {
    const contents = ['one', 'two', 'three'];
    const paths = contents.map((text, i) => join(directory, `${i}-${text}`));
    for (const [i, path] of paths.entries()) fs.writeFileSync(path, contents[i] as string);
    using _ = withLargeInodes(directory);
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 0 });
    const mm = machine.createAddressSpace();
    const areas = paths.map((file) => mm.mmap({ file, folioSize: '4K', shared: true, populate: true }));
    for (const [i, { address }] of areas.entries()) {
      const text = contents[i] as string;
      expect(Buffer.from(await mm.read(address, text.length)).toString()).toBe(text);
    }
    // And one is one.
    const again = mm.mmap({ file: paths[0] as string, shared: true, populate: true });
    expect(mm.folioAt(again.address)?.pfn).toBe(mm.folioAt(areas[0]?.address as number)?.pfn);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
