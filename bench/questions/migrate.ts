import {
  type Area,
  CopyEngine,
  FLOWS,
  type Frames,
  formatSize,
  Machine,
  type MigrationSettings,
  type Migrator,
  orderOf,
  PAGE_SIZE,
} from 'mtcopy';
import { ageNodes, collectGarbage, type SweepCaller, threadsText } from 'mtcopy/experiments';
import { type Contestant, inTurns, ratio, showRatio } from '../support/in-turns.js';
import { runAsked } from '../support/run-asked.js';
import { printTable, showSpread } from '../support/table.js';

/*
 * What a migration costs: pages a second end to end and without the copy, 2 MiB folios against a bare copy of them, and
 * threads against the caller alone.
 */

const ROUNDS = 31;
const LENGTH = 256 * 2 ** 20;
const NODE = 640 * 2 ** 20;

/** Moves no byte: what is left is the work on metadata. */
const COPIES_NOTHING: Migrator = {
  name: 'nothing',
  copyFolios({ copied }) {
    copied.fill(1);
    return 0;
  },
};

/** Worker threads, and whether the caller is one more. */
interface Threads {
  readonly threads: number;
  readonly caller: SweepCaller;
}
/** One worker beside the caller, one alone, and two. */
const THREADS: readonly Threads[] = [
  { threads: 1, caller: 'helps' },
  { threads: 1, caller: 'waits' },
  { threads: 2, caller: 'waits' },
];

/** A machine whose free frames come out in ascending order or, as after a long run, in any. */
async function boot(order: number, frames: Frames, threads: Threads | undefined): Promise<Machine> {
  const machine = await Machine.boot({ nodes: [NODE, NODE], cpus: 0, ...threads, pcpHigh: Number.POSITIVE_INFINITY });
  if (frames === 'shuffled') ageNodes(machine.memory, order);
  return machine;
}

/** Moves an area to the other node and back, a direction a round; says how long it took. */
function mover(machine: Machine, { mm }: Area, addresses: Float64Array, settings: MigrationSettings): Contestant {
  return async () => {
    const node = 1 - (mm.folioAt(addresses[0])?.nid ?? 0);
    const started = performance.now();
    const { notMigrated } = await machine.movePages(mm, addresses, { node, ...settings });
    const ns = (performance.now() - started) * 1e6;
    if (notMigrated > 0) throw new Error(`${notMigrated} pages were not migrated`);
    return ns;
  };
}

/** Million pages a second, of runs over the whole length. */
function pageRates(times: readonly number[]): string {
  return showSpread(
    times.map((ns) => (LENGTH / PAGE_SIZE / ns) * 1e3),
    2,
  );
}

/** Pages a second of 4 KiB folios, with the copy and without. */
async function rates(): Promise<void> {
  await using machine = await boot(0, 'sequential', undefined);
  const area = machine.createAddressSpace().mmap({ length: LENGTH, populate: true });
  const addresses = area.folios();
  const contestants: Record<string, Contestant> = {};
  for (const flow of FLOWS) {
    contestants[`kernel ${flow}`] = mover(machine, area, addresses, { flow, migrator: 'kernel' });
    contestants[`nothing ${flow}`] = mover(machine, area, addresses, { flow, migrator: COPIES_NOTHING });
  }
  const times = await inTurns(contestants, ROUNDS);
  printTable(
    ['flow', 'kernel', 'metadata alone'],
    FLOWS.map((flow) => [flow, pageRates(times[`kernel ${flow}`] ?? []), pageRates(times[`nothing ${flow}`] ?? [])]),
    `Million pages of 4 KiB migrated a second by move_pages, no CPU running: medians (quartiles) of ${ROUNDS} rounds in turns.`,
  );
}

/** Migration of 2 MiB folios against the engine's copy of the same frames. */
async function againstRawCopy(): Promise<void> {
  const rows = [];
  for (const threads of [undefined, ...THREADS]) {
    const migrator = threads ? 'mtcopy' : 'kernel';
    const order = orderOf(2 * 2 ** 20);
    await using machine = await boot(order, 'sequential', threads);
    const { memory } = machine;
    // The kernel's migrator copies on the calling thread.
    await using engine = await CopyEngine.create({
      memory,
      ...(threads ?? { minParallelBytes: Number.POSITIVE_INFINITY }),
    });
    const area = machine.createAddressSpace().mmap({ length: LENGTH, folioSize: '2M', populate: true });
    const addresses = area.folios();
    const from = Uint32Array.from(addresses, (address) => (area.mm.folioAt(address)?.pfn ?? 0) * PAGE_SIZE);
    const to = memory.allocFolios(from.length, order, { node: 1 }).map((pfn) => pfn * PAGE_SIZE);
    const items = { to, from, bytes: new Uint32Array(from.length).fill(2 * 2 ** 20) };
    const contestants: Record<string, Contestant> = { raw: async () => (await engine.copyBatch(items)).wallNs };
    for (const flow of FLOWS) contestants[flow] = mover(machine, area, addresses, { flow, migrator });
    const times = await inTurns(contestants, ROUNDS);
    rows.push([
      threads ? `${migrator}×${threadsText(threads)}` : migrator,
      ...FLOWS.map((flow) => showRatio(ratio(times.raw ?? [], times[flow] ?? []))),
    ]);
  }
  printTable(
    ['migrator', ...FLOWS],
    rows,
    `Speed of migrating ${formatSize(LENGTH)} in 2 MiB folios, of which the engine copies as much with as many threads at 1: medians (quartiles) of ${ROUNDS} rounds in turns.`,
  );
}

/** Threads against the caller alone. */
async function threadsAgainstCaller(): Promise<void> {
  const rows = [];
  const layouts = (['sequential', 'shuffled'] as const).flatMap((frames) =>
    [4096, 65536, 2 ** 21].map((folioSize) => ({ frames, folioSize })),
  );
  for (const { frames, folioSize } of layouts) {
    for (const threads of THREADS) {
      // Of machines that are closed: V8 would keep it.
      collectGarbage();
      await using machine = await boot(orderOf(folioSize), frames, threads);
      const area = machine.createAddressSpace().mmap({ length: LENGTH, folioSize, populate: true });
      const addresses = area.folios();
      const cells = [];
      for (const flow of ['batch-move', 'pre-copy'] as const) {
        const kernel = mover(machine, area, addresses, { flow, migrator: 'kernel' });
        const one = mover(machine, area, addresses, { flow, migrator: 'mtcopy' });
        const two = mover(machine, area, addresses, { flow, migrator: 'mtcopy', batchesInFlight: 2 });
        const times = await inTurns({ kernel, one, two }, ROUNDS);
        cells.push(showRatio(ratio(times.kernel, times.one)), showRatio(ratio(times.kernel, times.two)));
      }
      rows.push([formatSize(folioSize), frames, threadsText(threads), ...cells]);
    }
  }
  printTable(
    ['folios', 'frames', 'threads', 'batch-move', '2 in flight', 'pre-copy', '2 in flight'],
    rows,
    `How many times faster mtcopy migrates than kernel (threads: workers, and +1 where the caller helps): medians (quartiles) of ${ROUNDS} rounds in turns.`,
  );
}

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  rates,
  raw: againstRawCopy,
  threads: threadsAgainstCaller,
};
await runAsked('section', SECTIONS);
