import { afterEach, expect, it, vi } from 'vitest';
import { emptyFlushBatch, TlbFlusher } from '#src/mm/tlb-flush.js';
import { mtcopy } from '../support/command.js';

// Few pages, so that CPUs hold the translations of all of them.
const ARGS = ['--pages', '1024', '--write-ratio', '1', '--json'];

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs the command in this process, where its flush can be left out. */
async function pmbench(flow: string, seconds: string) {
  const { status, stdout, stderr } = await mtcopy('pmbench', ...ARGS, '--flow', flow, '--seconds', seconds);
  const { lostUpdates, stores } = JSON.parse(stdout).results[0];
  return { status, stderr, lostUpdates: Number(lostUpdates), stores: Number(stores) };
}

function leaveOutFlush(): void {
  vi.spyOn(TlbFlusher.prototype, 'flush').mockImplementation((batch) => emptyFlushBatch(batch) as undefined);
}

it.each(['serial', 'vanilla', 'batch-move', 'pre-copy'])(
  'finds the updates that %s loses without a TLB flush',
  async (flow) => {
    const whole = await pmbench(flow, '0.2');
    expect(whole).toMatchObject({ lostUpdates: 0, status: 0 });
    leaveOutFlush();
    const { lostUpdates, stores, status, stderr } = await pmbench(flow, '0.4');
    expect(lostUpdates).toBeGreaterThan(0);
    expect(status).toBe(1);
    expect(stderr).toBe(`mtcopy: EIO: stores were lost: ${lostUpdates} of ${stores} with ${flow}\n`);
    console.log(`${flow}: of ${whole.stores} stores none was lost; without the flush ${lostUpdates} of ${stores}`);
  },
);
