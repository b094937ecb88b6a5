import { DmaEngine, type DmaHardware, deviceOf } from '../dma/engine.js';
import { ErrnoError, invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { createDcbmMigrator, type DcbmMigrator, type DcbmOptions, type DcbmSettings } from './dcbm.js';
import type { OffloadDriver } from './offload-switch.js';

/**
 * The driver of `'dcbm'`: its migrator, which is the same one for ever and has the settings, and the engine of the machine's
 * DMA device, opened when it is first wanted.
 */
export class DcbmDriver implements OffloadDriver {
  readonly migrator: DcbmMigrator;
  readonly #open: () => Promise<DmaEngine>;
  #engine: DmaEngine | undefined;
  #opening: Promise<DmaEngine> | undefined;
  #isClosed = false;

  /** @throws ErrnoError EINVAL for a wrong option or setting; ENODEV for a device that isn't modelled */
  constructor(memory: PhysicalMemory, hardware: DmaHardware = {}, settings: DcbmOptions = {}) {
    const device = deviceOf(hardware);
    this.#open = () => DmaEngine.create({ ...hardware, memory });
    this.migrator = createDcbmMigrator({ device, engine: () => this.#engine ?? this.#ready() }, memory);
    set(this.migrator, settings);
  }

  /**
   * Has the channels' threads started.
   *
   * @throws ErrnoError EAGAIN if they can't be; ENOENT if the files of threads are missing; ESHUTDOWN once it is closed
   */
  async ready(): Promise<void> {
    const engine = await this.#ready();
    await engine.ready(this.migrator.nrDmaChan);
  }

  /** Ends the channels; what they still have is given up. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => {});
    await this.#engine?.close();
  }

  #ready(): Promise<DmaEngine> {
    if (this.#isClosed) throw new ErrnoError('ESHUTDOWN', 'the machine is closed: boot another');
    this.#opening ??= this.#open().then(
      (engine) => {
        this.#engine = engine;
        return engine;
      },
      (error) => {
        // The next batch may have more luck.
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }
}

function set(migrator: DcbmMigrator, settings: DcbmOptions): void {
  if (settings === null || typeof settings !== 'object') throw invalid('dcbm', 'must be an object', settings);
  for (const [name, value] of Object.entries(settings)) {
    if (!SETTABLE.has(name)) throw invalid('dcbm', `must be ${[...SETTABLE].join(', ')}`, name);
    if (value !== undefined) Object.assign(migrator, { [name]: value });
  }
}

const SETTABLE: ReadonlySet<string> = new Set<keyof DcbmSettings>([
  'nrDmaChan',
  'setup',
  'wait',
  'cpuShare',
  'timeoutMs',
  'minFolios',
  'minBytes',
  'queueDepth',
]);
