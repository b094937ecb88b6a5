import { MAX_THREADS } from '../check.js';
import { DMA_WAITS } from '../dma/channel.js';
import type { DeviceModel } from '../dma/device.js';
import { invalid } from '../errno.js';
import type { OffloadRegistry } from '../migrate/offload.js';
import { formatReasonMask, parseReasonMask } from '../migrate/reasons.js';
import type { CpuMt } from '../migrators/cpu-mt.js';
import { type DcbmMigrator, DMA_SETUPS, MAX_DMA_CHANNELS, MAX_TIMEOUT_MS } from '../migrators/dcbm.js';
import type { OffloadDriver, OffloadSwitch } from '../migrators/offload-switch.js';
import { CALLER_MODES, SCHEDULES } from '../words.js';
import { type Attribute, type Attributes, numberFile, switchFile, wordFile } from './attribute.js';
import { MAX_U32, parseUint } from './parse.js';

/** What turns a machine's drivers on and off. */
export interface Offloading {
  readonly offload: OffloadRegistry;
  readonly offloadSwitch: OffloadSwitch;
}

/** A driver of which a batch may be too small. */
type ThresholdDriver = OffloadDriver & { readonly migrator: { minFolios: number; minBytes: number } };

/** The files of `/sys/kernel/cpu_mt`. */
export function cpuMtFiles(offloading: Offloading, cpuMt: CpuMt): Attributes {
  const schedule = wordFile(
    cpuMt,
    'schedule',
    'how threads share a batch: static, a list each that is fixed beforehand; dynamic, the next items',
    SCHEDULES,
  );
  return {
    ...switchFiles(offloading, cpuMt),
    threads: numberFile(cpuMt, 'threads', 'worker threads that copy a batch, 1 to 64', [1, MAX_THREADS]),
    ...thresholdFiles(cpuMt),
    schedule: {
      ...schedule,
      async store(text, name) {
        const before = cpuMt.schedule;
        await schedule.store?.(text, name);
        if (!offloading.offloadSwitch.isOn(cpuMt)) return;
        // What is on has its threads.
        await cpuMt.ready().catch((error) => {
          cpuMt.schedule = before;
          throw error;
        });
      },
    },
    saturation_gate: switchFile(
      cpuMt.migrator,
      'saturationGate',
      '1: declines batches while every core of the host is busy, 0: never for that',
    ),
    caller: wordFile(
      cpuMt,
      'caller',
      'whether the calling thread copies too: helps; or not: waits, auto',
      CALLER_MODES,
    ),
  };
}

/** The files of `/sys/kernel/dcbm`. */
export function dcbmFiles(
  offloading: Offloading,
  driver: OffloadDriver & { readonly migrator: DcbmMigrator; readonly device: DeviceModel },
): Attributes {
  const { migrator, device } = driver;
  return {
    ...switchFiles(offloading, driver),
    nr_dma_chan: numberFile(migrator, 'nrDmaChan', 'channels that share a batch, 1 to 16', [1, MAX_DMA_CHANNELS]),
    ...thresholdFiles(driver),
    setup: wordFile(
      migrator,
      'setup',
      'how a batch is set up: batch, one mapping and one completion; per-folio, one of each for every folio',
      DMA_SETUPS,
    ),
    wait: wordFile(migrator, 'wait', 'how completions are waited for: sleep, until an interrupt; poll', DMA_WAITS),
    cpu_share: cpuShareFile(migrator),
    timeout_ms: numberFile(migrator, 'timeoutMs', 'milliseconds until a channel that does not answer is given up', [
      1,
      MAX_TIMEOUT_MS,
    ]),
    queue_depth: numberFile(migrator, 'queueDepth', 'descriptors that a channel has in flight at most', [
      1,
      device.queueDepth,
    ]),
    folios_migrated: counterFile(migrator, 'foliosMigrated', 'folios that channels have copied'),
    folios_failures: counterFile(migrator, 'foliosFailures', 'folios that channels were to copy and did not'),
  };
}

/** A file for a counter, which a write of anything resets. */
function counterFile<Key extends string>(owner: { [K in Key]: number }, key: Key, doc: string): Attribute {
  return {
    doc: `${doc}; a write sets it to 0`,
    show: () => String(owner[key]),
    store() {
      owner[key] = 0;
    },
  };
}

/** A share of each batch: `auto`, or hundredths. */
function cpuShareFile(migrator: DcbmMigrator): Attribute {
  return {
    doc: 'percent of a batch that the calling thread copies meanwhile, 0 to 100, or auto: by how long it waited',
    show: () => (migrator.cpuShare === 'auto' ? 'auto' : String(Math.round(migrator.cpuShare * 100))),
    store(text, name) {
      if (text === 'auto' || text === 'auto\n') migrator.cpuShare = 'auto';
      else if (!/^\+?\d/.test(text)) throw invalid(name, 'must be auto, or percent from 0 to 100', text);
      else migrator.cpuShare = parseUint(name, text, 0, 100) / 100;
    },
  };
}

/** The files that every driver has: whether it copies, and what is migrated for which reasons. */
export function switchFiles({ offload, offloadSwitch }: Offloading, driver: OffloadDriver): Attributes {
  return {
    offloading: {
      doc: `1: ${driver.migrator.name} copies what is migrated, 0: it doesn't; a write of 0 waits for its copies`,
      show: () => (offloadSwitch.isOn(driver) ? '1' : '0'),
      store(text, name) {
        const isOn = parseUint(name, text, 0, 1) === 1;
        return isOn ? offloadSwitch.turnOn(driver) : offloadSwitch.turnOff(driver);
      },
    },
    reason_mask: reasonMaskFile(offload, driver),
  };
}

/** The files for the smallest batch that a driver takes. */
function thresholdFiles({ migrator }: ThresholdDriver): Attributes {
  const otherwise = 'a smaller one the calling thread copies';
  return {
    min_folios: numberFile(migrator, 'minFolios', `folios of the smallest batch that it copies, from 1; ${otherwise}`, [
      1,
      MAX_U32,
    ]),
    min_bytes: numberFile(migrator, 'minBytes', `bytes of the smallest batch that it copies; ${otherwise}`),
  };
}

function reasonMaskFile(offload: OffloadRegistry, { migrator }: OffloadDriver): Attribute {
  return {
    doc: 'reasons for which it copies while it is on: names with commas between, all, none, or a number',
    show: () => formatReasonMask(offload.maskOf(migrator)),
    store: (text, name) => offload.setMaskOf(migrator, parseReasonMask(text, name)),
  };
}
