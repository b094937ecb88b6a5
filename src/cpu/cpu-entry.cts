import type { CpuOutcome, CpuTask } from './run-program.js' with { 'resolution-mode': 'import' };

/*
 * What Piscina loads into a CPU's thread. It tries require() first, and Node.js aborts the process if a thread is ended while
 * it requires an ES module ("IsGraphAsync must be used on an instantiated module"). An import() may end at any time.
 */
async function run(task: CpuTask): Promise<CpuOutcome> {
  const { default: execute } = await import('./run-program.js');
  return execute(task);
}

export = run;
