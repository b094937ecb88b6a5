import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
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
    file = openSync(path, 'w');
  } catch (error) {
    recording.stop();
    throw error;
  }
  let failed: unknown;
  let written = 0;
  const append = (encode: () => Uint8Array) => {
    if (failed !== undefined) return;
    try {
      checkAlone(file, written);
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

/** @throws Error if a file is not as long as this process has written it: another one has emptied it, and writes it now */
function checkAlone(file: number, written: number): void {
  const stats = fstatSync(file);
  if (stats.isFile() && stats.size !== written) throw new Error('another process writes it too');
}
