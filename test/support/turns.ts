import { setImmediate } from 'node:timers/promises';
import { Machine, PAGE_SIZE } from 'mtcopy';

/** What `count` answers is looked at in every turn of the event loop until `isOver` resolves. */
export async function watch(count: () => number, isOver: Promise<unknown>): Promise<{ largest: number; end: number }> {
  let isWatching = true;
  void isOver.then(() => {
    isWatching = false;
  });
  let largest = 0;
  let before = count();
  while (isWatching) {
    await setImmediate();
    const now = count();
    largest = Math.max(largest, now - before);
    before = now;
  }
  return { largest, end: before };
}

/** Bytes of a node: the 64 MiB of {@link boot}, and some more. Whoever watches looks at all its pages in every turn. */
export const NODE = 72 * 2 ** 20;

/** A machine with 64 MiB of memory on node 0, four slices' work, or another `length`. */
export async function boot(folioSize: string, options = {}, length = '64M') {
  const machine = await Machine.boot({ nodes: [NODE, NODE], cpus: 0, ...options });
  const area = machine.createAddressSpace().mmap({ length, folioSize, populate: true });
  return { machine, area, pages: area.length / PAGE_SIZE };
}

/** Pages of the folios that have a flag of {@link PG}. */
export function flagged({ memory }: Pick<Machine, 'memory'>, flag: number): number {
  const { page, nodes } = memory;
  let pages = 0;
  for (const { startPfn, endPfn } of nodes) {
    for (let pfn = startPfn as number; pfn < endPfn; pfn++) {
      if ((page.flags[pfn] as number) & flag) pages += 1 << (page.order[pfn] as number);
    }
  }
  return pages;
}
