import { type Cell, type Sheet, tableText } from './table-text.js';
import { wrapText } from './wrap.js';

export type { Cell, Sheet };

/** What a result looks like: paragraphs and tables, one below the other. */
export type Part = string | Sheet;

/** Columns of what is no terminal. */
const WIDTH = 100;

/** The lines that a paragraph has where there is room: its author's ended where they were full, in the middle of a sentence too. */
export function linesOf(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    const last = lines.at(-1);
    const goesOn = last !== undefined && /^\S.*[^.:]$/.test(last) && /^\S/.test(line);
    if (goesOn) lines[lines.length - 1] = `${last} ${line}`;
    else lines.push(line);
  }
  return lines;
}

function flow(text: string, width: number): string {
  return wrapText(linesOf(text).join('\n'), width).join('\n');
}

/** For a terminal of so many columns: no line is longer. Default: 100. */
export function textOf(parts: readonly Part[], width = WIDTH): string {
  const legends = new Set<string>();
  const texts = parts.map((part) => (typeof part === 'string' ? flow(part, width) : tableText(part, width, legends)));
  return texts.join('\n');
}

/** In GitHub's Markdown: pictures are left out. */
export function markdownOf(parts: readonly Part[]): string {
  return parts.map((part) => (typeof part === 'string' ? escaped(part) : markdownTable(part))).join('\n\n');
}

function markdownTable({ texts, numbers, pictures = [], prose = [], rows }: Sheet): string {
  const first = texts.length + numbers.length;
  const shown = <Cell>(cells: readonly Cell[]) => [...cells.slice(0, first), ...cells.slice(first + pictures.length)];
  const rules = [...texts.map(() => '---'), ...numbers.map(() => '--:'), ...prose.map(() => '---')];
  const lines = [shown([...texts, ...numbers, ...pictures, ...prose]), rules, ...rows.map(shown)];
  return lines
    .map((cells) => `| ${cells.map((cell) => escaped(String(cell)).replaceAll('\n', ' ')).join(' | ')} |`)
    .join('\n');
}

/** What would be a mark-up, as itself. */
function escaped(text: string): string {
  return text.replaceAll(/[\\|<*`]/g, '\\$&');
}
