import { anything, type Checks, checkOptions, numberFrom, oneOf, wholeNumber } from '../check.js';
import { takeListMemory } from '../copy/stream-list.js';
import { openNative } from '../copy/streaming.js';
import { ErrnoError, invalid, show } from '../errno.js';
import { PhysicalMemory } from '../memory/physical-memory.js';
import { Lifetime } from '../threads/lifetime.js';
import { prepareThreads } from '../threads/pool.js';
import { recording, type TracedThreads } from '../trace/recording.js';
import { PAGE_SIZE, type Pfn } from '../units.js';
import { DmaChannel } from './channel.js';
import {
  createDevice,
  type DeviceModel,
  type DeviceParameters,
  type DmaCapability,
  type DmaDeviceName,
} from './device.js';
import type { FaultPlan } from './faults.js';
import { Iommu } from './iommu.js';
import { type SealRequest, sealInPlace } from './seal.js';
import type { DmaDirection, SgTable } from './sg-table.js';
import { SEQUENCE_MASK } from './worker/ring.js';
import type { IommuMode } from './worker/translate.js';

/** How long a released channel's thread goes on to look for descriptors, in milliseconds. */
const REST_MS = 100;
/** Of the list that a channel's thread copies with, in the physical memory: room for 16 pages. */
const LIST_BYTES = 256;
/** How long a channel may take to seal a range, in milliseconds. */
const SEAL_TIMEOUT_MS = 10_000;

/** A DMA device of a machine, and what stands between it and the memory. What is out of its range is EINVAL. */
export interface DmaHardware extends DeviceParameters {
  /** What the device models, one of {@link DMA_DEVICES}: ENODEV for another. Default: `'ptdma'`. */
  device?: DmaDeviceName | undefined;
  /**
   * What stands between the device and the memory. `'none'`: addresses are physical, and all of every node's memory can be
   * reached. `'passthrough'`: addresses are physical, and only what is mapped can be. `'translated'`: addresses are of the
   * device's own, and lead through an I/O page table. Default: `'none'`.
   */
  iommu?: IommuMode | undefined;
  /**
   * The key of the memory that is private to the device, 1 to 2^32 - 1: it can then copy such memory, `'private'`. Nobody but
   * its channels' threads has the key. Default: none.
   */
  key?: number | undefined;
}

/** Options of {@link DmaEngine.create}. */
export interface DmaEngineOptions extends DmaHardware {
  /** The memory that the device copies in. It outlives the engine. */
  memory: PhysicalMemory;
  /** @internal Sequence number of each channel's first descriptor. */
  firstSequence?: number | undefined;
}

const checkCount = wholeNumber(1, Number.POSITIVE_INFINITY);
const checkMs = numberFrom(0, Number.POSITIVE_INFINITY);

/** What can stand between a device and the memory: names of {@link IommuMode}. */
export const IOMMU_MODES = ['none', 'passthrough', 'translated'] as const satisfies readonly IommuMode[];

const HARDWARE: Checks<DmaHardware> = {
  device: anything,
  iommu: oneOf(IOMMU_MODES),
  key: wholeNumber(1, 2 ** 32 - 1),
  channels: anything,
  queueDepth: anything,
  bandwidth: anything,
  descriptorNs: anything,
};
const OPTIONS: Checks<DmaEngineOptions> = {
  ...HARDWARE,
  memory: (name, value) => {
    if (!PhysicalMemory.is(value)) throw invalid(name, 'must be a PhysicalMemory', value);
  },
  firstSequence: wholeNumber(0, SEQUENCE_MASK),
};

/**
 * Some hardware as it is now, whatever becomes of the object that says it, and the device that it is.
 *
 * @param what an error calls it
 * @throws ErrnoError EINVAL for a wrong option; ENODEV for a device that isn't modelled
 */
export function checkHardware(
  asked: DmaHardware,
  what?: string,
): { readonly hardware: DmaHardware; readonly device: DeviceModel } {
  const hardware = checkOptions(asked, HARDWARE, [], what);
  const { device: name = 'ptdma', iommu: _, key, ...parameters } = hardware;
  const device = createDevice(name, parameters);
  if (key === undefined) return { hardware, device };
  return { hardware, device: { ...device, capabilities: [...device.capabilities, 'private'] } };
}

/**
 * A DMA device, with as many threads as channels are used: they move the bytes, and the thread that made the engine maps,
 * submits and waits. As the kernel's dmaengine, it gives whole channels to those who request them. Who made it closes it.
 *
 * A memory may have several; a `Machine` has one of its own, of which `'dcbm'` has the channels.
 */
