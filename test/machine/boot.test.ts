import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type CopyTrace, Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { watchWorkers } from '../support/threads.js';

it.each<[string, string, unknown]>([
  ['null', 'EINVAL', null],
  ['text', 'EINVAL', '1G'],
  ['an option that is none', 'EINVAL', { node: ['64M'] }],
  ['no nodes', 'EINVAL', { nodes: [] }],
  ['nodes that are no list', 'EINVAL', { nodes: '64M' }],
  ['a node of nothing', 'EINVAL', { nodes: ['0'] }],
  ['a node of half a page', 'EINVAL', { nodes: [2048] }],
  ['a node that is no size', 'EINVAL', { nodes: ['much'] }],
  ['a hole for a node', 'EINVAL', { nodes: new Array(1) }],
  ['more nodes than fit on the stack', 'EINVAL', { nodes: new Array(300_000).fill('4K') }],
  ['more memory than there is', 'ENOMEM', { nodes: ['2G', '2G'] }],
  ['65 CPUs', 'EINVAL', { cpus: 65 }],
  ['-1 CPUs', 'EINVAL', { cpus: -1 }],
  ['half a CPU', 'EINVAL', { cpus: 0.5 }],
  ['CPUs that are no number', 'EINVAL', { cpus: '2' }],
  ['65 threads', 'EINVAL', { threads: 65 }],
  ['0 threads', 'EINVAL', { threads: 0 }],
  ['threads by name', 'EINVAL', { threads: 'many' }],
  ['a caller that does neither', 'EINVAL', { caller: 'both' }],
  ['a flow that is none', 'EINVAL', { flow: 'parallel' }],
  ['null for the flow', 'EINVAL', { flow: null }],
  ['a migrator that is none', 'EINVAL', { migrator: 'dma' }],
  ['null for the migrator', 'EINVAL', { migrator: null }],
  ['a migrator that copies nothing', 'EINVAL', { migrator: { name: 'idle' } }],
  ['a batch of 0', 'EINVAL', { batchLimit: 0 }],
  ['a batch of half a page', 'EINVAL', { batchLimit: 0.5 }],
  ['an endless batch', 'EINVAL', { batchLimit: Number.POSITIVE_INFINITY }],
  ['a batch counted in bytes', 'EINVAL', { batchUnit: 'bytes' }],
  ['no batch in flight', 'EINVAL', { batchesInFlight: 0 }],
  ['5 batches in flight', 'EINVAL', { batchesInFlight: 5 }],
  ['a timeout of 0', 'EINVAL', { ipiTimeoutMs: 0 }],
  ['a negative timeout', 'EINVAL', { ipiTimeoutMs: -1 }],
  ['a timeout that is no number', 'EINVAL', { ipiTimeoutMs: Number.NaN }],
  ['negative lists', 'EINVAL', { pcpHigh: -1 }],
])('refuses %s: %s', async (_, code, options) => {
  using workers = watchWorkers();
  const asked = options && typeof options === 'object' ? { nodes: ['16M'], ...options } : options;
  expect(await errorOf(() => Machine.boot(asked as never))).toEqual(errno(code));
  expect(workers.alive.size).toBe(0);
});

it.each([{}, { pcpHigh: 0 }])('says what is wrong with a hole among the nodes: %j', async (options) => {
  const error = await errorOf(() => Machine.boot({ nodes: new Array(2), ...options }));
  expect(error.message).toMatch(/^EINVAL: node size: .*got undefined$/);
});

it('has two nodes of 1 GiB and one CPU unless told otherwise', async () => {
  await using machine = await Machine.boot();
  expect(machine.memory.nodes.map(({ freePages }) => freePages)).toEqual([2 ** 18, 2 ** 18]);
  expect(machine.cpus.count).toBe(1);
  expect(machine.threads).toBe(4);
});

it.each([
  ['helps', true],
  ['waits', false],
  [undefined, false],
] as const)("has its caller take part in what 'mtcopy' copies, or not: %s", async (caller, helps) => {
  await using machine = await Machine.boot({
    nodes: ['64M', '64M'],
    cpus: 0,
    threads: 1,
    migrator: 'mtcopy',
    flow: 'pre-copy',
    ...(caller && { caller }),
  });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '32M', populate: true });
  // While the worker is on its way, as at first or after a rest, the caller copies in any case.
  const copies = { together: 0, byTheWorker: 0 };
  const onEnd = (message: unknown) => {
    const { threads = 0, workerNs = 0 } = (message as CopyTrace).result ?? {};
    if (threads === 2) copies.together++;
    else if (workerNs > 0) copies.byTheWorker++;
  };
  subscribe('tracing:mtcopy:copy:asyncEnd', onEnd);
  const enough = () => (helps ? copies.together >= 1 : copies.together + copies.byTheWorker >= 20);
  for (let move = 1; move < 200 && !enough(); move++) await machine.movePages(mm, area.pages(), { node: move % 2 });
  unsubscribe('tracing:mtcopy:copy:asyncEnd', onEnd);
  expect(enough()).toBe(true);
  if (!helps) expect(copies.byTheWorker).toBeGreaterThan(copies.together);
});

it.each([0, 65, 0.5, 'many'])('refuses to set threads to %s later, too', async (threads) => {
  await using machine = await Machine.boot({ nodes: ['16M'], threads: 3 });
  expect(() => {
    machine.threads = threads as number;
  }).toThrow(errno('EINVAL'));
  expect(machine.threads).toBe(3);
  machine.threads = 2;
  expect(machine.threads).toBe(2);
});
