import { FLOWS, MAX_BATCH_LIMIT, type MachineManner, MIGRATOR_NAMES } from '../migrate/settings.js';
import type { OffloadDrivers } from '../migrators/offload-switch.js';
import { STORES } from '../words.js';
import { type Attributes, numberFile, wordFile } from './attribute.js';
import type { Offloading } from './drivers.js';
import { parseWord } from './parse.js';

/** The files of `/sys/kernel/mm/migration`. */
export function migrationFiles(offloading: Offloading, drivers: OffloadDrivers, manner: MachineManner): Attributes {
  const { offload, offloadSwitch } = offloading;
  return {
    offload_migrator: {
      doc: 'what copies: kernel, the calling thread; mtcopy, threads; dcbm, DMA channels. A write waits for what did',
      // A program's own migrator has a name of its own.
      show: () => offload.active?.name ?? 'kernel',
      store(text, name) {
        const migrator = parseWord(name, text, MIGRATOR_NAMES);
        return offloadSwitch.switchTo(migrator === 'kernel' ? undefined : drivers[migrator]);
      },
    },
    flow: wordFile(manner, 'flow', `in which order a batch goes through its steps: ${FLOWS.join(', ')}`, FLOWS),
    max_batch: numberFile(manner, 'batchLimit', 'pages or folios of a batch at most', [1, MAX_BATCH_LIMIT]),
    demotion_stores: wordFile(
      manner,
      'demotionStores',
      'whether what demotions copy is kept in the caches: cached; streaming, past them; auto, by all that the call moves',
      STORES,
    ),
  };
}
