import { FLOWS, Machine, PAGE_SIZE } from 'mtcopy';
import { expect, it } from 'vitest';
import { started } from '../../support/machines.js';
import { program } from '../../support/programs.js';
import { traceOf } from '../../support/traces.js';

const CPUS = [0, 1];

it.each(FLOWS)('%s: a CPU has an instant for each interrupt that the result counts', async (flow) => {
  const { result, trace } = await traceOf(async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: CPUS.length });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: 300 * PAGE_SIZE, populate: true });
    const args = { address: area.address, length: area.length, stride: PAGE_SIZE };
    const running = CPUS.map((cpu) => machine.cpus.run(mm, program('count'), { cpu, args }));
    await started(area, CPUS);
    let interrupts = 0;
    for (const node of [1, 0, 1]) {
      interrupts += (await machine.movePages(mm, area.folios(), { node, flow, batchLimit: 64 })).stats.interrupts;
    }
    machine.cpus.stop();
    await Promise.all(running);
    return { interrupts, waits: machine.cpus.migrationWaits };
  });
  const instants = trace.instants.filter(({ name }) => name === 'interrupt');
  expect(result.interrupts).toBeGreaterThan(0);
  expect(instants).toHaveLength(result.interrupts);
  expect(new Set(instants.map(({ track }) => track))).toEqual(new Set(['CPU 0', 'CPU 1']));
  // And a slice for its program, in which it waits for pages that are on their way.
  const programs = trace.slices.filter(({ name }) => name === 'program');
  expect(programs.map(({ track }) => track).sort()).toEqual(['CPU 0', 'CPU 1']);
  const waits = trace.slices.filter(({ name }) => name === 'wait for migration');
  expect(waits).toHaveLength(result.waits.count);
  // What the CPU takes for its wait begins before the slice and ends after it.
  const longest = Math.max(0, ...waits.map(({ begin, end }) => end - begin));
  expect(longest).toBeLessThanOrEqual(result.waits.maxNs + 2);
  expect(waits.every(({ parent }) => parent?.name === 'program')).toBe(true);
});
