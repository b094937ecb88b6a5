import Table from 'cli-table3';
import { median, quantile } from 'simple-statistics';
import { watchOthers } from './other-processes.js';

const others = watchOthers();

type Cell = string | number;

/** Prints rows under a head, and below them a line that says what the columns are. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[], columns: string): void {
  const table = new Table({ head: [...head], style: { compact: true, head: [], border: [] } });
  for (const row of rows) table.push([...row]);
  console.log(table.toString());
  console.log(`${columns} ${others()}`.trimEnd());
}

/** Figures as tables show them: median, then the quartiles. */
export function showSpread(figures: readonly number[], digits = 1): string {
  const show = (figure: number) => figure.toFixed(digits);
  return `${show(median([...figures]))} (${show(quantile([...figures], 0.25))} to ${show(quantile([...figures], 0.75))})`;
}

/** Throughput of copies of `bytes` that took so many nanoseconds each, in GB/s: bytes a nanosecond. */
export function showSpeed(bytes: number, times: readonly number[]): string {
  return showSpread(times.map((ns) => bytes / ns));
}
