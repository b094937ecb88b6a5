import { setImmediate } from 'node:timers/promises';
import { anything, type Checks } from '../check.js';
import { VPN_LIMIT } from '../cpu/page-table.js';
import { ErrnoError, invalid, show } from '../errno.js';
import type { AddressSpace } from '../mm/address-space.js';
import type { MemoryManager } from '../mm/manager.js';
import { PAGE_SIZE } from '../units.js';
import { CREDENTIALS, type Credentials, checkTarget, hasCapSysNice } from './credentials.js';
import { MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from './flags.js';

/** Options of `Machine.movePages`. */
export interface MovePagesOptions extends Credentials {
  /**
   * The node to move every page to. Default: none; without it and without `nodes` nothing is moved, and the call asks where the
   * pages are.
   */
  node?: number | undefined;
  /** The node to move each page to, in the order of the pages, instead of {@link node}. Default: none. */
  nodes?: ArrayLike<number> | undefined;
  /** {@link MPOL_MF_MOVE} or {@link MPOL_MF_MOVE_ALL}. Default: `MPOL_MF_MOVE`. */
  flags?: number | undefined;
}

/** What its options are checked by, but for what depends on the machine. */
export const MOVE_PAGES_OPTIONS: Checks<MovePagesOptions> = {
  node: anything,
  nodes: anything,
  flags: anything,
  ...CREDENTIALS,
};

/** What a call is asked for, as it was when that was checked. */
export interface MovePagesRequest {
  readonly pages: ArrayLike<number>;
  /** The node of all pages, or of each; `undefined`: none, the query form. */
  readonly asked: number | ArrayLike<number> | undefined;
  readonly moveAll: boolean;
}

const ALL_FLAGS = MPOL_MF_MOVE | MPOL_MF_MOVE_ALL;
/** Entries of a list that are checked between two turns of the event loop: a few hundred microseconds' work. */
const CHECKED_AT_ONCE = 65_536;

/** Checks everything that can be before anything is moved. */
export async function checkRequest(
  { memory }: MemoryManager,
  mm: AddressSpace,
  list: ArrayLike<number>,
  { node, nodes: nodeList, flags = MPOL_MF_MOVE, ...credentials }: MovePagesOptions,
): Promise<MovePagesRequest> {
  // Operators on bits look at the lower 32 alone.
  if (!Number.isInteger(flags) || flags > ALL_FLAGS || flags & ~ALL_FLAGS) {
    throw invalid('flags', 'must be MPOL_MF_MOVE, MPOL_MF_MOVE_ALL or both', flags);
  }
  const moveAll = (flags & MPOL_MF_MOVE_ALL) !== 0;
  if (moveAll && !hasCapSysNice(credentials)) {
    throw new ErrnoError('EPERM', 'flags: MPOL_MF_MOVE_ALL needs CAP_SYS_NICE');
  }
  checkTarget(mm, credentials);
  const pages = await takePages(list);
  if (node !== undefined && nodeList !== undefined) throw invalid('node', 'must not be given beside nodes', node);
  if (nodeList === undefined) {
    if (node !== undefined) checkNode(memory.nodes.length, mm, 'node', node);
    return { pages, asked: node, moveAll };
  }
  checkList('nodes', nodeList, 'an array of nodes');
  if (nodeList.length !== pages.length)
    throw invalid('nodes', `must be one for each of ${pages.length} pages`, nodeList.length);
  const nodes = copyOf('nodes', nodeList);
  await checkEach(nodes, (node, i) => checkNode(memory.nodes.length, mm, `nodes[${i}]`, node));
  return { pages, asked: nodes, moveAll };
}

/** A list of page addresses, checked, and nobody else's. */
export async function takePages(list: ArrayLike<number>): Promise<ArrayLike<number>> {
  checkList('pages', list, 'an array of page addresses, such as area.pages()');
  if (list.length > VPN_LIMIT) {
    throw new ErrnoError('E2BIG', `pages: ${list.length} are more than the ${VPN_LIMIT} an address space has`);
  }
  const pages = copyOf('pages', list);
  await checkEach(pages, (address, i) => {
    if (Number.isSafeInteger(address) && address >= 0 && (address & (PAGE_SIZE - 1)) === 0) return;
    throw invalid(`pages[${i}]`, 'must be a page address, a multiple of 4096', address);
  });
  return pages;
}

/** Checks a list that may be long, with turns of the event loop between. */
async function checkEach(list: ArrayLike<number>, check: (value: number, i: number) => void): Promise<void> {
  for (let i = 0; i < list.length; i++) {
    check(list[i], i);
    if (i % CHECKED_AT_ONCE === CHECKED_AT_ONCE - 1) await setImmediate();
  }
}

/**
 * A list that nobody else changes, also from another thread, between a look at it and the next (copy_from_user).
 *
 * @throws ErrnoError EFAULT for an array of no numbers, or one that was transferred
 */
function copyOf(name: string, list: ArrayLike<number>): ArrayLike<number> {
  if (!ArrayBuffer.isView(list)) return Array.from(list);
  try {
    return new Float64Array(list);
  } catch {
    throw new ErrnoError('EFAULT', `${name}: must be an array of numbers that was not transferred, got ${show(list)}`);
  }
}

function checkList(name: string, list: unknown, what: string): void {
  const isList = Array.isArray(list) || (ArrayBuffer.isView(list) && !(list instanceof DataView));
  if (!isList) throw new ErrnoError('EFAULT', `${name}: must be ${what}, got ${show(list)}`);
}

function checkNode(count: number, { memsAllowed }: AddressSpace, name: string, node: number): void {
  checkExists(count, name, node);
  if (memsAllowed.includes(node)) return;
  const allowed = `among the nodes that the cpuset allows, ${memsAllowed.join(', ')}`;
  throw new ErrnoError('EACCES', `${name}: must be ${allowed}, got ${node}`);
}

/** Throws ENODEV unless there is such a node. */
export function checkExists(count: number, name: string, node: number): void {
  if (Number.isInteger(node) && node >= 0 && node < count) return;
  throw new ErrnoError('ENODEV', `${name}: must be a node from 0 to ${count - 1}, got ${show(node)}`);
}
