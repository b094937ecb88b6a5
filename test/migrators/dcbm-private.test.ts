import { type Area, FLOWS, type Folio, Machine, type MachineOptions } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import type { DescriptorFault, FaultPlan } from '#src/dma/faults.js';
import { ERRNO } from '#src/errno.js';
import { createDcbmMigrator } from '#src/migrators/dcbm.js';
import { setPrivate } from '#src/migrators/dcbm-seal.js';
import { isSame } from '../support/bytes.js';
import { createDcbm, createFolios } from '../support/dma.js';
import { errno } from '../support/errors.js';
import { expectAtRest, expectBytes, filled, folioOf, foliosOf } from '../support/machines.js';
import { pathsOf } from '../support/walk.js';

const KEY = 0x0ddba115;
const PAGES = 24;
/** Every third folio is sealed. */
const SEALED = PAGES / 3;
const isSealed = (page: number) => page % 3 === 0;
/** What loses a channel, with all that it had in flight. */
const LOSES_ALL: ReadonlySet<DescriptorFault> = new Set(['silence', 'die', 'throw']);
const EOPNOTSUPP = -ERRNO.EOPNOTSUPP;
const SIZES = { nodes: ['16M', '16M'], cpus: 0 } satisfies MachineOptions;

/** An area of which some folios are sealed. */
async function boot(options: MachineOptions = {}, folioSize = '4K') {
  const machine = await Machine.boot({ ...SIZES, dma: { key: KEY, iommu: 'translated' }, ...options });
  const length = folioSize === '4K' ? PAGES * 4096 : '4M';
  const area = machine.createAddressSpace().mmap({ length, folioSize, populate: true });
  const bytes = await filled(area);
  const sealed = foliosOf(area).filter((_, i) => isSealed(i));
  await Promise.all(sealed.map((folio) => machine.sealFolio(folio)));
  return { machine, area, bytes };
}

/** Expects that some folios are sealed, and nothing else; and that an area is what it was, once they aren't any more. */
async function expectPlain(machine: Machine, area: Area, bytes: Uint8Array): Promise<void> {
  expectAtRest(area);
  for (const address of area.pages()) {
    const folio = area.mm.folioAt(address) as Folio;
    if (!folio.private) continue;
    const plain = bytes.subarray(address - area.address, address - area.address + folio.size);
    expect(isSame(folio.bytes, plain)).toBe(false);
    await machine.unsealFolio(folio);
    expect(folio.private).toBe(false);
  }
  await expectBytes(area, bytes);
}

/** dcbm over a device of its own, as the machine's, of which things go wrong. */
async function faulty(machine: Machine, faults: FaultPlan) {
  const engine = await DmaEngine.create({ memory: machine.memory, key: KEY, iommu: 'translated' });
  engine.faults = faults;
  const dcbm = createDcbmMigrator({ device: engine.device, engine: () => engine }, machine.memory);
  dcbm.timeoutMs = 200;
  return { dcbm, [Symbol.asyncDispose]: () => engine.close() };
}

/** Answers `fault` for every second descriptor, and nothing for all others; at each, tells of the next whether it fails. */
function everySecond(fault: DescriptorFault, tellNext: (fails: boolean) => void): FaultPlan {
  let fails = true;
  return {
    descriptor() {
      fails = !fails;
      tellNext(!fails);
      return fails ? fault : 'none';
    },
  };
}

