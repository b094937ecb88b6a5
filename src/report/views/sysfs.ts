import type { Section } from '../model/section.js';
import type { SysfsResult } from '../read/result.js';
import type { Source } from '../read/source.js';
import { headingOf } from './blocks.js';

/** Settings have no chart: a table for each file. */
export function sysfsSection(sources: readonly Source<SysfsResult>[]): Section {
  return {
    title: 'mtcopy sysfs',
    charts: [],
    blocks: sources.map((source) => ({
      ...headingOf(source, sources),
      parts: [
        {
          texts: ['/sys/'],
          numbers: [],
          prose: ['value', 'meaning'],
          rows: source.result.files.map(({ path, value, doc }) => [path.replace('/sys/', ''), value, doc]),
        },
      ],
    })),
  };
}
