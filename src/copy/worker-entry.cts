/*
 * What Piscina loads into a worker's thread. It tries require() first, and Node.js aborts the process if a thread is ended
 * while it requires an ES module ("IsGraphAsync must be used on an instantiated module"). An import() may end at any time.
 */
async function run(index: number): Promise<void> {
  const { default: serve } = await import('./worker/serve.js');
  return serve(index);
}

export = run;
