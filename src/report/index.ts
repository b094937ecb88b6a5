/*
 * From results to what a person looks at: what the commands use of it.
 */
export { startTraceFile, type TraceFile } from './trace/trace-file.js';