describe.each(FLOWS)('%s: sealed folios', (flow) => {
  it('are moved by dcbm, registered for no reason at all, and by nobody’s CPU', async () => {
    const { machine, area, bytes } = await boot({ flow });
    await using _ = machine;
    Object.assign(machine.dcbm, { cpuShare: 1, minFolios: 1000, nrDmaChan: 2 });
    machine.offload.register(machine.dcbm, 'none');
    const { status, stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(new Set(status)).toEqual(new Set([1]));
    expect(stats.movedBy).toEqual([
      { migrator: 'kernel', folios: PAGES - SEALED, bytes: (PAGES - SEALED) * 4096 },
      { migrator: 'dcbm', folios: SEALED, bytes: SEALED * 4096 },
    ]);
    expect([machine.dcbm.foliosMigrated, machine.dcbm.foliosFailures]).toEqual([SEALED, 0]);
    expect(foliosOf(area).map((folio) => folio.private)).toEqual(Array.from({ length: PAGES }, (_, i) => isSealed(i)));
    await expectPlain(machine, area, bytes);
  });

  it.each(['batch', 'per-folio'] as const)('of 2 MiB too, with a set-up by %s', async (setup) => {
    const { machine, area, bytes } = await boot({ flow, dma: { key: KEY, device: 'dsa' } }, '2M');
    await using _ = machine;
    machine.dcbm.setup = setup;
    const { status } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: 'dcbm' });
    expect(new Set(status)).toEqual(new Set([1]));
    await expectPlain(machine, area, bytes);
  });

  it.each(['kernel', 'mtcopy', 'dcbm without a key'] as const)('stay where they are, with %s', async (migrator) => {
    const { machine, area, bytes } = await boot({ flow });
    await using _ = machine;
    await using other = await createDcbm({ memory: machine.memory });
    const named = migrator === 'dcbm without a key' ? other.dcbm : migrator;
    const { status } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: named });
    expect(Array.from(status)).toEqual(Array.from(status, (_, i) => (isSealed(i) ? EOPNOTSUPP : 1)));
    await expectPlain(machine, area, bytes);
  });

  it.each(['read', 'write', 'abort', 'iommu', 'silence', 'die', 'throw'] as const)(
    'stay where they are if their descriptors fail: %s',
    async (fault) => {
      const { machine, area, bytes } = await boot({ flow });
      await using _ = machine;
      const isTogether = flow === 'batch-move' || flow === 'pre-copy';
      const tellNext = (fails: boolean) => {
        // One by one each batch has its own limit: a channel that is to be silent is given up at once, others have time.
        if (fault === 'silence' && !isTogether) made.dcbm.timeoutMs = fails ? 1 : 10_000;
      };
      await using made = await faulty(machine, everySecond(fault, tellNext));
      machine.offload.register(made.dcbm, 'none');
      // Which tries each folio once.
      const options = { node: 1, mode: 'MIGRATE_ASYNC', reason: 'compaction' } as const;
      const { status } = await machine.migrateFolios(area.mm, area.pages(), options);
      const outcomes = Array.from(status).filter((_, i) => isSealed(i));
      const moved = outcomes.filter((one) => one === 1).length;
      // Every second is lost, or with its channel all those that were submitted with it.
      expect(moved).toBe(isTogether && LOSES_ALL.has(fault) ? 1 : SEALED / 2);
      expect(outcomes.filter((one) => one === EOPNOTSUPP)).toHaveLength(SEALED - moved);
      expect([made.dcbm.foliosMigrated, made.dcbm.foliosFailures]).toEqual([moved, SEALED - moved]);
      expect(Array.from(status).every((one, i) => isSealed(i) || one === 1)).toBe(true);
      await machine.offload.unregister(made.dcbm);
      await expectPlain(machine, area, bytes);
    },
  );

  it.each(['map', 'submit'] as const)('stay where they are if they can’t be submitted: %s', async (what) => {
    const { machine, area, bytes } = await boot({ flow });
    await using _ = machine;
    await using made = await faulty(machine, { [what]: () => true });
    const { status } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: made.dcbm });
    expect(Array.from(status)).toEqual(Array.from(status, (_, i) => (isSealed(i) ? EOPNOTSUPP : 1)));
    await expectPlain(machine, area, bytes);
  });
});

it('a batch of them says nothing of how to share others with the CPU', async () => {
  const folios = createFolios(new Array(32).fill(0));
  await using made = await createDcbm({ memory: folios.memory, key: KEY });
  made.dcbm.cpuShare = 'auto';
  // The first one is the calling thread's alone.
  await made.dcbm.copyFolios(folios.batch);
  for (let i = 0; i < 20; i++) await made.dcbm.copyFolios({ ...folios.batch, isPrivate: true });
  made.dcbm.foliosMigrated = 0;
  folios.refill();
  await made.dcbm.copyFolios(folios.batch);
  expect(folios.check()).toBe(32);
  // All but the share that the calling thread begins with.
  expect(made.dcbm.foliosMigrated).toBe(24);
});

