import type { DeviceModel } from '../dma/device.js';
import { checkHardware, DmaEngine, type DmaHardware } from '../dma/engine.js';
import { ErrnoError } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { createDcbmMigrator, type DcbmMigrator, type DcbmOptions } from './dcbm.js';
import type { OffloadDriver } from './offload-switch.js';

/**
 * The driver of `'dcbm'`: its migrator, which is the same one for ever and has the settings, and the engine of the machine's
 * DMA device, opened when it is first wanted.
 */
export class DcbmDriver implements OffloadDriver {
  readonly migrator: DcbmMigrator;
  /** With which it copies. */
  readonly device: DeviceModel;
  readonly #open: () => Promise<DmaEngine>;
  #engine: DmaEngine | undefined;
  #opening: Promise<DmaEngine> | undefined;
  #isClosed = false;

  /** @throws ErrnoError EINVAL for a wrong option or setting; ENODEV for a device that isn't modelled */
  constructor(memory: PhysicalMemory, asked: DmaHardware = {}, settings: DcbmOptions = {}) {
    const { hardware, device } = checkHardware(asked);
    this.device = device;
    this.#open = () => DmaEngine.create({ ...hardware, memory });
    this.migrator = createDcbmMigrator({ device, engine: () => this.#engine ?? this.#ready() }, memory, settings);
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
