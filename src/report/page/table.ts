import type { Part } from 'mtcopy/experiments';
import { linesOf } from 'mtcopy/experiments';
import { escaped } from '../escape.js';
import { withoutNaN } from '../model/figures.js';

interface TableText {
  readonly heads: readonly string[];
  /** How many columns name the row; what follows are figures, but the last `prose`. */
  readonly names: number;
  readonly prose?: number;
  readonly rows: readonly (readonly string[])[];
  /** What it is of, for those who hear it. */
  readonly label: string;
}

/** A table that scrolls in a box of its own where it is wider than the page. */
export function tableHtml({ heads, names, prose = 0, rows, label }: TableText): string {
  const isNumber = (column: number) => column >= names && column < heads.length - prose;
  const isProse = (column: number) => column >= heads.length - prose;
  const head = heads.map((text, i) => `<th scope="col"${isNumber(i) ? ' class="n"' : ''}>${lines(text)}</th>`).join('');
  const body = rows.map((cells) => {
    const html = cells.map((text, i) => {
      if (i === 0) return `<th scope="row">${lines(text)}</th>`;
      if (isProse(i)) return `<td class="w">${wholeWords(lines(text))}</td>`;
      return `<td${isNumber(i) ? ' class="n"' : ''}>${lines(text)}</td>`;
    });
    return `<tr>${html.join('')}</tr>`;
  });
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(label)}"><table><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}

function lines(text: string): string {
  return escaped(text).replaceAll('\n', '<br>');
}

/** Keeps what a hyphen joins on one line, such as `--folio-size`, where it isn't too long for one. */
function wholeWords(html: string): string {
  return html.replaceAll(/(?<![^\s>])[^\s<>&]{0,23}-[^\s<>&]{0,24}(?![^\s<])/g, '<span class="o">$&</span>');
}

/** Paragraphs and tables as the commands print them, without the pictures that text is drawn with. */
export function partHtml(part: Part, label: string): string {
  if (typeof part === 'string') return part === '' ? '' : `<p>${linesOf(part).map(lineHtml).join('')}</p>`;
  const { texts, numbers, pictures = [], prose = [], rows } = part;
  const first = texts.length + numbers.length;
  const shown = <Cell>(cells: readonly Cell[]) => [...cells.slice(0, first), ...cells.slice(first + pictures.length)];
  return tableHtml({
    heads: shown([...texts, ...numbers, ...pictures, ...prose]),
    names: texts.length,
    prose: prose.length,
    rows: rows.map((row) => shown(row).map((cell) => withoutNaN(String(cell)))),
    label,
  });
}

function lineHtml(line: string): string {
  return `<span class="line${/^\s/.test(line) ? ' in' : ''}">${escaped(withoutNaN(line.trim()))}</span>`;
}
