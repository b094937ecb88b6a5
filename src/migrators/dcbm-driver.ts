import { checkHardware, DmaEngine, type DmaHardware, deviceOf } from '../dma/engine.js';
import { ErrnoError, invalid } from '../errno.js';
import type { Folio } from '../memory/folio.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { createDcbmMigrator, type DcbmMigrator, type DcbmOptions, type DcbmSettings } from './dcbm.js';
import { setPrivate } from './dcbm-seal.js';
import type { OffloadDriver } from './offload-switch.js';

/**
 * The driver of `'dcbm'`: its migrator, which is the same one for ever and has the settings, and the engine of the machine's
 * DMA device, opened when it is first wanted.
 */
export class DcbmDriver implements OffloadDriver {
  readonly migrator: DcbmMigrator;
  readonly #memory: PhysicalMemory;
  readonly #open: () => Promise<DmaEngine>;
  #engine: DmaEngine | undefined;
  #opening: Promise<DmaEngine> | undefined;
  #isClosed = false;

  /** @throws ErrnoError EINVAL for a wrong option or setting; ENODEV for a device that isn't modelled */
  constructor(memory: PhysicalMemory, hardware: DmaHardware = {}, settings: DcbmOptions = {}) {
    // What the caller changes later changes no device.
    const own = checkHardware(hardware);
    const device = deviceOf(own);
    this.#memory = memory;
    this.#open = () => DmaEngine.create({ ...own, memory });
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
    const wanted = Math.min(this.migrator.nrDmaChan, engine.freeChannels);
    const channels = Array.from({ length: wanted }, () => engine.request());
    try {
      await Promise.all(channels.map((channel) => channel.ready()));
    } finally {
      for (const channel of channels.reverse()) engine.release(channel);
    }
  }

  /**
   * Makes a folio private to the device, or plain again.
   *
   * @throws ErrnoError EOPNOTSUPP if the device has no key; and what {@link setPrivate} and {@link DmaEngine.seal} say
   */
  async setPrivate(folio: Folio, isPrivate: boolean): Promise<void> {
    const { copiesPrivate, timeoutMs } = this.migrator;
    if (!copiesPrivate)
      throw new ErrnoError('EOPNOTSUPP', 'the DMA device has no key: boot a machine with dma: { key }');
    await setPrivate(this.#memory, folio, isPrivate, async (address, bytes) => {
      const engine = await this.#ready();
      await (isPrivate ? engine.seal(address, bytes, timeoutMs) : engine.unseal(address, bytes, timeoutMs));
    });
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
