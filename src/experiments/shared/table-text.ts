import Table from 'cli-table3';
import type { Picture } from './picture.js';
import { lengthOf, wrapText } from './wrap.js';

/** A cell of a table: a text, or a picture in a column of pictures. */
export type Cell = string | Picture;

/**
 * A table: columns of texts that name its rows, then of numbers, which are right-aligned, then of little pictures, then of prose,
 * which may be broken into lines. Heads and cells are texts, but for the pictures.
 */
export interface Sheet {
  /** Heads of the columns that name a row, one at least. */
  readonly texts: readonly string[];
  /** Heads of columns of numbers, which are texts by now. */
  readonly numbers: readonly string[];
  /** Heads of columns of pictures. Default: none. */
  readonly pictures?: readonly string[];
  /** Heads of columns of sentences. Default: none. */
  readonly prose?: readonly string[];
  /** A cell for each column, in that order. */
  readonly rows: readonly (readonly Cell[])[];
}

interface Column {
  readonly head: string;
  readonly align: 'left' | 'right';
  readonly cells: readonly Cell[];
  /** Characters between which its width may be chosen: pictures and prose can do with less than they would like. */
  readonly least: number;
  readonly wished: number;
}

/** Characters that a picture, or a column of prose, has at least. */
const LEAST_PICTURE = 8;
const LEAST_PROSE = 16;
/** Padding and a border for each column; and one border more. */
const BORDERS = 3;
/** Tables one below the other that are still read as one: rows with their names, or with a number. */
const MOST_NAMED = 2;
const MOST_NUMBERED = 3;

/**
 * A table in `width` columns. One that is wider is split by its columns, each part with those that name the rows; or, if that
 * makes too many of them, the rows get numbers, and above it stands what those are; or each row becomes a few lines.
 *
 * @param legends what rows the numbers of the tables above are; what this one adds is added
 */
export function tableText(sheet: Sheet, width: number, legends: Set<string>): string {
  const { naming, saying } = columnsOf(sheet);
  const named = splitTable(naming, saying, width);
  if (named && named.length <= mostNamed(naming, width)) return named.join('\n');
  const numbers = numbersOf(sheet.rows.length);
  const numbered = naming.length > 1 ? splitTable([numbers], saying, width) : undefined;
  if (!numbered || numbered.length > MOST_NUMBERED) return blocksText(sheet, width);
  const legend = legendText([numbers, ...naming], width);
  const known = legends.has(legend);
  legends.add(legend);
  return [...(known ? [] : [legend]), ...numbered].join('\n');
}

/** As many tables as are still read as one: fewer of those whose names would be most of what is there. */
function mostNamed(naming: readonly Column[], width: number): number {
  if (naming.length === 1) return MOST_NUMBERED;
  return least(naming) <= width / 2 ? MOST_NAMED : 1;
}

/** What the rows with these numbers are. */
function legendText(columns: readonly Column[], width: number): string {
  if (least(columns) <= width) return draw(columns, width);
  const [numbers, ...names] = columns.map(({ cells }) => cells);
  const lines = numbers.map((number, row) => `${number}: ${names.map((cells) => cells[row]).join(', ')}`);
  return lines.flatMap((line) => wrapText(line, width)).join('\n');
}

/** The columns that name a row, and those that say something of it. */
function columnsOf({ texts, numbers, pictures = [], prose = [], rows }: Sheet): Record<'naming' | 'saying', Column[]> {
  const make = (
    heads: readonly string[],
    before: number,
    align: Column['align'],
    shortest = Number.POSITIVE_INFINITY,
  ) =>
    heads.map((head, i): Column => {
      const cells = rows.map((row) => row[before + i]);
      const headWidth = widest(head);
      const wished = Math.max(
        headWidth,
        ...cells.map((cell) => (typeof cell === 'string' ? widest(cell) : cell.width)),
      );
      return { head, align, cells, wished, least: Math.min(wished, Math.max(headWidth, shortest)) };
    });
  const [first, second] = [texts.length + numbers.length, texts.length + numbers.length + pictures.length];
  return {
    naming: make(texts, 0, 'left'),
    saying: [
      ...make(numbers, texts.length, 'right'),
      ...make(pictures, first, 'left', LEAST_PICTURE),
      ...make(prose, second, 'left', LEAST_PROSE),
    ],
  };
}

