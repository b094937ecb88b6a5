import { Machine, MPOL_MF_MOVE_ALL } from 'mtcopy';
import { expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';

const PAGE = 2 ** 21;
const NODE = { node: 1 };

it.each<[string, string, unknown, unknown]>([
  ['no list of pages', 'EFAULT', undefined, NODE],
  ['null for the pages', 'EFAULT', null, NODE],
  ['a number for the pages', 'EFAULT', PAGE, NODE],
  ['text for the pages', 'EFAULT', 'pages', NODE],
  ['a buffer for the pages', 'EFAULT', new ArrayBuffer(8), NODE],
  ['a view without numbers for the pages', 'EFAULT', new DataView(new ArrayBuffer(8)), NODE],
  ['a number for the nodes', 'EFAULT', [PAGE], { nodes: 1 }],
  ['text for the nodes', 'EFAULT', [PAGE], { nodes: '1' }],
  ['more pages than there are', 'E2BIG', new Float64Array(2 ** 22 + 1), NODE],
  ['more pages than there are, to be found', 'E2BIG', new Float64Array(2 ** 22 + 1), {}],
  ['an address inside a page', 'EINVAL', [PAGE, PAGE + 4095], NODE],
  ['an address inside a page, to be found', 'EINVAL', [PAGE + 1], {}],
  ['a negative address', 'EINVAL', [PAGE, -4096], NODE],
  ['half an address', 'EINVAL', [PAGE, 4096.5], NODE],
  ['an address that is no number', 'EINVAL', [PAGE, Number.NaN], NODE],
  ['an infinite address', 'EINVAL', [PAGE, Number.POSITIVE_INFINITY], NODE],
  ['a bigint for an address', 'EINVAL', [BigInt(PAGE)], NODE],
  ['a hole for an address', 'EINVAL', new Array(1), NODE],
  ['a flag that is none', 'EINVAL', [PAGE], { node: 1, flags: 1 }],
  ['a further flag', 'EINVAL', [PAGE], { node: 1, flags: 8 | 2 }],
  ['a negative flag', 'EINVAL', [PAGE], { node: 1, flags: -1 }],
  ['a flag beyond 32 bits', 'EINVAL', [PAGE], { node: 1, flags: 2 ** 32 }],
  ['a flag beyond 32 bits beside one that exists', 'EINVAL', [PAGE], { node: 1, flags: 2 ** 32 + 2 }],
  ['a flag by name', 'EINVAL', [PAGE], { node: 1, flags: 'MPOL_MF_MOVE' }],
  ['fewer nodes than pages', 'EINVAL', [PAGE, PAGE], { nodes: [1] }],
  ['more nodes than pages', 'EINVAL', [PAGE], { nodes: [1, 1] }],
  ['a misspelt option, which would only ask', 'EINVAL', [PAGE], { Node: 1 }],
  ['a misspelt setting', 'EINVAL', [PAGE], { node: 1, batchlimit: 1 }],
  ['a node for the options', 'EINVAL', [PAGE], 1],
  ['both node and nodes', 'EINVAL', [PAGE], { node: 1, nodes: [1] }],
  ['a node that does not exist', 'ENODEV', [PAGE], { node: 3 }],
  ['a negative node', 'ENODEV', [PAGE], { node: -1 }],
  ['half a node', 'ENODEV', [PAGE], { node: 0.5 }],
  ['a node that is no number', 'ENODEV', [PAGE], { node: Number.NaN }],
  ['null for the node', 'ENODEV', [PAGE], { node: null }],
  ['a wrong node among the nodes', 'ENODEV', [PAGE, PAGE], { nodes: [1, 3] }],
  ['a node outside the cpuset', 'EACCES', [PAGE], { node: 2 }],
  ['a node outside the cpuset among the nodes', 'EACCES', [PAGE, PAGE], { nodes: [1, 2] }],
  ['another user', 'EPERM', [PAGE], { node: 1, uid: 8 }],
  ['another user who asks', 'EPERM', [PAGE], { uid: 8 }],
  ['root without CAP_SYS_NICE', 'EPERM', [PAGE], { node: 1, uid: 0, capSysNice: false }],
  ['MPOL_MF_MOVE_ALL without CAP_SYS_NICE', 'EPERM', [PAGE], { node: 1, uid: 7, flags: MPOL_MF_MOVE_ALL }],
  ['text for a capability', 'EINVAL', [PAGE], { node: 1, capSysNice: 'no' }],
  ['half a user', 'EINVAL', [PAGE], { node: 1, uid: 0.5 }],
  ['a negative user', 'EINVAL', [PAGE], { node: 1, uid: -1 }],
  ['a flow that is none', 'EINVAL', [PAGE], { node: 1, flow: 'backwards' }],
  ['a migrator that is none', 'EINVAL', [PAGE], { node: 1, migrator: 'dma' }],
  ['a migrator that copies nothing', 'EINVAL', [PAGE], { node: 1, migrator: {} }],
  ['null for the migrator', 'EINVAL', [PAGE], { node: 1, migrator: null }],
  ['a batch of 0', 'EINVAL', [PAGE], { node: 1, batchLimit: 0 }],
  ['a batch counted in bytes', 'EINVAL', [PAGE], { node: 1, batchUnit: 'bytes' }],
])('refuses %s: %s', async (_, code, pages, options) => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M', '8M'] });
  const mm = machine.createAddressSpace({ uid: 7, memsAllowed: [0, 1] });
  const area = mm.mmap({ length: '8K', populate: true });
  expect(area.address).toBe(PAGE);
  await mm.write(area.address, Uint8Array.of(1, 2, 3));
  const frames = Array.from(area.pages(), (address) => mm.folioAt(address)?.pfn);
  const before = [freePages(machine), machine.vmstat];
  expect(await errorOf(() => machine.movePages(mm, pages as never, options as never))).toEqual(errno(code));
  expect([freePages(machine), machine.vmstat]).toEqual(before);
  expect(Array.from(area.pages(), (address) => mm.folioAt(address)?.pfn)).toEqual(frames);
  expect(await mm.read(area.address, 4)).toEqual(Uint8Array.of(1, 2, 3, 0));
  // Nothing is left isolated or locked.
  expect(Array.from((await machine.movePages(mm, area.pages(), NODE)).status)).toEqual([1, 1]);
});

