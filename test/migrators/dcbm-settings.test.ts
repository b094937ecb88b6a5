import { PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import type { DcbmSettings } from '#src/migrators/dcbm.js';
import { createDcbm } from '../support/dma.js';
import { errno } from '../support/errors.js';

const memory = PhysicalMemory.create({ nodes: ['4M'] });

it('begin as documented', async () => {
  await using ptdma = await createDcbm({ memory });
  const { nrDmaChan, setup, wait, cpuShare, timeoutMs, minFolios, minBytes, queueDepth } = ptdma.dcbm;
  expect({ nrDmaChan, setup, wait, cpuShare, timeoutMs, minFolios, minBytes, queueDepth }).toEqual({
    nrDmaChan: 1,
    setup: 'batch',
    wait: 'sleep',
    cpuShare: 0,
    timeoutMs: 10_000,
    minFolios: 1,
    minBytes: 0,
    queueDepth: 1024,
  });
  await using dsa = await createDcbm({ memory, device: 'dsa', queueDepth: 16 });
  expect([dsa.dcbm.wait, dsa.dcbm.queueDepth]).toEqual(['poll', 16]);
});

it('take what is in their range, and nothing else', async () => {
  await using made = await createDcbm({ memory });
  const dcbm = made.dcbm as unknown as Record<keyof DcbmSettings | 'foliosMigrated' | 'foliosFailures', unknown>;
  const values: [keyof typeof dcbm, unknown[], unknown[]][] = [
    ['nrDmaChan', [1, 16], [0, 17, 1.5, '2', undefined]],
    ['setup', ['per-folio', 'batch'], ['folio', undefined]],
    ['wait', ['poll', 'sleep'], ['spin', 1]],
    ['cpuShare', [0, 0.5, 1, 'auto'], [-0.1, 1.1, Number.NaN, 'none']],
    ['timeoutMs', [1, 1e6], [0, 1.5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY]],
    ['minFolios', [1, 1e9], [0, -1]],
    ['minBytes', [0, 2 ** 40], [-1, 0.5]],
    ['queueDepth', [1, 1024], [0, 1025]],
    ['foliosMigrated', [7, 0], ['abc', -5, 0.5]],
    ['foliosFailures', [7, 0], [undefined, -5, Number.NaN]],
  ];
  for (const [name, good, bad] of values) {
    for (const value of good) {
      dcbm[name] = value;
      expect(dcbm[name]).toBe(value);
    }
    const before = dcbm[name];
    for (const value of bad) {
      expect(() => {
        dcbm[name] = value;
      }, `${name} ${value}`).toThrow(errno('EINVAL'));
      expect(dcbm[name]).toBe(before);
    }
  }
});

it('are all that can be set: neither what is misspelt, nor what copies', async () => {
  await using made = await createDcbm({ memory });
  for (const name of ['channels', 'copiesPrivate', 'copyFolios', 'memory', 'name']) {
    expect(() => Object.assign(made.dcbm, { [name]: 4 }), name).toThrow(TypeError);
  }
  const { name, copiesPrivate, memory: own } = made.dcbm;
  expect([name, copiesPrivate, own === memory]).toEqual(['dcbm', false, true]);
});
