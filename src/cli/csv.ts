/**
 * Rows as comma-separated values, quoted as RFC 4180 has it, below a header: what is nested has the names on its way joined by
 * points, a list of texts or numbers is joined by spaces, and any other list is JSON. What a row doesn't have is empty.
 */
export function csvOf(rows: readonly object[]): string {
  const flat = rows.map((row) => new Map(flatten(row)));
  const heads = [...new Set(flat.flatMap((row) => [...row.keys()]))];
  if (heads.length === 0) return '';
  const lines = [heads, ...flat.map((row) => heads.map((head) => row.get(head) ?? ''))];
  return lines.map((cells) => `${cells.map(quoted).join(',')}\n`).join('');
}

function flatten(value: object, before = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, one]): [string, string][] => {
    if (one === undefined) return [];
    if (Array.isArray(one)) return [[before + name, listText(one)]];
    if (typeof one === 'object' && one !== null) return flatten(one, `${before}${name}.`);
    return [[before + name, String(one)]];
  });
}

function listText(list: readonly unknown[]): string {
  return list.some((one) => typeof one === 'object') ? JSON.stringify(list) : list.join(' ');
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
