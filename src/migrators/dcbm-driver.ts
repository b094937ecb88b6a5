import type { DeviceModel } from '../dma/device.js';
import { checkHardware, DmaEngine, type DmaHardware } from '../dma/engine.js';
import { ErrnoError } from '../errno.js';
import type { Folio } from '../memory/folio.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { createDcbmMigrator, type DcbmMigrator, type DcbmOptions } from './dcbm.js';
import { setPrivate } from './dcbm-seal.js';
import type { OffloadDriver } from './offload-switch.js';

/**
 * The driver of `'dcbm'`: its migrator, which is the same one for ever and has the settings, and the engine of the machine's
 * DMA device, opened when it is first wanted.
 */
export class DcbmDriver implements OffloadDriver {
  readonly migrator: DcbmMigrator;
  /** With which it copies. */
  readonly device: DeviceModel;
  readonly #memory: PhysicalMemory;
  readonly #open: () => Promise<DmaEngine>;
  #engine: DmaEngine | undefined;
  #opening: Promise<DmaEngine> | undefined;
  #isClosed = false;

  /** @throws ErrnoError EINVAL for a wrong option or setting; ENODEV for a device that isn't modelled */
  constructor(memory: PhysicalMemory, asked: DmaHardware = {}, settings: DcbmOptions = {}) {
    const { hardware, device } = checkHardware(asked, 'dma');
    this.device = device;
    this.#memory = memory;
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
