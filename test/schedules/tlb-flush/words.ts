import {
  ACKED,
  BELL,
  cpuWords,
  FAULT_BELL,
  FAULT_IS_STORE,
  FAULT_RESULT,
  FAULT_STATE,
  FAULT_VPN,
  FLUSH_ALL,
  FLUSH_END,
  FLUSH_START,
  PENDING,
  REQUEST,
  RUNNING,
  STOP,
  WAITERS,
  WAITING_VPN,
} from '../../../src/cpu/cpu-area.js';
import { PTRS_PER_PTE } from '../../../src/cpu/page-table.js';
import type { Control } from '../control.js';

/*
 * The words of the protocol: those of the CPUs, of two page tables what two areas of a few pages have there, and of each frame
 * its flags, its two counts, and the first of its bytes, which programs load and store.
 */

/** CPUs of the machine, and what a scenario may have: areas, pages of each, address spaces, nodes, and frames of each. */
export const CPUS = 2;
export const AREAS = 2;
export const PAGES = 4;
export const TABLES = 2;
export const NODES = 2;
export const FRAMES = 8;
/** The first page of the first area: each begins with a PMD of its own. */
export const FIRST_VPN = PTRS_PER_PTE;
/** The first frame of each node. */
export const NODE_FRAMES = [8 * 1024, 9 * 1024];

/** The gate of programs, and bytes of its buffer, by which it is known. */
export const GATE_WORDS = 2;
export const GATE_BYTES = 52;

export const AREA_WORDS = cpuWords(CPUS);
/** Of a page table: its mask, its PMDs, and the PTEs of each area. */
export const TABLE_WORDS = 1 + AREAS + AREAS * PAGES;
export const FIRST_TABLE = AREA_WORDS;
export const FIRST_FRAME_WORD = FIRST_TABLE + TABLES * TABLE_WORDS;

/** What is known of a frame, in the order of the words. */
export const FRAME_WORDS = ['flags', 'refcount', 'mapcount', 'bytes'] as const;
type FrameWord = (typeof FRAME_WORDS)[number];

/** What a word is. */
export type TlbWord =
  | { readonly kind: 'header' | 'statistics'; readonly name: string }
  | { readonly kind: 'cpu'; readonly cpu: number; readonly name: string }
  | { readonly kind: 'mask'; readonly table: number }
  | { readonly kind: 'pmd'; readonly table: number; readonly area: number }
  | { readonly kind: 'pte'; readonly table: number; readonly area: number; readonly page: number }
  | { readonly kind: 'gate' }
  | { readonly kind: FrameWord; readonly frame: number };

const HEADER = new Map([
  [PENDING, 'PENDING'],
  [FAULT_BELL, 'FAULT_BELL'],
  [WAITERS, 'WAITERS'],
  [FLUSH_ALL, 'FLUSH_ALL'],
  [FLUSH_START, 'FLUSH_START'],
  [FLUSH_END, 'FLUSH_END'],
]);
const OF_CPU = new Map([
  [BELL, 'BELL'],
  [REQUEST, 'REQUEST'],
  [STOP, 'STOP'],
  [FAULT_RESULT, 'FAULT_RESULT'],
  [RUNNING, 'RUNNING'],
  [ACKED, 'ACKED'],
  [FAULT_STATE, 'FAULT_STATE'],
  [FAULT_VPN, 'FAULT_VPN'],
  [FAULT_IS_STORE, 'FAULT_IS_STORE'],
  [WAITING_VPN, 'WAITING_VPN'],
]);

const WORDS: readonly TlbWord[] = [
  ...Array.from({ length: AREA_WORDS }, (_, word) => areaWord(word)),
  ...Array.from({ length: TABLES }, (_, table) => tableWords(table)).flat(),
  ...FRAME_WORDS.flatMap((kind) =>
    NODE_FRAMES.flatMap((first) => Array.from({ length: FRAMES }, (_, i) => ({ kind, frame: first + i }))),
  ),
  ...Array.from({ length: GATE_WORDS }, () => ({ kind: 'gate' }) as const),
];

function areaWord(word: number): TlbWord {
  const header = HEADER.get(word);
  if (header) return { kind: 'header', name: header };
  const cpu = Math.floor((word - cpuWords(0)) / (cpuWords(1) - cpuWords(0)));
  const name = cpu >= 0 ? OF_CPU.get(word - cpuWords(cpu)) : undefined;
  return name ? { kind: 'cpu', cpu, name } : { kind: 'statistics', name: `word ${word}` };
}

function tableWords(table: number): TlbWord[] {
  const areas = Array.from({ length: AREAS }, (_, area) => area);
  return [
    { kind: 'mask', table },
    ...areas.map((area) => ({ kind: 'pmd', table, area }) as const),
    ...areas.flatMap((area) =>
      Array.from({ length: PAGES }, (_, page) => ({ kind: 'pte', table, area, page }) as const),
    ),
  ];
}

/** What word `word` is. */
export function tlbWord(word: number): TlbWord {
  return WORDS[word];
}

/** Its name in a log. */
export function nameOf(_: Control, word: number): string {
  const what = WORDS[word];
  switch (what.kind) {
    case 'header':
    case 'statistics':
      return what.name;
    case 'cpu':
      return `CPU ${what.cpu} ${what.name}`;
    case 'gate':
      return 'gate';
    case 'mask':
      return `CPU mask of space ${what.table}`;
    case 'pmd':
      return `PMD of area ${what.area} of space ${what.table}`;
    case 'pte':
      return `PTE of page ${what.page} of area ${what.area} of space ${what.table}`;
    default:
      return `${what.kind} of frame ${what.frame}`;
  }
}
