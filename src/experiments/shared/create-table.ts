import Table from 'cli-table3';

/** A table for a terminal: columns of text, then of numbers, which are right-aligned, then of little pictures. */
export function createTable(texts: readonly string[], numbers: readonly string[], pictures: readonly string[] = []) {
  return new Table({
    head: [...texts, ...numbers, ...pictures],
    colAligns: [...texts.map(() => 'left' as const), ...numbers.map(() => 'right' as const)],
    style: { compact: true, head: [], border: [] },
  });
}
