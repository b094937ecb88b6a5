import { formatSize } from 'mtcopy';
import type { Breakdown, CyclesPerPage, DmaSetups, PageNs } from 'mtcopy/experiments';
import { distinct, onOneScale } from '../charts.js';
import { type PartOf, timeStack } from '../stack.js';
import type { ChartsOf } from './tables.js';

type Cycles = CyclesPerPage['rows'][number];
const CYCLES: readonly PartOf<Cycles>[] = [
  { name: 'folio_copy', colour: 2, of: ({ folioCopyNs }) => folioCopyNs.mean },
  {
    name: 'rest of migrate_pages',
    colour: 6,
    of: ({ folioCopyNs, migratePagesNs }) => Math.max(0, migratePagesNs.mean - folioCopyNs.mean),
  },
];

export const cyclesCharts: ChartsOf<CyclesPerPage> = (tables) =>
  onOneScale(
    tables.flatMap(({ file, table }) => {
      const { rows } = table.measured;
      if (rows.length === 0) return [];
      const title = `${file}Time of migrate_pages() for each page, by bytes moved and kernel`;
      const labelOf = ({ moved, kernel }: Cycles) => `${moved}, ${kernel}`;
      return [timeStack(rows, CYCLES, { title, caption: '. Means of the runs.', category: 'moved', labelOf })];
    }),
  );

type Setups = DmaSetups['rows'][number];
const SETUPS: readonly PartOf<Setups>[] = [
  { name: 'map', colour: 0, of: ({ mapNs }) => mapNs },
  { name: 'submit', colour: 1, of: ({ submitNs }) => submitNs },
  { name: 'unmap', colour: 2, of: ({ unmapNs }) => unmapNs },
];

export const dmaSetupCharts: ChartsOf<DmaSetups> = (tables) =>
  onOneScale(
    tables.flatMap(({ file, table }) => {
      const { rows } = table.measured;
      if (rows.length === 0) return [];
      const title = `${file}Set-up of a DMA copy, a batch at once and a folio at a time`;
      const caption = '. CPU time of the calling thread, medians of the runs.';
      const labelOf = ({ iommu, setup }: Setups) => `${iommu}, ${setup}`;
      return [timeStack(rows, SETUPS, { title, caption, category: 'moved', labelOf })];
    }),
  );

type Steps = Breakdown['steps'][number];
const STEPS: readonly (PartOf<PageNs> & { readonly name: string })[] = [
  { name: 'lock', colour: 7, of: ({ lock }) => lock },
  { name: 'allocate', colour: 4, of: ({ allocate }) => allocate },
  { name: 'try_to_migrate', colour: 0, of: ({ tryToMigrate }) => tryToMigrate },
  { name: 'copy', colour: 2, of: ({ copy }) => copy },
  { name: 'metadata', colour: 5, of: ({ metadata }) => metadata },
  { name: 'remove_migration_ptes', colour: 1, of: ({ removeMigrationPtes }) => removeMigrationPtes },
  { name: 'free', colour: 3, of: ({ free }) => free },
  { name: 'else', colour: 6, of: ({ isolate, flush, other }) => isolate + flush + Math.max(0, other) },
];
const STEP_PARTS: readonly PartOf<Steps>[] = STEPS.map(({ name, colour, of }) => ({
  name,
  colour,
  of: ({ pageNs }) => of(pageNs),
}));

/** The steps of a migration, a chart for each folio size and file. */
export const breakdownCharts: ChartsOf<Breakdown> = (tables) => {
  const sizes = distinct(tables.flatMap(({ table }) => table.measured.steps.map(({ folioBytes }) => folioBytes)));
  return sizes.flatMap((folioBytes) =>
    onOneScale(
      tables.flatMap(({ file, table }) => {
        const rows = table.measured.steps.filter((row) => row.folioBytes === folioBytes);
        if (rows.length === 0) return [];
        const title = `${file}Steps of a migration, folios of ${formatSize(folioBytes)}`;
        const caption = '. Page cache that so many address spaces map; medians of the runs. Steps are estimates.';
        return [timeStack(rows, STEP_PARTS, { title, caption, category: 'moved', labelOf: labelOfSteps })];
      }),
    ),
  );
};

function labelOfSteps({ mappings, migrator }: Steps): string {
  return `mapped by ${mappings === 0 ? 'none' : mappings}, ${migrator}`;
}
