import { type AddressSpace, ErrnoError, type Flow, type Folio, Machine, type MachineOptions, PAGE_SIZE } from 'mtcopy';
import { median } from 'simple-statistics';
import { collectGarbage } from '../../shared/collect-garbage.js';
import { type Control, isCutShort } from '../../shared/control.js';
import { runInTurns, type Variant } from '../../shared/in-turns.js';
import { type MovedMemory, mapMovedMemory, scrubLeft, verifyBytes } from '../../shared/moved-memory.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { copyThreads } from '../../shared/tuned.js';
import type { Scale } from '../experiment.js';
import { type Amounts, bytesThatFit, LEAST_PART, timeTrials, withWarmUp } from '../fit.js';
import { type CountingMigrator, countCopies } from './counting-migrator.js';
import { FAILURES, type Failure, spreadOver, whileFailing } from './failing-folios.js';

/** One flow, with folios that fail in one way. */
export interface FlowsRow {
  /** Why folios fail. */
  readonly failure: Failure | 'none';
  /** The part of the folios that this was done to, 0 to 1. */
  readonly share: number;
  /** In which order a batch goes through its steps. */
  readonly flow: Flow;
  /** Runs that counted. */
  readonly runs: number;
  /** Of the whole call of move_pages: the median of the runs, in nanoseconds. */
  readonly ns: number;
  /** Pages that moved, in a run. */
  readonly moved: number;
  /** Pages that did not move, in a run. */
  readonly failed: number;
  /** Nanoseconds of the call for each page that moved. */
  readonly nsAPageMoved: number;
  /** Times that a folio was tried once more, in a run. */
  readonly retries: number;
  /** Bytes that the migrator copied, in a run. */
  readonly copiedBytes: number;
  /** Bytes among them of folios that did not move. */
  readonly vainBytes: number;
  /** Time a page that moved, by `batch-move` with the same failures: below 1 is faster. */
  readonly againstBatchMove: Ratio;
}

/** What flows come to where folios fail. */
export interface Flows extends Amounts {
  /** Folios of 4 KiB that each run is to move. */
  readonly folios: number;
  /** Threads of `mtcopy`. */
  readonly threads: number;
  /** A row for each failure, share and flow; none if it was cut short. */
  readonly rows: readonly FlowsRow[];
}

/** What one run came to. */
export type FlowsRun = Omit<FlowsRow, 'failure' | 'share' | 'flow' | 'runs' | 'againstBatchMove'>;

type Setting = Pick<FlowsRow, 'failure' | 'share' | 'flow'>;

const FLOWS_COMPARED = ['batch-move', 'pre-copy'] as const satisfies readonly Flow[];
const SHARES = [0.01, 0.1];
const WARM_UPS = 1;

const SETTINGS: readonly Setting[] = [
  ...FLOWS_COMPARED.map((flow) => ({ failure: 'none', share: 0, flow }) as const),
  ...FAILURES.flatMap((failure) => SHARES.flatMap((share) => FLOWS_COMPARED.map((flow) => ({ failure, share, flow })))),
];

/** Moves folios of 4 KiB back and forth with both flows, while parts of them fail. */
export async function measureFlows(scale: Scale, control: Control): Promise<Flows> {
  const { quick, seconds, bound, warmUps = WARM_UPS, profile } = scale;
  const started = performance.now();
  // There are many settings, and no published amount.
  const usualBytes = quick ? scale.bytes / 2 : scale.bytes / 4;
  const stores = scale.stores && { stores: scale.stores };
  const copying = { ...copyThreads(profile, PAGE_SIZE), ...stores };
  const bytes = quick ? usualBytes : await bytesWithin(usualBytes, scale, copying, control);
  const runs = await withSettings(bytes, copying, (variants) => {
    const left = seconds - (performance.now() - started) / 1000;
    const turns = { warmUps, seconds: left, bound, measure: 'ns a page that moved' };
    return runInTurns(variants, ({ nsAPageMoved }) => nsAPageMoved, turns, control);
  });
  const { threads } = copying;
  const rows = runs[0].length === 0 ? [] : summarize(runs);
  return { bytes, usualBytes, folios: bytes / PAGE_SIZE, threads, rows };
}

