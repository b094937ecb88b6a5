import { Command } from 'commander';
import { afterEach, expect, it, vi } from 'vitest';
import { emptyFlushBatch, TlbFlusher } from '#src/mm/tlb-flush.js';
import { addPmbenchCommand } from '../../src/cli/pmbench.js';

// Few pages, so that CPUs hold the translations of all of them.
const ARGS = ['--pages', '1024', '--seconds', '0.4', '--write-ratio', '1', '--json', '--flow'];

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs the command in this process, where its flush can be left out. Returns what it prints, and what it throws. */
async function pmbench(flow: string): Promise<{ lostUpdates: number; stores: number; error: Error | undefined }> {
  const print = vi.spyOn(console, 'log').mockImplementation(() => {});
  const program = new Command().exitOverride();
  addPmbenchCommand(program);
  let error: Error | undefined;
  await program.parseAsync(['pmbench', ...ARGS, flow], { from: 'user' }).catch((thrown) => {
    error = thrown;
  });
  const [result] = JSON.parse(print.mock.lastCall?.[0]).results;
  print.mockRestore();
  return { ...result, error };
}

function leaveOutFlush(): void {
  vi.spyOn(TlbFlusher.prototype, 'flush').mockImplementation((batch) => emptyFlushBatch(batch) as undefined);
}

it.each(['serial', 'vanilla', 'batch-move', 'pre-copy'])(
  'finds the updates that %s loses without a TLB flush',
  async (flow) => {
    const whole = await pmbench(flow);
    expect(whole).toMatchObject({ lostUpdates: 0, error: undefined });
    leaveOutFlush();
    const { lostUpdates, stores, error } = await pmbench(flow);
    expect(lostUpdates).toBeGreaterThan(0);
    expect(error).toMatchObject({
      code: 'EIO',
      message: expect.stringContaining(`${lostUpdates} of ${stores} with ${flow}`),
    });
    console.log(`${flow}: of ${whole.stores} stores none was lost; without the flush ${lostUpdates} of ${stores}`);
  },
);
