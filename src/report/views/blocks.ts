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
export function readable<T>({ name, result }: Source, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const why = (cause as Error).message;
    throw new ErrnoError('EIO', `report: ${name} is not what mtcopy ${result.command} prints: ${why}`, { cause });
  }
}