function numbersOf(rows: number): Column {
  const cells = Array.from({ length: rows }, (_, i) => String(i + 1));
  return { head: '#', align: 'left', cells, least: String(rows).length, wished: String(rows).length };
}

function widest(text: string): number {
  return Math.max(...text.split('\n').map(lengthOf));
}

/** The columns that a table of these has at least. */
function least(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + column.least + BORDERS, 1);
}

/** Tables of about as many columns each, with those that name the rows; nothing if not even one has room beside them. */
function splitTable(naming: readonly Column[], saying: readonly Column[], width: number): string[] | undefined {
  const groups = groupColumns(naming, saying, width, saying.length);
  if (!groups) return undefined;
  const balanced = groupColumns(naming, saying, width, Math.ceil(saying.length / groups.length));
  const best = balanced?.length === groups.length ? balanced : groups;
  return best.map((group) => draw([...naming, ...group], width));
}

function groupColumns(
  naming: readonly Column[],
  saying: readonly Column[],
  width: number,
  most: number,
): Column[][] | undefined {
  const groups: Column[][] = [[]];
  for (const column of saying) {
    if (least([...naming, column]) > width) return undefined;
    const group = groups[groups.length - 1];
    if (group.length < most && least([...naming, ...group, column]) <= width) group.push(column);
    else groups.push([column]);
  }
  return groups;
}

function draw(columns: readonly Column[], width: number): string {
  const widths = shareRoom(columns, width - least(columns));
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ align }) => align),
    style: { compact: true, head: [], border: [] },
  });
  const texts = columns.map(({ cells }, i) => cells.map((cell) => cellText(cell, widths[i])));
  for (const row of columns[0].cells.keys()) table.push(texts.map((cells) => cells[row]));
  return table.toString();
}

function cellText(cell: Cell, width: number): string {
  return typeof cell === 'string' ? wrapText(cell, width).join('\n') : cell.draw(width).padEnd(width);
}

/** The width of each column, if so many characters are left beyond what they have at least: who wants fewest gets them first. */
function shareRoom(columns: readonly Column[], room: number): number[] {
  const widths = columns.map((column) => column.least);
  const wants = (i: number) => columns[i].wished - columns[i].least;
  const growing = [...columns.keys()].filter((i) => wants(i) > 0).sort((a, b) => wants(a) - wants(b));
  let left = room;
  for (const [at, i] of growing.entries()) {
    const more = Math.min(wants(i), Math.floor(left / (growing.length - at)));
    widths[i] += more;
    left -= more;
  }
  return widths;
}

/** Rows as paragraphs: what names one, and below it what is said of it. */
function blocksText({ texts, numbers, pictures = [], prose = [], rows }: Sheet, width: number): string {
  const said = [...numbers, ...pictures, ...prose].map(inOneLine);
  const blocks = rows.map((row) => {
    const names = row.slice(0, texts.length) as string[];
    const title = texts.length === 1 ? names[0] : texts.map((head, i) => `${inOneLine(head)} ${names[i]}`).join(', ');
    const values = row.slice(texts.length);
    const figures = said.slice(0, numbers.length).map((head, i) => `${head} ${values[i]}`);
    const others = said.slice(numbers.length).map((head, i) => {
      const cell = values[numbers.length + i];
      return typeof cell === 'string'
        ? `${head} ${cell}`
        : `${head} ${cell.draw(Math.max(1, width - 3 - lengthOf(head)))}`;
    });
    const lines = [...(figures.length > 0 ? [figures.join(', ')] : []), ...others];
    return [...wrapText(title, width), ...lines.flatMap((line) => indented(line, width))];
  });
  return blocks.flat().join('\n');
}

function indented(line: string, width: number): string[] {
  return wrapText(line.trim(), width - 2).map((text) => `  ${text}`);
}

function inOneLine(head: string): string {
  return head.replaceAll('\n', ' ');
}