export class DmaEngine {
  /** The device, with what was set of it. */
  readonly device: DeviceModel;
  /** What stands between it and the memory. */
  readonly iommu: IommuMode;
  /** @internal What a test has go wrong. */
  faults: FaultPlan | undefined;
  readonly #memory: PhysicalMemory;
  readonly #iommu: Iommu;
  readonly #channels: DmaChannel[];
  /** Channels that nobody has, the one to give next last. */
  readonly #free: DmaChannel[];
  /** Where the lists of its channels are, if its threads have the loop in C. */
  #lists: Pfn | undefined;
  readonly #lifetime = new Lifetime('the DMA engine is closed: create another');
  /** What its threads record; `undefined` if nobody traced when it was made. */
  readonly #traced: TracedThreads | undefined;
  #restTimer: NodeJS.Timeout | undefined;
  /** The end of what is sealed and unsealed so far: one range after the other, for which one channel will do. */
  #sealing: Promise<void> = Promise.resolve();

  /**
   * Makes a device; threads are started when channels are used.
   *
   * @throws ErrnoError EINVAL for a wrong option; ENODEV for a device that isn't modelled; ENOENT if the files of threads are
   * missing
   */
  static async create(options: DmaEngineOptions): Promise<DmaEngine> {
    const { memory, firstSequence = 0, ...asked } = checkOptions(options, OPTIONS, ['memory']);
    const { hardware, device } = checkHardware(asked);
    await prepareThreads();
    return new DmaEngine(memory, device, hardware, firstSequence);
  }

