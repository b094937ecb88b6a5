import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTraceFile } from '#src/report/index.js';
import { type ReadTrace, readTrace } from './perfetto.js';

/** A place for a trace, in a folder of its own that is gone at the end of the block. */
export function tracePlace(): { readonly path: string; readonly folder: string; [Symbol.dispose](): void } {
  const folder = mkdtempSync(join(tmpdir(), 'mtcopy-trace-'));
  return {
    folder,
    path: join(folder, 'trace.pftrace'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/** Traces what `run` does, to its end, also if it throws. Every slice has ended. */
export async function traceOf<Result>(run: () => Promise<Result>): Promise<{ result: Result; trace: ReadTrace }> {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  let result: Result;
  try {
    result = await run();
  } finally {
    file.stop();
  }
  const trace = readTrace(place.path);
  if (trace.open > 0) throw new Error(`${trace.open} slices have not ended`);
  return { result, trace };
}
