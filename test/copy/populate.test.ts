import { existsSync } from 'node:fs';
import { MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { HAS_NATIVE } from '../support/native.js';
import { INDEX } from '../support/paths.js';
import { runScript } from '../support/process.js';
import { libraryWithoutNative } from '../support/without-native.js';

const BYTES = 64 * MiB;
const HAS_HUGE_PAGES = HAS_NATIVE && existsSync('/sys/kernel/mm/transparent_hugepage/enabled');

interface Taken {
  /** Bytes that the process has got of the system meanwhile. */
  readonly resident: number;
  /** Bytes of mappings that the system was asked to make of huge pages. */
  readonly advised: number;
}

/** What `code` takes, in a process of its own: here, what other tests left is given back at any time. */
async function takenBy(code: string, library = INDEX): Promise<Taken> {
  const { status, output, errors } = await runScript(`
    import { readFileSync } from 'node:fs';
    import { CopyEngine, Machine } from ${JSON.stringify(library)};
    const advised = () => {
      const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
      const isAdvised = (mapping) => /^VmFlags:.*\\bhg\\b/m.test(mapping);
      return mappings.filter(isAdvised).reduce((sum, mapping) => sum + Number(/^Size: +(\\d+) kB/m.exec(mapping)[1]) * 1024, 0);
    };
    let owner, before;
    const begin = () => { before = process.memoryUsage.rss(); };
    ${code}
    console.log(JSON.stringify({ resident: process.memoryUsage.rss() - before, advised: advised() }));
    await owner.close();`);
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  return JSON.parse(output);
}

const allocate = (options: string) => `
  owner = await CopyEngine.create({ memory: '128M', threads: 1 });
  begin();
  const view = owner.allocate(${BYTES} - 5000, ${options});
  if (view.length !== ${BYTES} - 5000 || view.some((byte) => byte !== 0)) throw new Error('not what was asked for');`;

describe('populate', () => {
  const bare = libraryWithoutNative('populate');

  it('has the system make the pages of an allocation at once', async () => {
    const { resident, advised } = await takenBy(allocate('{ populate: true }'));
    expect(resident).toBeGreaterThan(BYTES - 8 * MiB);
    // The ends of it lie within pages that are not all the allocation's.
    if (HAS_HUGE_PAGES) expect(advised).toBeGreaterThan(BYTES - 8 * MiB);
    expect(advised).toBeLessThan(BYTES + 8 * MiB);
  });

  it('does so without the file in C too', async () => {
    const { resident, advised } = await takenBy(allocate('{ populate: true }'), bare);
    expect(resident).toBeGreaterThan(BYTES - 8 * MiB);
    expect(advised).toBe(0);
  });

  it('is what nobody gets who does not ask: pages are made when they are touched', async () => {
    const untouched = `
      owner = await CopyEngine.create({ memory: '128M', threads: 1 });
      begin();
      owner.allocate(${BYTES});`;
    const { resident, advised } = await takenBy(untouched);
    expect(resident).toBeLessThan(8 * MiB);
    expect(advised).toBe(0);
  });

  it('has it make those of a machine when that boots, all nodes alike', async () => {
    const boot = (options: string) =>
      `begin(); owner = await Machine.boot({ nodes: ['64M', '32M'], cpus: 0 ${options} });`;
    const { resident, advised } = await takenBy(boot(', populate: true'));
    expect(resident).toBeGreaterThan(88 * MiB);
    if (HAS_HUGE_PAGES) expect(advised).toBeGreaterThan(88 * MiB);
    expect((await takenBy(boot(''))).resident).toBeLessThan(48 * MiB);
  });
});
