import { ErrnoError } from 'mtcopy';
import type { Part } from 'mtcopy/experiments';
import type { Block } from '../model/section.js';
import type { Result } from '../read/result.js';
import type { Source } from '../read/source.js';

const NOTHING = 'Nothing was measured: it was cut short before a run had ended.';

/** The tables of a file, under its name where there are several. */
export function blockOf<R extends Result>(
  source: Source<R>,
  sources: readonly Source<R>[],
  partsOf: (result: R) => readonly Part[],
): Block {
  const { result } = source;
  const isEmpty = 'results' in result && result.results.length === 0;
  return { ...headingOf(source, sources), parts: isEmpty ? [NOTHING] : readable(source, () => partsOf(result)) };
}

export function headingOf(source: Source, sources: readonly Source[]): { heading?: string } {
  return sources.length > 1 ? { heading: `${source.label}: ${source.name}` } : {};
}

/**
 * What a file's own members make, which were checked as far as charts need them.
 *
 * @throws ErrnoError EIO if the file lacks one, for it is of another program or was changed
 */
export function readable({ name, result }: Source, make: () => readonly Part[]): readonly Part[] {
  try {
    const parts = make();
    for (const part of parts) checkPart(part);
    return parts;
  } catch (cause) {
    const why = (cause as Error).message;
    throw new ErrnoError('EIO', `report: ${name} is not what mtcopy ${result.command} prints: ${why}`, { cause });
  }
}

/** What a text has where a member was missing, or was none. */
const MISSING = /\bundefined\b|\[object Object\]/;

/** @throws Error for a table or a paragraph that is of something missing */
function checkPart(part: Part): void {
  if (typeof part === 'string') {
    if (MISSING.test(part)) throw new Error(`it lacks what this says: ${part.slice(0, 80)}`);
    return;
  }
  const { texts, numbers, pictures = [], prose = [], rows } = part;
  const heads = [...texts, ...numbers, ...pictures, ...prose];
  const first = texts.length + numbers.length;
  // A page has no picture that text is drawn with.
  const isShown = (column: number) => column < first || column >= first + pictures.length;
  for (const [i, row] of rows.entries()) {
    const at = row.findIndex((cell, column) => isShown(column) && MISSING.test(String(cell)));
    if (at >= 0) throw new Error(`row ${i + 1} of its table lacks '${heads[at]}', or has it otherwise`);
  }
}