async function bytesWithin(
  bytes: number,
  { seconds, warmUps = WARM_UPS }: Scale,
  copying: MachineOptions,
  control: Control,
): Promise<number> {
  if (isCutShort(control)) return bytes;
  const leastSeconds = await withSettings(bytes / LEAST_PART, copying, (variants) =>
    timeTrials(withWarmUp(variants), control),
  );
  return bytesThatFit({ bytes, seconds, leastSeconds, warmUpsOf: () => warmUps });
}

async function withSettings<T>(
  bytes: number,
  copying: MachineOptions,
  measure: (variants: readonly Variant<FlowsRun>[]) => Promise<T>,
): Promise<T> {
  const machine = await Machine.boot({ nodes: [bytes, bytes], cpus: 0, ...copying, migrator: 'mtcopy' });
  try {
    const memory = mapMovedMemory(machine, bytes, PAGE_SIZE);
    const migrator = countCopies(machine);
    return await measure(
      SETTINGS.map((setting) => ({ name: nameOf(setting), run: () => moveSome(memory, migrator, setting) })),
    );
  } finally {
    await machine.close();
    collectGarbage();
  }
}

/** Names a setting for a person. */
export function nameOf({ failure, share, flow }: Setting): string {
  return failure === 'none' ? `none fail, ${flow}` : `${share * 100}% ${failure}, ${flow}`;
}

function summarize(runs: readonly (readonly FlowsRun[])[]): FlowsRow[] {
  return SETTINGS.map((setting, i) => {
    const of = (name: keyof FlowsRun) => median(runs[i].map((run) => run[name]));
    const times = (list: readonly FlowsRun[]) => list.map(({ nsAPageMoved }) => nsAPageMoved);
    // Settings come in pairs, that of batch-move first.
    const baseline = i - (i % FLOWS_COMPARED.length);
    return {
      ...setting,
      runs: runs[i].length,
      ns: of('ns'),
      moved: of('moved'),
      failed: of('failed'),
      nsAPageMoved: of('nsAPageMoved'),
      retries: of('retries'),
      copiedBytes: of('copiedBytes'),
      vainBytes: of('vainBytes'),
      againstBatchMove: ratioOf(times(runs[i]), times(runs[baseline])),
    };
  });
}

/** One run: everything to the other node but what fails, which follows it when the time is taken. */
async function moveSome(memory: MovedMemory, migrator: CountingMigrator, { failure, share, flow }: Setting) {
  const { machine, mm, addresses } = memory;
  const target = memory.node === 0 ? 1 : 0;
  const failing = failure === 'none' ? [] : spreadOver(addresses.length, share);
  const folios = failing.map((at) => folioAt(mm, addresses[at]));
  const copiedBefore = migrator.copiedBytes;
  const move = async () => {
    const started = performance.now();
    const result = await machine.movePages(mm, addresses, { node: target, flow, migrator });
    return { ...result, ns: (performance.now() - started) * 1e6 };
  };
  const { status, stats, ns } = failure === 'none' ? await move() : await whileFailing(machine, folios, failure, move);
  // Whoever takes a reference after the metadata was moved is too late to make it fail.
  const mustFail = failure === 'pinned in copy' && flow === 'batch-move' ? [] : failing;
  checkOutcome(status, target, mustFail);
  const copiedBytes = migrator.copiedBytes - copiedBefore;
  const movedBytes = stats.movedBy.find(({ migrator: name }) => name === migrator.name)?.bytes ?? 0;
  const left = Float64Array.from(mustFail, (at) => addresses[at]);
  if (left.length > 0) await machine.movePages(mm, left, { node: target, flow: 'vanilla', migrator: 'kernel' });
  memory.node = target;
  scrubLeft(memory);
  verifyBytes(memory);
  return {
    ns,
    moved: stats.succeeded,
    failed: stats.failed,
    nsAPageMoved: ns / stats.succeeded,
    retries: stats.retries,
    copiedBytes,
    vainBytes: copiedBytes - movedBytes,
  };
}

function folioAt(mm: AddressSpace, address: number): Folio {
  const folio = mm.folioAt(address);
  if (!folio) throw new ErrnoError('EIO', `nothing is mapped at ${address} any more`);
  return folio;
}

/** @throws ErrnoError EIO unless exactly those failed, and all others are on the node */
function checkOutcome(status: Int32Array, node: number, mustFail: readonly number[]): void {
  const failed = new Set(mustFail);
  const wrong = status.findIndex((outcome, at) => (outcome === node) === failed.has(at));
  if (wrong >= 0) throw new ErrnoError('EIO', `folio ${wrong} of ${status.length}: its outcome is ${status[wrong]}`);
}
