import { type CopyItems, type CopyPlan, FRAMES, MiB, PAGE_SIZE, PhysicalMemory, planCopy } from 'mtcopy';
import { allocBatch } from '../support/batches.js';
import { contest } from '../support/contest.js';
import { printTable, showSpread } from '../support/table.js';

const ITEMS = 131_072;
const TARGET_MS = 5;

/** Throws unless the lists hold every byte of the items. */
function check({ bytes }: CopyItems, { descriptors }: CopyPlan): void {
  const planned = descriptors.reduce((sum, word, i) => (i % 3 === 2 ? sum + word : sum), 0);
  if (planned !== bytes.length * PAGE_SIZE) throw new Error(`${planned} bytes planned`);
}

/** Planning alone: items to one list a thread. */
export async function plan(): Promise<void> {
  const memory = PhysicalMemory.create({ nodes: [512 * MiB, 512 * MiB] });
  const tasks: Record<string, () => CopyPlan> = {};
  for (const frames of FRAMES) {
    const batch = allocBatch(memory, ITEMS * PAGE_SIZE, PAGE_SIZE, frames);
    for (const threads of [1, 2, 64]) {
      check(batch, planCopy(batch, threads));
      tasks[`${frames} ${threads}`] = () => planCopy(batch, threads);
    }
    batch.free();
  }
  const times = await contest(tasks, { rounds: 31 });
  const rows = Object.entries(times).map(([name, own]) => [
    ...name.split(' '),
    showSpread(
      own.map((ns) => ns / 1e6),
      2,
    ),
  ]);
  printTable(
    ['frames', 'threads', 'ms'],
    rows,
    `planCopy of ${ITEMS} pages: medians (quartiles) of 31 rounds in turns; target under ${TARGET_MS} ms.`,
  );
}
