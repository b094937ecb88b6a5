import { expect, it } from 'vitest';
import { runScript } from '../support/process.js';

const dist = (path: string) => JSON.stringify(new URL(`../../dist/${path}`, import.meta.url).href);

it('a process waits for its copies, and ends by itself once its channels have rested', async () => {
  const { status, output, errors } = await runScript(`
    import { PhysicalMemory } from ${dist('index.js')};
    import { DmaEngine } from ${dist('dma/engine.js')};
    import { createOffloadUsage } from ${dist('migrate/migrator.js')};
    import { createDcbmMigrator } from ${dist('migrators/dcbm.js')};
    const memory = PhysicalMemory.create({ nodes: ['8M'] });
    const engine = await DmaEngine.create({ memory, descriptorNs: 2e6 });
    const dcbm = createDcbmMigrator({ device: engine.device, engine: () => engine }, memory);
    const address = () => Uint32Array.from(memory.allocFolios(20, 0), (pfn) => pfn * 4096);
    const items = { to: address(), from: address(), bytes: new Uint32Array(20).fill(4096) };
    const copied = new Uint8Array(20);
    const batch = { items, copied, usage: createOffloadUsage(), isPrivate: false, stores: 'cached' };
    console.log(await dcbm.copyFolios(batch), copied.every((mark) => mark === 1));
  `);
  expect({ status, output, errors }).toEqual({ status: 0, output: '0 true', errors: '' });
});
