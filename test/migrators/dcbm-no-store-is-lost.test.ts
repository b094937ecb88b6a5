import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine, parseSize } from 'mtcopy';
import { expect, it, onTestFinished } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import type { DescriptorFault } from '#src/dma/faults.js';
import { createDcbmMigrator } from '#src/migrators/dcbm.js';
import { seededRandom } from '#src/random.js';
import { expectAtRest, freePages, started } from '../support/machines.js';
import { countedIn, program } from '../support/programs.js';

const CPUS = [0, 1];
const MIGRATIONS = 200;
const STRIDE = 4096;
const LENGTH = '512K';
const FAULTS: DescriptorFault[] = ['read', 'write', 'abort', 'iommu', 'last', 'silence', 'die', 'throw'];

/** Path of a file of zeros, as long as the area. */
function zeros(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mtcopy-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'zeros');
  writeFileSync(path, new Uint8Array(parseSize(LENGTH)));
  return path;
}

/** Of 400 descriptors one has a fault, and as many mappings and submissions fail. */
function randomFaults(seed: number) {
  const random = seededRandom(seed);
  const happens = () => random() < 1 / 400;
  let count = 0;
  const note = (is: boolean) => {
    if (is) count++;
    return is;
  };
  return {
    map: () => note(happens()),
    submit: () => note(happens()),
    descriptor: () => (note(happens()) ? FAULTS[Math.floor(random() * FAULTS.length)] : 'none'),
    get count() {
      return count;
    },
  };
}

it.each([
  { iommu: 'translated', setup: 'batch', device: 'dsa', kind: 'anonymous' },
  { iommu: 'passthrough', setup: 'per-folio', device: 'ptdma', kind: 'file' },
] as const)(
  'CPUs that count in memory which a faulty engine moves lose nothing: $device, $iommu, $setup, $kind',
  async ({ iommu, setup, device, kind }) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2 });
    await using engine = await DmaEngine.create({ memory: machine.memory, iommu, device });
    const dcbm = createDcbmMigrator({ device: engine.device, engine: () => engine }, machine.memory);
    Object.assign(dcbm, { setup, nrDmaChan: 2, timeoutMs: 30, cpuShare: 0.2 });
    const free = freePages(machine);
    const mm = machine.createAddressSpace();
    const file = kind === 'file' && { file: zeros(), shared: true };
    const area = mm.mmap({ length: LENGTH, populate: true, ...file });
    const { address, length } = area;
    const runs = CPUS.map((cpu) =>
      machine.cpus.run(mm, program('count'), { cpu, args: { address, length, stride: STRIDE } }),
    );
    await started(area, CPUS);
    const faults = randomFaults(device.length);
    engine.faults = faults;
    let pages = 0;
    for (let round = 0; round < MIGRATIONS; round++) {
      const node = (round + 1) % 2;
      if (round % 4 < 2) {
        const { stats } = await machine.movePages(mm, area.folios(), { node, migrator: dcbm, flow: 'pre-copy' });
        pages += stats.succeeded;
      } else {
        const { stats } = await machine.migratePages(mm, {
          from: [1 - node],
          to: [node],
          migrator: dcbm,
          flow: 'batch-move',
        });
        pages += stats.succeeded;
      }
    }
    machine.cpus.stop();
    const stores = (await Promise.all(runs)) as number[];
    expect(await countedIn(area, CPUS.length, STRIDE)).toEqual(stores);
    expect(pages).toBe((MIGRATIONS * length) / 4096);
    expect(faults.count).toBeGreaterThan(20);
    expect(dcbm.foliosFailures).toBeGreaterThan(0);
    expect(dcbm.foliosMigrated).toBeGreaterThan(dcbm.foliosFailures);
    if (kind === 'anonymous') {
      expectAtRest(area);
      await mm.close();
      expect(freePages(machine)).toEqual(free);
    }
  },
  120_000,
);
