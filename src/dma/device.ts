import { type Checks, checkOptions, numberFrom, wholeNumber } from '../check.js';
import { ErrnoError, invalid, show } from '../errno.js';

/**
 * What a channel can do: copy a range, or the ranges of one scatter-gather table to those of another; or copy what is private
 * to the device, with its key.
 */
export type DmaCapability = 'memcpy' | 'memcpy-sg' | 'private';

/** A DMA device, as its driver sees it. */
export interface DeviceModel {
  /** What it models. */
  readonly name: string;
  /** Channels that it has. */
  readonly channels: number;
  /** What each of them can do. */
  readonly capabilities: readonly DmaCapability[];
  /** Engines that share a channel's queue. With more than one, descriptors complete in any order. */
  readonly engines: number;
  /** Whether it raises an interrupt for every descriptor, wanted or not. */
  readonly interruptEach: boolean;
  /** How its completions are looked for unless the caller says otherwise: by interrupts, or by polling the records. */
  readonly completion: 'interrupt' | 'poll';
  /** Descriptors that a channel's queue has room for. */
  readonly queueDepth: number;
  /** Bytes a second that a channel copies at most; `Infinity` for what this machine's memory gives. */
  readonly bandwidth: number;
  /** Nanoseconds that a channel spends on a descriptor beside its bytes. */
  readonly descriptorNs: number;
}

/** What of a device can be set; what is out of its range is EINVAL. */
export interface DeviceParameters {
  /** Channels, 1 to 64. Default: as the device has them, 16 of a `'ptdma'` and 8 of the others. */
  channels?: number | undefined;
  /** Descriptors that a channel's queue has room for, 1 to 16,384. Default: 128 of a `'dsa'`, 1,024 of the others. */
  queueDepth?: number | undefined;
  /** Bytes a second that a channel copies at most, above 0. Default: what this machine's memory gives. */
  bandwidth?: number | undefined;
  /** Nanoseconds that a channel spends on a descriptor beside its bytes. Default: 0, and what this machine takes. */
  descriptorNs?: number | undefined;
}

const FAST = { bandwidth: Number.POSITIVE_INFINITY, descriptorNs: 0 };

/** The name of a device that is modelled: one of {@link DMA_DEVICES}. */
export type DmaDeviceName = 'ptdma' | 'dsa' | 'sdxi';

/**
 * Devices that are modelled, without their speed. `ptdma`: AMD's pass-through DMA, in order, with an interrupt for each
 * descriptor; its driver queues what the hardware has no room for. `dsa`: Intel's Data Streaming Accelerator, whose work
 * queues are shared by engines, so that completion records are written in any order, and polled. `sdxi`: SNIA's Smart Data
 * Accelerator Interface, whose descriptors may run at once unless fenced, and whose completion is a signal.
 */
export const DMA_DEVICES: Readonly<Record<DmaDeviceName, DeviceModel>> = {
  ptdma: {
    name: 'ptdma',
    channels: 16,
    capabilities: ['memcpy'],
    engines: 1,
    interruptEach: true,
    completion: 'interrupt',
    queueDepth: 1024,
    ...FAST,
  },
  dsa: {
    name: 'dsa',
    channels: 8,
    capabilities: ['memcpy', 'memcpy-sg'],
    engines: 4,
    interruptEach: false,
    completion: 'poll',
    queueDepth: 128,
    ...FAST,
  },
  sdxi: {
    name: 'sdxi',
    channels: 8,
    capabilities: ['memcpy', 'memcpy-sg'],
    engines: 2,
    interruptEach: false,
    completion: 'interrupt',
    queueDepth: 1024,
    ...FAST,
  },
};

/** The most channels of a device, and descriptors of a channel's queue. */
const MAX_CHANNELS = 64;
const MAX_QUEUE_DEPTH = 16_384;

const PARAMETERS: Checks<DeviceParameters> = {
  channels: wholeNumber(1, MAX_CHANNELS),
  queueDepth: wholeNumber(1, MAX_QUEUE_DEPTH),
  bandwidth: (name, value) => {
    if (typeof value !== 'number' || !(value > 0)) throw invalid(name, 'must be bytes a second, above 0', value);
  },
  descriptorNs: numberFrom(0, 1e9),
};

/**
 * A device by its name, with what is set of it.
 *
 * @throws ErrnoError ENODEV for a name that is none; EINVAL for a parameter out of its range, or one that doesn't exist
 */
export function createDevice(name: DmaDeviceName, parameters: DeviceParameters = {}): DeviceModel {
  // A list of one name would pass for that name.
  if (typeof name !== 'string' || !Object.hasOwn(DMA_DEVICES, name)) {
    throw new ErrnoError('ENODEV', `device: must be ${Object.keys(DMA_DEVICES).join(', ')}, got ${show(name)}`);
  }
  return { ...DMA_DEVICES[name], ...(checkOptions(parameters, PARAMETERS) as Partial<DeviceModel>) };
}
