/*
 * A process that reads so many bytes of its own over and over, and says, each time that it is asked, how long a pass has taken since
 * the last time, in nanoseconds. Its argument says how many bytes.
 */

/** Between two looks for a question. */
const PASSES = 4;

// Touched, and without a byte of what is looked for: so memchr reads all of them.
const bytes = Buffer.alloc(Number(process.argv[2]), 1);
let passes = 0;
let since = performance.now();

function read(): void {
  for (let pass = 0; pass < PASSES; pass++) {
    if (bytes.includes(2)) throw new Error('there is no such byte');
  }
  passes += PASSES;
  setImmediate(read);
}

process.on('message', () => {
  const now = performance.now();
  process.send?.(((now - since) * 1e6) / Math.max(1, passes));
  passes = 0;
  since = now;
});
process.on('disconnect', () => process.exit());
read();
