import { CopyEngine, MiB } from 'mtcopy';
import { collectGarbage } from 'mtcopy/experiments';

/*
 * A process that copies between SharedArrayBuffers which nobody needs afterwards, and says how much memory it had at most.
 * Its argument says how: 'engine' or 'set'.
 */

const COPIES = 240;
const BUFFER_BYTES = 8 * MiB;
/** Copies between two collections. */
const COLLECT_EVERY = 5;

let peak = 0;
// Never inline: workers see every buffer.
const engine = process.argv[2] === 'engine' ? await CopyEngine.create({ minParallelBytes: 0 }) : undefined;
for (let copy = 1; copy <= COPIES; copy++) {
  const from = new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES)).fill(copy);
  const to = new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES));
  if (engine) await engine.copy(to, from);
  else to.set(from);
  if (to.at(-1) !== copy) throw new Error(`copy ${copy} was not made`);
  peak = Math.max(peak, process.memoryUsage.rss());
  if (copy % COLLECT_EVERY === 0) collectGarbage();
}
await engine?.close();
// Not what the operating system calls the peak: on Linux that begins with the parent's.
process.send?.(peak / MiB);
process.disconnect?.();
