import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AddressSpace, type Area, Machine, MiB, MPOL_MF_MOVE_ALL } from 'mtcopy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { expectAtRest, FLOWS_AND_MIGRATORS, freePages, nodesOf, until } from '../support/machines.js';
import { program } from '../support/programs.js';

/** Odd, so that in the end the frames are not the first ones again. */
const ROUNDS = 11;
const BYTES = 3 * MiB + 4321;

const directory = mkdtempSync(join(tmpdir(), 'mtcopy-files-'));
const file = join(directory, 'file');
const content = new Uint8Array(BYTES);

beforeAll(() => {
  fillRandom(content, 3);
  writeFileSync(file, content);
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** One for all: each test leaves every page free. */
let machine: Machine;
const spaces: AddressSpace[] = [];
function createAddressSpace(): AddressSpace {
  const mm = machine.createAddressSpace();
  spaces.push(mm);
  return mm;
}
beforeAll(async () => {
  machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2, threads: 2 });
});
afterEach(async () => {
  // So that what fails once takes neither CPUs nor memory from the next.
  machine.cpus.stop();
  for (const mm of spaces.splice(0)) await mm.close();
});
afterAll(() => machine.close());

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const hashOf = async ({ mm, address }: Area) => sha256(await mm.read(address, BYTES));

const all = FLOWS_AND_MIGRATORS.flatMap((settings) =>
  ['4K', '64K', '2M'].map((folioSize) => ({ ...settings, folioSize })),
);

describe.each(all)('$flow, $migrator, $folioSize: a file in the page cache', ({ folioSize, ...settings }) => {
  it('keeps its SHA-256 while two address spaces map it, CPUs read it and it migrates', async () => {
    const shared = createAddressSpace().mmap({ file, folioSize, populate: true, shared: true });
    const own = createAddressSpace().mmap({ file, folioSize, populate: true });
    expect(freePages(machine)[0]).toBe(4096 - shared.length / 4096);
    const progress = [0, 1].map(() => new Int32Array(new SharedArrayBuffer(4)));
    const runs = [shared, own].map(({ mm, address }, cpu) => {
      const args = { address, length: BYTES - 4, stride: 4096 + 4, rounds: progress[cpu] };
      return machine.cpus.run(mm, program('check'), { cpu, args });
    });
    await until(() => progress.every((rounds) => Atomics.load(rounds, 0) > 0));
    // The serial flow interrupts CPUs for each page: it gets a part.
    const pages = settings.flow === 'serial' ? shared.pages().slice(0, 32) : shared.pages();
    let moved = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const node = (round + 1) % 2;
      const { notMigrated, stats } = await machine.movePages(shared.mm, pages, {
        node,
        flags: MPOL_MF_MOVE_ALL,
        ...settings,
      });
      expect(notMigrated).toBe(0);
      moved += stats.succeeded;
      expect(await nodesOf(machine, own)).toEqual(await nodesOf(machine, shared));
    }
    expect([await hashOf(shared), await hashOf(own)]).toEqual([sha256(content), sha256(content)]);
    // Whoever maps it now finds every page where it is, also from the middle of a folio on.
    const late = createAddressSpace().mmap({ file });
    for (const address of late.pages().toReversed()) {
      const at = address - late.address;
      const page = content.subarray(at, at + 4096);
      expect(isSame(await late.mm.read(address, page.length), page)).toBe(true);
    }
    await late.mm.close();
    machine.cpus.stop();
    const outcomes = (await Promise.all(runs)) as { loads: number; wrong: number }[];
    expect(outcomes.map(({ wrong }) => wrong)).toEqual([0, 0]);
    expectAtRest(shared, 1);
    // A private store changes nothing for the other, nor in the cache; a shared one is seen by whoever has no copy.
    await own.mm.write(own.address, Uint8Array.of(1, 2, 3));
    expect(await hashOf(shared)).toBe(sha256(content));
    await shared.mm.write(shared.address + 8192, Uint8Array.of(content[8192] ^ 255));
    const { stats } = await machine.movePages(own.mm, own.pages(), { node: 1, flags: MPOL_MF_MOVE_ALL, ...settings });
    expect(stats.failed).toBe(0);
    expect(Array.from(await own.mm.read(own.address, 3))).toEqual([1, 2, 3]);
    expect((await own.mm.read(own.address + 8192, 1))[0]).toBe(content[8192] ^ 255);
    await shared.mm.close();
    const back = await machine.movePages(own.mm, own.pages(), { node: 0, ...settings });
    expect(back.stats.failed).toBe(0);
    expect(Array.from(await own.mm.read(own.address, 3))).toEqual([1, 2, 3]);
    await own.mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
    const loads = outcomes.reduce((sum, outcome) => sum + outcome.loads, 0);
    console.info(
      `${settings.flow}, ${settings.migrator}, ${folioSize}: ${loads} loads right while ${moved} pages moved`,
    );
  });
});
