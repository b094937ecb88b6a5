import { ERRNO, ErrnoError, errnoName } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { DmaChannel, MemcpyMode } from './channel.js';
import type { DmaDirection } from './sg-table.js';

/** What of a DMA engine it takes: see there. */
interface SealEngine {
  request(capability: 'private'): DmaChannel;
  release(channel: DmaChannel): void;
  mapSingle(address: number, bytes: number, direction: DmaDirection): number;
  unmapSingle(dma: number, address: number, bytes: number, direction: DmaDirection): void | Promise<void>;
}

/** Bytes that are sealed, or unsealed, where they stand. */
export interface SealRequest {
  readonly mode: MemcpyMode & ('seal' | 'unseal');
  /** Physical, in bytes. */
  readonly address: number;
  readonly bytes: number;
  /** Milliseconds that the channel may take. */
  readonly timeoutMs: number;
}

/**
 * Has a channel of a device scramble a range, or unscramble it: all of it, or it is what it was. The caller owns the bytes
 * meanwhile.
 *
 * @throws ErrnoError as the engine's `seal`
 */
export async function sealInPlace(
  engine: SealEngine,
  { bytes: memory }: PhysicalMemory,
  request: SealRequest,
): Promise<void> {
  const channel = engine.request('private');
  try {
    await channel.ready();
    await mapped(engine, request, 'to-device', (from) =>
      mapped(engine, request, 'from-device', async (to) => {
        const { address, bytes, mode } = request;
        const before = memory.slice(address, address + bytes);
        const errno = await runOn(channel, to, from, request);
        if (errno === 0) return;
        // The channel may have been ended in the middle, and touches them no more.
        memory.set(before, address);
        const code = errnoName(errno) ?? 'EIO';
        throw new ErrnoError(code, `device: did not ${mode} ${bytes} bytes from ${address}, which are as they were`);
      }),
    );
  } finally {
    engine.release(channel);
  }
}

async function mapped(
  engine: SealEngine,
  { address, bytes }: SealRequest,
  direction: DmaDirection,
  run: (dma: number) => Promise<void>,
): Promise<void> {
  const dma = engine.mapSingle(address, bytes, direction);
  try {
    await run(dma);
  } finally {
    await engine.unmapSingle(dma, address, bytes, direction);
  }
}

/** Runs the one descriptor. Returns its errno; by then the channel touches nothing any more. */
async function runOn(
  channel: DmaChannel,
  to: number,
  from: number,
  { bytes, mode, timeoutMs }: SealRequest,
): Promise<number> {
  let outcome = -1;
  const note = (_cookie: number, _result: number, errno: number) => {
    outcome = errno;
  };
  const cookie = channel.submit(channel.prepMemcpy(to, from, bytes, true, note, mode));
  if (cookie < 0) return -cookie;
  channel.issuePending();
  await channel.completions(timeoutMs);
  if (outcome >= 0) return outcome;
  await channel.terminate();
  // Unless it was complete after all.
  return outcome === ERRNO.ECANCELED ? ERRNO.ETIMEDOUT : outcome;
}