it.each<[string, number[], string]>([
  ['a hole', new Array(2), 'ENODEV: nodes[0]: must be a node from 0 to 2, got undefined'],
  ['a node that does not exist', [1, 3], 'ENODEV: nodes[1]: must be a node from 0 to 2, got 3'],
  ['one outside the cpuset', [1, 2], 'EACCES: nodes[1]: must be among the nodes that the cpuset allows, 0, 1, got 2'],
])('names the place of %s among the nodes', async (_, nodes, message) => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M', '8M'], cpus: 0 });
  const mm = machine.createAddressSpace({ memsAllowed: [0, 1] });
  const error = await errorOf(() => machine.movePages(mm, [PAGE, PAGE], { nodes }));
  expect(error.message).toBe(message);
});

it('may be made by its user, or by whoever has CAP_SYS_NICE', async () => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
  const mm = machine.createAddressSpace({ uid: 7 });
  const area = mm.mmap({ length: '4K', populate: true });
  const move = async (node: number, options: object) =>
    Array.from((await machine.movePages(mm, area.pages(), { node, ...options })).status);
  expect(await move(1, { uid: 7 })).toEqual([1]);
  expect(await move(0, { uid: 8, capSysNice: true })).toEqual([0]);
  expect(await move(1, { uid: 8, capSysNice: true, flags: MPOL_MF_MOVE_ALL })).toEqual([1]);
  expect(await move(0, {})).toEqual([0]);
});

it('takes null for no options, and asks', async () => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '4K', node: 1, populate: true });
  expect(Array.from((await machine.movePages(mm, area.pages(), null as never)).status)).toEqual([1]);
});

it('is ESRCH for an address space that was closed, or is not this machine’s', async () => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
  await using foreign = await Machine.boot({ nodes: ['8M', '8M'] });
  const closed = machine.createAddressSpace();
  await closed.close();
  for (const mm of [closed, foreign.createAddressSpace(), {}, undefined]) {
    expect(await errorOf(() => machine.movePages(mm as never, [PAGE], NODE))).toEqual(errno('ESRCH'));
    expect(await errorOf(() => machine.migratePages(mm as never, { from: [0], to: [1] }))).toEqual(errno('ESRCH'));
  }
  // As in the kernel, what is wrong in itself comes first.
  expect(await errorOf(() => machine.movePages(closed, [PAGE], { node: 1, flags: 1 }))).toEqual(errno('EINVAL'));
  expect(await errorOf(() => machine.migratePages(closed, { from: [-1], to: [1] }))).toEqual(errno('EINVAL'));
});

it.each([[[]], [[2]], [[-1]], [[0.5]], ['01'], [7], [new Array(1)], [[0, undefined]]])(
  'is in no cpuset of %j',
  async (memsAllowed) => {
    await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
    expect(() => machine.createAddressSpace({ memsAllowed } as never)).toThrow(errno('EINVAL'));
  },
);

it('knows no other options', async () => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
  expect(() => machine.createAddressSpace({ UID: 1 } as never)).toThrow(errno('EINVAL'));
});

it.each([-1, 0.5, Number.NaN, '0'])('is of no user %s', async (uid) => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
  expect(() => machine.createAddressSpace({ uid } as never)).toThrow(errno('EINVAL'));
});

it('an area for the pages says how its pages are had', async () => {
  await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0 });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '64K' });
  const error = await errorOf(() => machine.movePages(mm, area as never, NODE));
  expect(error.message).toBe('EFAULT: pages: must be an array of page addresses, such as area.pages(), got an Area');
});
