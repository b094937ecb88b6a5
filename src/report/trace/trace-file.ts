import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { threadId } from 'node:worker_threads';
import { ErrnoError, startRecording } from 'mtcopy';
import { createPerfettoEncoder } from './perfetto.js';

/** Milliseconds between two times that what was recorded is written: a process that is ended leaves the trace up to there. */
const WRITE_MS = 200;

/** A trace that is being written. */
export interface TraceFile {
  /**
   * Ends the trace, and writes what is left of it.
   *
   * @returns how many slices and instants of other threads are not in it, for they were faster than this one collected them
   * @throws ErrnoError EIO if it couldn't all be written: its `cause` says why
   */
  stop(): number;
}

/**
 * Records what this thread, and the threads of machines and engines that it makes from now on, do, and writes it to a file that
 * Perfetto opens. What the file had is gone.
 *
 * @param title what the trace is of
 * @throws what `openSync` throws for a file that can't be written; ErrnoError EBUSY if this thread is being traced already;
 * EIO, by `stop`, if it couldn't all be written, as where another process has begun to write the file meanwhile
 */
export function startTraceFile(path: string, title: string): TraceFile {
  const recording = startRecording(() => writeOn());
  const encoder = createPerfettoEncoder(title);
  let file: number;
  try {
    file = openOwn(path);
  } catch (error) {
    recording.stop();
    throw error;
  }
  let failed: unknown;
  let written = 0;
  const append = (encode: () => Uint8Array) => {
    if (failed !== undefined) return;
    try {
      checkOwn(file, written);
      const bytes = encode();
      // A write may be short.
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      written += bytes.length;
    } catch (error) {
      failed = error;
      // What would come after a gap means nothing: nothing more is recorded.
      recording.stop();
    }
  };
  const writeOn = () => {
    const records = recording.take();
    append(() => encoder.encode(records));
  };
  const timer = setInterval(writeOn, WRITE_MS).unref();
  return {
    stop() {
      clearInterval(timer);
      recording.stop();
      writeOn();
      append(() => encoder.finish());
      closeSync(file);
      if (failed === undefined) return recording.dropped;
      const why = (failed as Error).message;
      throw new ErrnoError('EIO', `trace: ${path} can't be written: ${why}`, { cause: failed });
    },
  };
}

/**
 * Opens a file that nobody else has open, in the place of what is there: who writes that goes on with a file that has no name any
 * more, and never into this one. A device, or a pipe, is itself.
 */
function openOwn(path: string): number {
  // What a link leads to, not the link.
  const target = existsSync(path) ? realpathSync(path) : path;
  if (statSync(target, { throwIfNoEntry: false })?.isFile() === false) return openSync(target, 'w');
  const fresh = `${target}.${process.pid}-${threadId}.tmp`;
  const file = openSync(fresh, 'w');
  try {
    renameSync(fresh, target);
    return file;
  } catch (error) {
    closeSync(file);
    rmSync(fresh, { force: true });
    throw error;
  }
}

/** @throws Error if a file has no name any more, so that nobody would find what is written, or was written by another program */
function checkOwn(file: number, written: number): void {
  const stats = fstatSync(file);
  if (stats.nlink === 0) throw new Error('it was removed meanwhile, or another process writes it now');
  if (stats.isFile() && stats.size !== written) throw new Error('another program has changed it meanwhile');
}
