import { createTable } from './create-table.js';

/** A table of texts: columns of words, then of numbers, which are right-aligned, then of little pictures. */
export interface Sheet {
  readonly texts: readonly string[];
  readonly numbers: readonly string[];
  readonly pictures?: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What a result looks like: paragraphs and tables, one below the other. */
export type Part = string | Sheet;

/** For a terminal. */
export function textOf(parts: readonly Part[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : tableText(part))).join('\n');
}

function tableText({ texts, numbers, pictures, rows }: Sheet): string {
  const table = createTable(texts, numbers, pictures);
  for (const row of rows) table.push([...row]);
  return table.toString();
}
