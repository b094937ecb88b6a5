const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of `value` on a scale from 0 to `full`, at most `width` characters long. */
export function bar(value: number, full: number, width: number): string {
  const eighths = Math.round((value / full) * width * 8);
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}
