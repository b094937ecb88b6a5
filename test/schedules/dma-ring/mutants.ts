import type { Mutant } from '../mutant.js';

/** What threads run: serve.ts, pacer.ts, translate.ts and more, in one file. */
const SERVE = 'dma/worker/serve.cjs';
/** What the caller runs. */
const CHANNEL = 'dma/channel.js';
const THREAD = 'dma/channel-thread.js';
const RING = 'dma/worker/ring.js';
const IOMMU = 'dma/iommu.js';
const LANE = 'migrators/dcbm-lane.js';
const DCBM = 'migrators/dcbm.js';

const RECORD = 'Atomics.store(records, slot, record);';
const COUNT = 'Atomics.store(words, DONE, words[DONE] + 1);';
const RUN_OUT = 'Atomics.add(words, IRQ, 1);\n  Atomics.notify(words, IRQ);';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the bell is read too late',
    scenario: 'dma, one after the other',
    file: SERVE,
    edits: [['Atomics.wait(words, BELL, bell);', 'Atomics.wait(words, BELL, Atomics.load(words, BELL));']],
  },
  {
    name: 'the bell is rung for nobody',
    scenario: 'dma, one descriptor',
    file: RING,
    edits: [['Atomics.notify(words, BELL);', '']],
  },
  {
    name: 'the bell is not changed',
    scenario: 'dma, one after the other',
    file: RING,
    edits: [['Atomics.add(words, BELL, 1);', '']],
  },
  {
    name: 'HEAD is stored without an atomic operation',
    scenario: 'dma, one issued behind another',
    file: CHANNEL,
    edits: [
      [
        'Atomics.store(this.#ring.words, HEAD, this.#issued);\n        if (this.#thread.isServed)',
        'this.#ring.words[HEAD] = this.#issued;\n        if (this.#thread.isServed)',
      ],
    ],
  },
  {
    name: "HEAD is published before a descriptor's words",
    scenario: 'dma, one issued behind another',
    file: CHANNEL,
    edits: [
      [
        'flags[slot] = (interrupt ?',
        'Atomics.store(this.#ring.words, HEAD, after(this.#submitted)); flags[slot] = (interrupt ?',
      ],
    ],
  },
  {
    name: 'a completion record is written before the bytes',
    scenario: 'dma, the status of what is in flight',
    file: SERVE,
    edits: [
      [RECORD, ''],
      ['engine.bytes = 0;\n', 'engine.bytes = 0; Atomics.store(records, slot, engine.record);\n'],
    ],
  },
  {
    name: 'a descriptor is counted before its record',
    scenario: 'dma, three descriptors, one interrupt',
    file: SERVE,
    edits: [
      [COUNT, ''],
      [RECORD, `${COUNT} ${RECORD}`],
    ],
  },
  {
    name: 'a batch is counted, not each descriptor',
    scenario: 'dma, three descriptors, one interrupt',
    file: SERVE,
    edits: [[COUNT, `if (interrupts) ${COUNT}`]],
  },
  {
    name: 'an interrupt wakes nobody',
    scenario: 'dma, one descriptor',
    file: SERVE,
    edits: [['Atomics.notify(words, IRQ);', '']],
  },
  {
    name: 'an interrupt is counted after it has woken',
    scenario: 'dma, one descriptor',
    file: SERVE,
    edits: [[RUN_OUT, 'Atomics.notify(words, IRQ); Atomics.add(words, IRQ, 1);']],
  },
  {
    name: 'an interrupt comes before its record',
    scenario: 'dma, one descriptor',
    file: SERVE,
    edits: [
      [RECORD, `if (interrupts) interrupt(); ${RECORD}`],
      ['isUnannounced = true;\n  if (interrupts)\n    interrupt();', 'isUnannounced = !interrupts;'],
    ],
  },
  {
    name: 'what is complete without an interrupt is never told',
    scenario: 'dma, three descriptors, one interrupt',
    file: SERVE,
    edits: [['if (isUnannounced)\n      interrupt();', '']],
  },
  {
    name: 'IRQ is read after the records',
    scenario: 'dma, one descriptor',
    file: CHANNEL,
    edits: [
      [
        'Atomics.waitAsync(words, IRQ, interrupts, left)',
        'Atomics.waitAsync(words, IRQ, Atomics.load(words, IRQ), left)',
      ],
    ],
  },
  {
    name: 'a record of the one before is left',
    scenario: 'dma, two at once, a large one first',
    file: CHANNEL,
    edits: [['Atomics.store(records, slot, 0);', '']],
  },
  {
    name: 'a place that is called back before is called back again',
    scenario: 'dma, one behind all others',
    file: CHANNEL,
    edits: [['if (this.#reported[slot])\n                continue;\n            // Acquire', '// Acquire']],
  },
  {
    name: 'a place is free before the one in front of it',
    scenario: 'dma, more than the ring holds',
    file: CHANNEL,
    edits: [
      [
        'while (this.#tail !== this.#issued && this.#reported[this.#slotOf(this.#tail)]) {',
        'if (this.#tail !== this.#issued) {',
      ],
    ],
  },
  {
    name: 'the queue has room for one too many',
    scenario: 'dma, more than the ring holds',
    file: CHANNEL,
    edits: [['this.#device.queueDepth - this.inFlight', 'this.#device.queueDepth + 1 - this.inFlight']],
  },
  {
    name: 'what is issued as a task ends is forgotten',
    scenario: 'dma, released, and requested again as it rests',
    file: CHANNEL,
    edits: [['this.#ring.words[NEXT] !== this.#issued && !this.#lifetime.isClosed', 'this.#issued < 0']],
  },
  {
    name: 'a task is told to leave blindly',
    scenario: 'dma, released, and requested again as it rests',
    file: THREAD,
    edits: [
      [
        'Atomics.compareExchange(this.#words, STATE, ATTACHED, LEAVING) === ATTACHED',
        'Atomics.store(this.#words, STATE, LEAVING) === LEAVING',
      ],
    ],
  },
  {
    name: 'HEAD is left where it was as all is given up',
    scenario: 'dma, terminated at rest',
    file: CHANNEL,
    edits: [
      ['Atomics.store(words, HEAD, this.#issued);\n        if (!this.#thread.isServed)', 'if (!this.#thread.isServed)'],
    ],
  },
  {
    name: 'who terminates is not woken',
    scenario: 'dma, terminated in mid-transfer',
    file: SERVE,
    edits: [['Atomics.notify(words, TERMINATED);', '']],
  },
  {
    name: 'terminating waits for nobody',
    scenario: 'dma, terminated in mid-transfer',
    file: CHANNEL,
    edits: [
      ['seen !== asked; seen =', 'false; seen ='],
      ['if (Atomics.load(words, TERMINATED) !== asked)\n                await this.#thread.end();', ''],
    ],
  },
  {
    name: 'a channel that does not answer is not ended',
    scenario: 'dma, timed out, impatient',
    file: CHANNEL,
    edits: [['if (Atomics.load(words, TERMINATED) !== asked)\n                await this.#thread.end();', '']],
  },
  {
    name: 'the end of a thread is not waited for',
    scenario: 'dma, terminated, impatient',
    file: THREAD,
    edits: [
      ['await this.#pool?.close();', 'void this.#pool?.close();'],
      ['await this.#task;', ''],
    ],
  },
  {
    name: 'a channel says that it dropped all in mid-transfer',
    scenario: 'dma, terminated in mid-transfer',
    file: SERVE,
    edits: [['while (busy > 0) {', 'while (busy > 0) { obeyTerminate();']],
  },
  {
    name: 'what is dropped stays in the queue',
    scenario: 'dma, terminated in mid-transfer',
    file: SERVE,
    edits: [['next = Atomics.load(words, HEAD2);\n', '\n']],
  },
  {
    name: 'HEAD is read before TERMINATE',
    scenario: 'dma, terminated before it is issued',
    file: SERVE,
    edits: [
      [
        'const asked = Atomics.load(words, TERMINATE);',
        'const until = Atomics.load(words, HEAD2); const asked = Atomics.load(words, TERMINATE);',
      ],
      ['next = Atomics.load(words, HEAD2);\n', 'next = until;\n'],
    ],
  },
  {
    name: 'what is only submitted is not dropped',
    scenario: 'dma, terminated before it is issued',
    file: CHANNEL,
    edits: [['this.#issueAborted();\n            // After', '// After']],
  },
  {
    name: 'what is only submitted is copied before it is dropped',
    scenario: 'dma, terminated before it is issued',
    file: CHANNEL,
    edits: [['FAULT.cancel << FAULT_SHIFT', 'FAULT.abort << FAULT_SHIFT']],
  },
  {
    name: 'what is put off outlives a terminate',
    scenario: 'dma, terminated with one behind all others',
    file: SERVE,
    edits: [
      ['putOff.length = 0;\n  Atomics.store(words, TERMINATED, asked);', 'Atomics.store(words, TERMINATED, asked);'],
    ],
  },
  {
    name: 'what waits for its time outlives a terminate',
    scenario: 'dma, paced, terminated',
    file: SERVE,
    edits: [['next = Atomics.load(words, HEAD2);\n  pacer.clear();', 'next = Atomics.load(words, HEAD2);']],
  },
  {
    name: 'what waits for its time outlives a task',
    scenario: 'dma, paced, a task that throws',
    file: SERVE,
    edits: [['next = words[NEXT];\n  pacer.clear();', 'next = words[NEXT];']],
  },
  {
    name: 'a channel that keeps to its speed does not wait',
    scenario: 'dma, paced',
    file: SERVE,
    edits: [['sleepUntilDue(bell);\n      continue;', '']],
  },
  {
    name: 'what is prepared outlives a terminate',
    scenario: 'dma, prepared, terminated and submitted',
    file: CHANNEL,
    edits: [['this.#isPrepared = false;\n        this.#terminating', 'this.#terminating']],
  },
  {
    name: 'what a task had begun outlives it',
    scenario: 'dma, a task that throws',
    file: SERVE,
    edits: [['for (const engine of engines)\n    engine.sequence = -1;', '']],
  },
  {
    name: 'what is put off outlives a task',
    scenario: 'dma, a task that throws with one behind all others',
    file: SERVE,
    edits: [['putOff.length = 0;\n  isUnannounced = false;', 'isUnannounced = false;']],
  },
  {
    name: 'a thread that is gone is believed its count',
    scenario: 'death, dma, three descriptors',
    file: CHANNEL,
    edits: [
      ['unreported++;\n', ''],
      [
        'completionRecord(DMA_TRANS_ABORTED, ERRNO.ECANCELED));',
        'completionRecord(DMA_TRANS_ABORTED, ERRNO.ECANCELED)); unreported++;',
      ],
      ['Atomics.store(words, DONE, (this.#reaped + unreported) | 0);', 'Atomics.add(words, DONE, unreported);'],
    ],
  },
  {
    name: 'who waits is not told that the thread is gone',
    scenario: 'death, dma, three descriptors',
    file: CHANNEL,
    edits: [['Atomics.notify(words, IRQ);', '']],
  },
  {
    name: 'translations of a thread that is gone stay in use',
    scenario: 'death, iommu, unmapped in mid-transfer',
    file: CHANNEL,
    edits: [['if (words[ACTIVE] & 1)\n                Atomics.add(words, ACTIVE, 1);', '']],
  },
  {
    name: 'who unmaps is not told that the thread is gone',
    scenario: 'iommu, unmapped of a channel that is ended',
    file: CHANNEL,
    edits: [['Atomics.notify(words, ACTIVE);', '']],
  },
  {
    name: 'an unmap waits for nobody',
    scenario: 'iommu, unmapped in mid-transfer',
    file: IOMMU,
    edits: [['if (isActive(words))', 'if (words.length === 0)']],
  },
  {
    name: 'an unmap is not counted',
    scenario: 'iommu, unmapped in mid-transfer, and the addresses used again',
    file: IOMMU,
    edits: [['Atomics.add(this.area.words, GENERATION, 1);', '']],
  },
  {
    name: 'an unmap is counted before its entries are gone',
    scenario: 'iommu, unmapped in mid-transfer, and the addresses used again',
    file: IOMMU,
    edits: [
      [
        'this.#leave(address, bytes, access, first);\n        return this.#finishUnmap(first, pages);',
        'const unmapped = this.#finishUnmap(first, pages); this.#leave(address, bytes, access, first); return unmapped;',
      ],
    ],
  },
  {
    name: 'an unmap is counted after the look at who translates',
    scenario: 'iommu, unmapped in mid-transfer',
    file: IOMMU,
    edits: [
      [
        'Atomics.add(this.area.words, GENERATION, 1);',
        'const active = this.#channels.filter(isActive); Atomics.add(this.area.words, GENERATION, 1);',
      ],
      ['if (isActive(words))', 'if (active.includes(words))'],
    ],
  },
  {
    name: 'unmaps are looked for before translating is announced',
    scenario: 'iommu, unmapped in mid-transfer',
    file: SERVE,
    edits: [
      [
        'Atomics.store(words, ACTIVE, words[ACTIVE] + 1);\n  refresh();',
        'refresh(); Atomics.store(words, ACTIVE, words[ACTIVE] + 1);',
      ],
    ],
  },
  {
    name: 'translations are given up before the bytes',
    scenario: 'iommu, unmapped in mid-transfer',
    file: SERVE,
    edits: [
      ['while (busy > 0) {', 'endTranslating(); while (busy > 0) {'],
      ['}\n  endTranslating();\n}\nfunction beginTranslating', '}\n}\nfunction beginTranslating'],
    ],
  },
  {
    name: 'who unmaps is not woken',
    scenario: 'iommu, unmapped in mid-transfer',
    file: SERVE,
    edits: [['Atomics.notify(words, ACTIVE);', ';']],
  },
  {
    name: 'who unmaps counts itself after the look',
    scenario: 'iommu, unmapped in mid-transfer',
    file: IOMMU,
    edits: [
      [
        'Atomics.add(shared, WAITERS, 1);\n        await Promise.all(this.#channels.map(untilInactive));',
        'const waiting = this.#channels.map(untilInactive); Atomics.add(shared, WAITERS, 1); await Promise.all(waiting);',
      ],
    ],
  },
  {
    name: 'every folio of a batch is marked',
    scenario: 'dcbm, a descriptor that fails',
    file: LANE,
    edits: [['if (result === DMA_TRANS_NOERROR)', 'if (result >= DMA_TRANS_NOERROR)']],
  },
  {
    name: 'a folio is unmapped as it is submitted',
    scenario: 'dcbm, folio by folio, translated',
    file: LANE,
    edits: [
      [
        'this.#channel.issuePending();\n    }\n    #map(',
        'this.#channel.issuePending(); this.#unmap(item);\n    }\n    #map(',
      ],
      ['if (!this.#rules.tables)\n            this.#unmap(item);', ''],
    ],
  },
  {
    name: 'a batch is unmapped before it is complete',
    scenario: 'dcbm, a batch over two channels, translated',
    file: DCBM,
    edits: [
      [
        'return await runLanes(lanes);',
        'const running = runLanes(lanes); if (tables) await unmapBatch(engine, tables, cost); return await running;',
      ],
      ['if (tables)\n            await unmapBatch(engine, tables, cost);', ''],
    ],
  },
  {
    name: 'a lane does not wait for the end of what it terminates',
    scenario: 'dcbm, a silent channel',
    file: LANE,
    edits: [['await this.#channel.terminate();', 'void this.#channel.terminate();']],
  },
  {
    name: 'a batch ends once one channel is through',
    scenario: 'dcbm, a batch over two channels',
    file: LANE,
    edits: [['this.#channel.inFlight > 0 || (', '(']],
  },
];
