import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { expect } from 'vitest';
import { DmaEngine, type DmaEngineOptions } from '#src/dma/engine.js';
import { createOffloadUsage, type OffloadBatch } from '#src/migrate/migrator.js';
import { createDcbmMigrator, type DcbmMigrator } from '#src/migrators/dcbm.js';
import { fillRandom, isSame, snapshot } from './bytes.js';

/** Bytes of a physical memory. */
export function at({ bytes }: PhysicalMemory, address: number, length = PAGE_SIZE): Uint8Array {
  return bytes.subarray(address, address + length);
}

/** A batch of folios of some orders: sources of random bytes, targets of others, all over a memory of two nodes. */
export interface Folios {
  readonly memory: PhysicalMemory;
  readonly batch: OffloadBatch;
  /** Fills all of it anew, and forgets the marks. */
  refill(): void;
  /**
   * Expects that what is marked is copied, and what isn't is what it was, or partly copied if that may be; returns how many
   * are marked.
   */
  check(partly?: 'partly'): number;
}

export function createFolios(
  orders: readonly number[],
  memory = PhysicalMemory.create({ nodes: ['32M', '32M'] }),
): Folios {
  const addresses = (node: number) =>
    Uint32Array.from(orders, (order) => memory.allocFolio(order, { node }).pfn * PAGE_SIZE);
  const bytes = Uint32Array.from(orders, (order) => PAGE_SIZE << order);
  const items = { to: addresses(1), from: addresses(0), bytes };
  const batch = {
    items,
    copied: new Uint8Array(orders.length),
    usage: createOffloadUsage(),
    isPrivate: false,
    stores: 'cached' as const,
  };
  let seed = 0;
  let before: Buffer[] = [];
  const refill = () => {
    batch.copied.fill(0);
    before = [];
    for (let i = 0; i < orders.length; i++) {
      fillRandom(at(memory, items.from[i], bytes[i]), ++seed);
      fillRandom(at(memory, items.to[i], bytes[i]), ++seed);
      before.push(snapshot(at(memory, items.to[i], bytes[i])));
    }
  };
  refill();
  return {
    memory,
    batch,
    refill,
    check(partly) {
      const wrong = orders.findIndex((_, i) => {
        if (!batch.copied[i] && partly) return false;
        const expected = batch.copied[i] ? at(memory, items.from[i], bytes[i]) : before[i];
        return !isSame(at(memory, items.to[i], bytes[i]), expected);
      });
      expect(wrong, 'position of a folio whose bytes are not what its mark says').toBe(-1);
      return batch.copied.filter((mark) => mark !== 0).length;
    },
  };
}

/** dcbm over a device on a memory. */
export async function createDcbm(
  options: DmaEngineOptions,
): Promise<{ engine: DmaEngine; dcbm: DcbmMigrator; [Symbol.asyncDispose](): Promise<void> }> {
  const engine = await DmaEngine.create(options);
  const dcbm = createDcbmMigrator({ device: engine.device, engine: () => engine }, options.memory);
  return { engine, dcbm, [Symbol.asyncDispose]: () => engine.close() };
}

/** Expects that the device can read no source, and write to no target. */
export async function expectNothingMapped(engine: DmaEngine, { memory, batch }: Folios): Promise<void> {
  const own = memory.allocFolio(9);
  const address = own.pfn * PAGE_SIZE;
  engine.mapSingle(address, own.size, 'to-device');
  engine.mapSingle(address, own.size, 'from-device');
  const channel = engine.request();
  const results: number[] = [];
  const note = (_: number, result: number) => results.push(result);
  const { to, from, bytes } = batch.items;
  for (let i = 0; i < to.length; i++) {
    channel.submit(channel.prepMemcpy(address, from[i], bytes[i], true, note));
    channel.submit(channel.prepMemcpy(to[i], address, bytes[i], true, note));
  }
  channel.issuePending();
  while (channel.inFlight > 0) await channel.completions(10_000);
  engine.release(channel);
  engine.unmapSingle(address, address, own.size, 'to-device');
  engine.unmapSingle(address, address, own.size, 'from-device');
  own.put();
  expect(results).toEqual(Array.from(to, () => [1, 2]).flat());
}
