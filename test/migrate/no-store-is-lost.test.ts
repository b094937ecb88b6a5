import { setTimeout as sleep } from 'node:timers/promises';
import { type AddressSpace, type Area, FLOWS, Machine, type MigrationSettings, parseSize } from 'mtcopy';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { emptyFlushBatch, TlbFlusher } from '#src/mm/tlb-flush.js';
import { fillRandom } from '../support/bytes.js';
import { expectAtRest, FLOWS_AND_MIGRATORS, freePages, started } from '../support/machines.js';
import { countedIn, program } from '../support/programs.js';

const STRIDE = 4096;
/** Twice as many as show below, without the TLB flush, that stores are lost. */
const ROUNDS = 42;
const CPUS = [0, 1];

/** The flows with every folio size. An interrupt a page is slow on two cores: the serial flow gets few pages. */
const matrix = FLOWS_AND_MIGRATORS.flatMap(({ flow, migrator }) => [
  { flow, migrator, folioSize: '4K', length: flow === 'serial' ? '32K' : '1M' },
  { flow, migrator, folioSize: '64K', length: flow === 'serial' ? '512K' : '2M' },
  { flow, migrator, folioSize: '2M', length: '4M' },
]);
/** Several batches under way at once. */
const overlapping = FLOWS_AND_MIGRATORS.filter(({ flow }) => flow !== 'serial').map((manner) => ({
  ...manner,
  folioSize: '4K',
  length: '1M',
  batchLimit: 48,
  batchesInFlight: 3,
}));

type Setting = Pick<(typeof matrix)[number], 'folioSize' | 'length'> & MigrationSettings;

/** The area's bytes as two CPUs leave them that have each stored `counts[cpu]` times. */
function afterStores(bytes: Uint8Array, counts: readonly number[]): Uint8Array {
  const words = new BigUint64Array(bytes.slice().buffer);
  const counters = bytes.length / STRIDE;
  for (const [cpu, stores] of counts.entries()) {
    for (let i = 0; i < counters; i++) {
      words[(i * STRIDE) / 8 + cpu] = BigInt(Math.floor(stores / counters) + (i < stores % counters ? 1 : 0));
    }
  }
  return new Uint8Array(words.buffer);
}

async function fill(area: Area): Promise<Uint8Array> {
  const bytes = new Uint8Array(area.length);
  fillRandom(bytes, 7);
  const cleared = afterStores(bytes, [0, 0]);
  await area.mm.write(area.address, cleared);
  return cleared;
}

/** Migrates an area back and forth while two CPUs count in it, with pauses between. Returns what they stored, and what is there. */
async function race({ folioSize, length, ...settings }: Setting, rounds: number, pauseMs = 0) {
  const mm = machine.createAddressSpace();
  spaces.push(mm);
  const area = mm.mmap({ length, folioSize, populate: true });
  const before = await fill(area);
  const { address } = area;
  const args = { address, length: area.length, stride: STRIDE };
  const runs = CPUS.map((cpu) => machine.cpus.run(mm, program('count'), { cpu, args }));
  await started(area, CPUS);
  let pages = 0;
  let failed = 0;
  for (let round = 0; round < rounds; round++) {
    const { stats } = await machine.movePages(mm, area.folios(), { node: (round + 1) % 2, ...settings });
    pages += stats.succeeded;
    failed += stats.failed;
    if (pauseMs > 0) await sleep(pauseMs);
  }
  machine.cpus.stop();
  const stores = (await Promise.all(runs)) as number[];
  return { area, stores, pages, failed, before, after: await mm.read(address, area.length) };
}

/** How much less the counters say than was stored. */
async function lostUpdates(area: Area, stores: readonly number[]): Promise<number> {
  const found = await countedIn(area, stores.length, STRIDE);
  return stores.reduce((lost, count, cpu) => lost + count - found[cpu], 0);
}

/** One for all: what a test leaves behind of it, the free pages show. */
let machine: Machine;
const spaces: AddressSpace[] = [];
beforeAll(async () => {
  machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 2, threads: 2 });
});
afterEach(async () => {
  // So that what fails once takes neither CPUs nor memory from the next.
  machine.cpus.stop();
  for (const mm of spaces.splice(0)) await mm.close();
});
afterAll(() => machine.close());

describe('two CPUs that count in memory which is migrated under them', () => {
  it.each<Setting>([...matrix, ...overlapping])(
    'lose nothing: $flow, $migrator, $folioSize, $batchesInFlight',
    async (setting) => {
      const free = freePages(machine);
      const { area, stores, pages, failed, before, after } = await race(setting, ROUNDS);
      expect(await lostUpdates(area, stores)).toBe(0);
      expect(Buffer.from(after).equals(afterStores(before, stores))).toBe(true);
      expect([pages, failed]).toEqual([(ROUNDS * area.length) / 4096, 0]);
      expectAtRest(area);
      await area.mm.close();
      expect(freePages(machine)).toEqual(free);
      console.info(
        `${setting.flow}, ${setting.migrator}, ${setting.folioSize}: ${stores[0]} + ${stores[1]} stores during ${ROUNDS} ` +
          `migrations of ${parseSize(setting.length) / 4096} pages`,
      );
    },
    60_000,
  );
});

describe('without the TLB flush', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(FLOWS)('the same CPUs lose updates, and with it they lose none: %s', async (flow) => {
    const setting = { flow, folioSize: '4K', length: flow === 'serial' ? '256K' : '1M' };
    // An odd number of migrations: after an even one the frames are often the first ones again, and old translations right.
    const rounds = 21;
    const flushed = await race(setting, rounds, 5);
    expect(await lostUpdates(flushed.area, flushed.stores)).toBe(0);
    vi.spyOn(TlbFlusher.prototype, 'flush').mockImplementation((batch) => emptyFlushBatch(batch) as undefined);
    const { stores, area } = await race(setting, rounds, 5);
    const lost = await lostUpdates(area, stores);
    console.info(`${flow} without flushes: ${lost} of ${stores[0] + stores[1]} stores lost`);
    expect(lost).toBeGreaterThan(0);
  });
});