  private constructor(
    memory: PhysicalMemory,
    device: DeviceModel,
    { iommu = 'none', key = 0 }: DmaHardware,
    firstSequence: number,
  ) {
    this.device = device;
    this.iommu = iommu;
    this.#memory = memory;
    this.#iommu = new Iommu({
      mode: iommu,
      memory,
      during: (run) => this.#lifetime.during(run),
    });
    const { bandwidth, descriptorNs, engines, interruptEach } = device;
    const { wasm, poisonAddress } = memory;
    this.#traced = recording?.attach('dma', device.channels);
    const setup = {
      trace: this.#traced?.setup,
      memory: wasm,
      poisonAddress,
      iommu: this.#iommu.area,
      engines,
      interruptEach,
      bandwidth,
      descriptorNs,
      key,
    };
    const { path } = openNative();
    const lists = path === undefined ? undefined : takeListMemory(memory, device.channels * LIST_BYTES);
    this.#lists = lists;
    const streamOf = (number: number) => {
      if (path === undefined || lists === undefined) return undefined;
      return { path, address: lists * PAGE_SIZE + number * LIST_BYTES, bytes: LIST_BYTES };
    };
    const lifetime = this.#lifetime;
    const faults = () => this.faults;
    this.#channels = Array.from(
      { length: device.channels },
      (_, number) =>
        new DmaChannel({
          number,
          device,
          setup: { ...setup, stream: streamOf(number) },
          lifetime,
          faults,
          firstSequence,
        }),
    );
    for (const { words } of this.#channels) this.#iommu.addChannel(words);
    this.#free = this.#channels.toReversed();
  }

  /** Channels that nobody has. */
  get freeChannels(): number {
    return this.#free.length;
  }

  /**
   * A channel that can do something, for the caller alone until it is released (dma_request_chan_by_mask).
   *
   * @throws ErrnoError ENODEV if the device has none that is free, or none that can; ESHUTDOWN if the engine is closed
   */
  request(capability: DmaCapability = 'memcpy'): DmaChannel {
    this.#lifetime.checkOpen();
    if (!this.device.capabilities.includes(capability)) {
      throw new ErrnoError('ENODEV', `device: a ${this.device.name} has no channel that can do ${show(capability)}`);
    }
    const served = this.#free.findLastIndex(({ isServed }) => isServed);
    // One whose thread is there before one whose thread may not start.
    const [channel] = this.#free.splice(served, 1);
    if (!channel) throw new ErrnoError('ENODEV', `all ${this.device.channels} channels are in use: release one`);
    return channel;
  }

  /**
   * Has the threads of the channels started that are given next, up to `count`, and takes none of them.
   *
   * @param count 1 or more; fewer are started if fewer are free
   * @throws ErrnoError EINVAL for another count; EAGAIN if they can't be; ESHUTDOWN if the engine is closed
   */
  async ready(count: number): Promise<void> {
    this.#lifetime.checkOpen();
    checkCount('count', count);
    try {
      await Promise.all(this.#free.slice(-count).map((channel) => channel.ready()));
    } finally {
      this.#restLater();
    }
  }

  /**
   * Gives a channel back (dma_release_channel).
   *
   * @throws ErrnoError EBUSY while descriptors are in flight: wait for them, or terminate them; EINVAL for what is no channel
   * that was requested here
   */
  release(channel: DmaChannel): void {
    if (!this.#channels.includes(channel) || this.#free.includes(channel)) {
      throw invalid('channel', 'must be one that was requested of this engine', channel);
    }
    if (channel.inFlight > 0) {
      throw new ErrnoError('EBUSY', `channel ${channel.number} has ${channel.inFlight} descriptors in flight`);
    }
    channel.forget();
    this.#free.push(channel);
    this.#restLater();
  }

  /**
   * Maps all ranges of a table for the device (dma_map_sgtable), or none, and fills in its device addresses. The device can
   * read what is mapped `'to-device'`, and write what is mapped `'from-device'`, until {@link unmapSg}. The engine keeps the
   * table until then, and nobody changes its arrays. Without an IOMMU nothing is kept out: the device reaches all of the nodes'
   * memory, mapped or not.
   *
   * @throws ErrnoError EINVAL if it is mapped already, a range is empty or not in a node's memory, or for another direction;
   * ENOMEM if there is no range of I/O addresses that long
   */
  mapSg(table: SgTable, direction: DmaDirection): void {
    this.#failMap();
    this.#iommu.mapSg(table, direction);
  }

  /**
   * Takes a mapping of {@link mapSg} away (dma_unmap_sgtable). Once this returns, or what it returns has resolved, no
   * channel touches the memory by it any more. No descriptor that uses it may be in flight: it could fail.
   *
   * @throws ErrnoError EINVAL if the table isn't mapped
   */
  unmapSg(table: SgTable): void | Promise<void> {
    return this.#iommu.unmapSg(table);
  }

  /**
   * Maps one range (dma_map_single), which may be mapped several times, and is unmapped as often. As {@link mapSg} otherwise.
   *
   * @param address physical, in bytes
   * @param bytes above 0
   * @returns its device address, in bytes
   */
  mapSingle(address: number, bytes: number, direction: DmaDirection): number {
    this.#failMap();
    return this.#iommu.mapSingle(address, bytes, direction);
  }

  /**
   * Takes a mapping of {@link mapSingle} away (dma_unmap_single), given what that was given and has returned. As
   * {@link unmapSg} otherwise. Where addresses are physical, mappings of one range in one direction have the same address: who
   * unmaps twice takes another's away.
   *
   * @throws ErrnoError EINVAL if that isn't mapped, or no more, or is no range of a node's memory; nothing is unmapped
   */
  unmapSingle(dma: number, address: number, bytes: number, direction: DmaDirection): void | Promise<void> {
    return this.#iommu.unmapSingle(dma, address, bytes, direction);
  }

  /**
   * Makes a range private to the device, where it stands: scrambled by its frames' numbers and the device's key. Ranges are
   * sealed one after the other. The caller owns the bytes meanwhile; after an error they are what they were.
   *
   * @param address physical, in bytes, a multiple of 4
   * @param bytes above 0, a multiple of 4
   * @param timeoutMs milliseconds that the channel may take. Default: 10,000
   * @throws ErrnoError EOPNOTSUPP if the device has no key; EINVAL for what isn't in a node's memory, or no multiple of 4, or no time;
   * ENODEV if all channels are in use; EAGAIN if the channel's thread can't be started; ENOMEM if the range can't be mapped;
   * EHWPOISON if a frame is poisoned; EFAULT or EIO if the device fails; ETIMEDOUT if it doesn't answer; ECANCELED if its
   * channel is lost; ESHUTDOWN if the engine is closed
   */
  seal(address: number, bytes: number, timeoutMs = SEAL_TIMEOUT_MS): Promise<void> {
    return this.#sealInPlace({ mode: 'seal', address, bytes, timeoutMs });
  }

  /** Takes {@link seal} back: the bytes are plain again. As there otherwise. */
  unseal(address: number, bytes: number, timeoutMs = SEAL_TIMEOUT_MS): Promise<void> {
    return this.#sealInPlace({ mode: 'unseal', address, bytes, timeoutMs });
  }

  /**
   * Ends all threads; what is in flight is called back as aborted, and what that throws goes to who waits for the channel's
   * completions, if anybody does. Resolves once no thread touches the memory any more. May
   * be called again, to wait for that.
   */
  close(): Promise<void> {
    const end = async () => {
      clearTimeout(this.#restTimer);
      await Promise.all(this.#channels.map((channel) => channel.close()));
      this.#traced?.detach();
      // It may be called twice.
      if (this.#lists !== undefined) this.#memory.freeContig(this.#lists);
      this.#lists = undefined;
    };
    // At once: what is in flight ends with its channel, and whoever waits for it hears of that.
    return this.#lifetime.close(end, end);
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #sealInPlace(request: SealRequest): Promise<void> {
    this.#lifetime.checkOpen();
    checkMs('timeoutMs', request.timeoutMs);
    if (!this.device.capabilities.includes('private')) {
      throw new ErrnoError('EOPNOTSUPP', `device: a ${this.device.name} without a key has no memory of its own`);
    }
    const turn = this.#sealing.then(() => sealInPlace(this, this.#memory, request));
    this.#sealing = turn.catch(() => {});
    return this.#lifetime.during(() => turn);
  }

  #failMap(): void {
    if (this.faults?.map?.()) throw new ErrnoError('ENOMEM', 'the mapping fails, as a test wants it');
  }

  /** Lets the threads of free channels rest when there is nothing to do: their tasks would keep the process from ending. */
  #restLater(): void {
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => {
      for (const channel of this.#free) channel.rest();
    }, REST_MS).unref();
  }
}
