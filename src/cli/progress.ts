import { SingleBar } from 'cli-progress';
import type { Progress } from 'mtcopy/experiments';
import { columnsOf, type Output } from './shell.js';

interface Shown {
  readonly show: (progress: Progress) => void;
  readonly stop: () => void;
}

/** Milliseconds between two lines of progress. */
const LINE_MS = 5000;
const BAR_WIDTH = 20;
const ENDING = 'ending after this run (once more: at once)';

/**
 * Shows how far a command is: a bar on a terminal; elsewhere nothing, or a line now and then.
 *
 * @param preparing what it does before its first run
 */
export function startProgress(
  stderr: Output,
  signal: AbortSignal,
  preparing: string,
  wanted: boolean | undefined,
): Shown {
  if (stderr.isTTY) return startBar(stderr, signal, preparing);
  return wanted ? startLines(stderr) : { show: () => {}, stop: () => {} };
}

function startBar(stderr: Output, signal: AbortSignal, preparing: string): Shown {
  const bar = new SingleBar({
    stream: stderr as NodeJS.WriteStream,
    clearOnComplete: true,
    // What ends in the middle leaves the terminal as it was.
    hideCursor: false,
    linewrap: true,
    gracefulExit: false,
    format: (_, { value, total }, { what, left }) => barLine(value, total, left, what, columnsOf(stderr) - 1),
  });
  const timeLeft = startClock();
  const onAbort = () => bar.update({ what: ENDING });
  bar.start(0, 0, { what: preparing, left: '' });
  signal.addEventListener('abort', onAbort);
  return {
    show: (progress) => {
      bar.setTotal(progress.runs);
      bar.update(progress.done, { what: signal.aborted ? ENDING : progress.what, left: timeLeft(progress) });
    },
    stop: () => {
      signal.removeEventListener('abort', onAbort);
      bar.stop();
    },
  };
}

/** A bar, how many of how many runs, the time left, and what runs, as far as there is room for that. */
function barLine(done: number, runs: number, left: string, what: string, width: number): string {
  if (runs === 0) return what.slice(0, width);
  const full = Math.round((done / runs) * BAR_WIDTH);
  const bar = '█'.repeat(full).padEnd(BAR_WIDTH, '░');
  const line = `${done}/${runs}${left}: ${what}`;
  return `${width >= 3 * BAR_WIDTH ? `${bar} ` : ''}${line}`.slice(0, width);
}

function startLines(stderr: Output): Shown {
  const timeLeft = startClock();
  let last = Number.NEGATIVE_INFINITY;
  return {
    show: (progress) => {
      const left = timeLeft(progress);
      const now = performance.now();
      if (now - last < LINE_MS) return;
      last = now;
      stderr.write(`mtcopy: run ${progress.done + 1} of ${progress.runs}${left}: ${progress.what}\n`);
    },
    stop: () => {},
  };
}

/** Says how long the rest will take, once that can be told: what who runs it says, or as long as what was done, run by run. */
function startClock(): (progress: Progress) => string {
  let started = 0;
  return ({ done, runs, secondsLeft }) => {
    if (secondsLeft !== undefined) return leftText(secondsLeft);
    // Not what came before the first run: of the command, or of the next of its parts, each of which counts from 0.
    if (done === 0) started = performance.now();
    if (done === 0) return '';
    return leftText(((performance.now() - started) / done) * (runs - done) * 1e-3);
  };
}

function leftText(seconds: number): string {
  return seconds < 90 ? `, ${Math.ceil(seconds)} s left` : `, ${Math.ceil(seconds / 60)} min left`;
}