it('a batch of them is declined by a device without a key, and nothing is copied', async () => {
  const folios = createFolios([0, 3]);
  await using made = await createDcbm({ memory: folios.memory });
  expect(made.dcbm.copiesPrivate).toBe(false);
  expect(await made.dcbm.copyFolios({ ...folios.batch, isPrivate: true })).toBe(ERRNO.EOPNOTSUPP);
  expect(folios.check()).toBe(0);
  expect(made.engine.freeChannels).toBe(16);
});

describe('a folio', () => {
  it('is sealed once, and unsealed once, while nobody has it locked', async () => {
    await using machine = await Machine.boot({ ...SIZES, dma: { key: KEY } });
    const folio = machine.memory.allocFolio(0);
    await expect(machine.unsealFolio(folio)).rejects.toThrow(errno('EINVAL'));
    const sealing = machine.sealFolio(folio);
    expect(folio.locked).toBe(true);
    await expect(machine.sealFolio(folio)).rejects.toThrow(errno('EBUSY'));
    await sealing;
    await expect(machine.sealFolio(folio)).rejects.toThrow(errno('EINVAL'));
    folio.tryLock();
    await expect(machine.unsealFolio(folio)).rejects.toThrow(errno('EBUSY'));
    folio.unlock();
    await machine.unsealFolio(folio);
    expect([folio.private, folio.locked, folio.refcount]).toEqual([false, false, 1]);
  });

  it('is one of the machine’s that is allocated', async () => {
    await using machine = await Machine.boot({ ...SIZES, dma: { key: KEY } });
    await using other = await Machine.boot(SIZES);
    const folio = machine.memory.allocFolio(1);
    const wrong = [null, {}, 7, other.memory.allocFolio(0), machine.memory.folio(folio.pfn + 1)];
    for (const one of [...wrong, machine.memory.folio(0)])
      await expect(machine.sealFolio(one as Folio)).rejects.toThrow(errno('EINVAL'));
    folio.put();
    await expect(machine.sealFolio(folio)).rejects.toThrow(errno('EINVAL'));
    expect(folio.locked).toBe(false);
  });

  it('can’t be sealed by a device without a key, or of a machine that is closed', async () => {
    const machine = await Machine.boot({ ...SIZES, dma: {} });
    const folio = machine.memory.allocFolio(0);
    await expect(machine.sealFolio(folio)).rejects.toThrow(errno('EOPNOTSUPP'));
    await expect(machine.unsealFolio(folio)).rejects.toThrow(errno('EOPNOTSUPP'));
    expect([folio.private, folio.locked]).toEqual([false, false]);
    await machine.close();
    await expect(machine.sealFolio(folio)).rejects.toThrow(errno('ESHUTDOWN'));
  });

  it('is left by migrations while it is being sealed, and is what it was if that fails', async () => {
    const { machine, area, bytes } = await boot({ flow: 'pre-copy' });
    await using _ = machine;
    const folio = folioOf(area, 1);
    const { pfn } = folio;
    let fail = (_error: Error) => {};
    const held = new Promise<void>((_, reject) => {
      fail = reject;
    });
    const sealing = setPrivate(machine.memory, folio, true, () => held);
    const pages = [area.address + 4096];
    const options = { node: 1, mode: 'MIGRATE_ASYNC', reason: 'compaction' } as const;
    const { status } = await machine.migrateFolios(area.mm, pages, options);
    expect([status[0], folioOf(area, 1).pfn]).toEqual([-ERRNO.EBUSY, pfn]);
    // Its own, so that its frames are nobody else's.
    expect(folio.refcount).toBe(2);
    fail(new Error('as the test wants it'));
    await expect(sealing).rejects.toThrow('as the test wants it');
    expect(folio.private).toBe(false);
    expect(Array.from((await machine.migrateFolios(area.mm, pages, options)).status)).toEqual([1]);
    await expectPlain(machine, area, bytes);
  });
});

it('what becomes of the options that a machine was booted with changes no device', async () => {
  const dma = { key: KEY };
  await using machine = await Machine.boot({ ...SIZES, dma });
  dma.key = 0;
  const folio = machine.memory.allocFolio(0);
  await machine.sealFolio(folio);
  expect(folio.private).toBe(true);
});

it('the key is in nothing of a machine that a program can reach', async () => {
  const { machine } = await boot();
  await using _ = machine;
  expect(machine.dcbm.copiesPrivate).toBe(true);
  expect(pathsOf(KEY, machine)).toEqual([]);
});
