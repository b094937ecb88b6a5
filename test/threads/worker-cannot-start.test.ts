import { appendFileSync, cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.js';
import { runScript } from '../support/process.js';
import { program } from '../support/programs.js';

/** Node.js 20 has the permission model under another name. */
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';
/** The modules that threads load, for copies, for DMA channels and for CPUs. */
const MODULES = ['copy/worker/serve.cjs', 'dma/worker/serve.cjs', 'cpu/run-program.js'];
/** Enough for the threads to start; much less, and Node.js 22 aborts the process. */
const SMALL_HEAP = '{ resourceLimits: { maxOldGenerationSizeMb: 16 } }';
const HOG = 'for (const heap = []; ; ) heap.push(new Array(1000).fill({}));';
const NOT_READY = 'the thread was ended before it was ready';

/** What {@link run} defines, on top of the library. */
const PRELUDE = `
  import threads from 'node:worker_threads';
  import { syncBuiltinESMExports } from 'node:module';
  const { Worker } = threads;
  const alive = new Set();
  /** Makes threads with what change() makes of their options, which may throw. */
  function changeWorkers(change) {
    threads.Worker = class extends Worker {
      constructor(file, options) {
        super(file, { ...options, ...change() });
        alive.add(this);
        this.once('exit', () => alive.delete(this));
      }
    };
    syncBuiltinESMExports();
  }
  function failToStart() {
    throw Object.assign(new Error('no more threads'), { code: 'ERR_WORKER_INIT_FAILED' });
  }
  const outcome = (call) => call.then(() => 'ok', ({ code, cause }) => ({ code, cause: cause?.code ?? cause?.message }));
  const turns = (ms) => new Promise((resolve) => setTimeout(resolve, ms));`;

/** Runs a module in a process of its own, which dies of what nobody catches. It prints its last value, as JSON. */
async function run(code: string, { dist = join(ROOT, 'dist'), flags = [] as readonly string[] } = {}) {
  const library = JSON.stringify(pathToFileURL(join(dist, 'index.js')).href);
  const script = `${PRELUDE}
    const { CopyEngine, Machine, PhysicalMemory } = await import(${library});
    const program = ${JSON.stringify(program('access').href)};
    ${code}`;
  const { status, output, errors } = await runScript(script, flags);
  return { status, seen: output ? JSON.parse(output) : errors };
}

/** An engine, machines with an engine and with DMA channels, and CPUs: both at once, and one once more. */
const ALL = `
  const seen = {};
  seen.engine = await outcome(CopyEngine.create({ threads: 2, memory: '16M' }).then((engine) => engine.close()));
  const boot = Machine.boot({ nodes: ['16M'], migrator: 'mtcopy', threads: 2 });
  seen.boot = await outcome(boot.then((machine) => machine.close()));
  const dma = Machine.boot({ nodes: ['16M'], cpus: 0, migrator: 'dcbm', dcbm: { nrDmaChan: 2 } });
  seen.dma = await outcome(dma.then((machine) => machine.close()));
  const machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
  const mm = machine.createAddressSpace();
  const run = (cpu) => outcome(machine.cpus.run(mm, program, { cpu, args: [] }));
  seen.cpus = [...(await Promise.all([run(0), run(1)])), await run(0)];
  seen.busy = machine.cpus.busy;
  await machine.close();
  // What is left behind comes up by now, if anything is.
  await turns(150);
  console.log(JSON.stringify(seen));`;

function all(engine: unknown, cpu: unknown) {
  return { status: 0, seen: { engine, boot: engine, dma: engine, cpus: [cpu, cpu, cpu], busy: [] } };
}

function allFail(cause: string, causeOfCpus = cause) {
  return all({ code: 'EAGAIN', cause }, { code: 'EAGAIN', cause: causeOfCpus });
}

/** What of the build the library doesn't need: most of its bytes. */
const BUNDLES = /[\\/]dist[\\/](cli|experiments|report)$/;

/** The library once more, changed by `change`, while `use` runs. */
async function withDist<T>(change: (dist: string) => void, use: (dist: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'mtcopy-threads-'));
  try {
    const dist = join(folder, 'dist');
    cpSync(join(ROOT, 'dist'), dist, { recursive: true, filter: (path) => !BUNDLES.test(path) });
    cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
    change(dist);
    return await use(dist);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('threads that cannot be started fail an engine and a CPU with EAGAIN, and their error as the cause:', () => {
  it('the permission model without --allow-worker', async () => {
    const flags = [PERMISSION, '--allow-fs-read=*'];
    expect(await run(ALL, { flags })).toEqual(allFail('ERR_ACCESS_DENIED'));
  });

  it.each([
    ['no thread left for this user', 'failToStart()', 'ERR_WORKER_INIT_FAILED'],
    ['flags that threads cannot have', "({ execArgv: ['--title=mtcopy'] })", 'ERR_WORKER_INVALID_EXEC_ARGV'],
    ['a preload that is not there', "({ execArgv: ['--require', '/no/such.cjs'] })", 'MODULE_NOT_FOUND'],
  ])('%s', async (_, options, cause) => {
    expect(await run(`changeWorkers(() => ${options}); ${ALL}`)).toEqual(allFail(cause));
  });

  it.each([
    ['their modules are gone', MODULES, undefined, 'MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'],
    ['their modules need more heap than they may have', MODULES, HOG, 'ERR_WORKER_OUT_OF_MEMORY'],
    ['their modules throw', MODULES, "throw new RangeError('not today');", 'not today'],
    ['their modules end them', MODULES, 'process.exit(5);', NOT_READY],
  ])('%s', async (_, files, line, cause, causeOfCpus = cause) => {
    const change = (dist: string) => {
      for (const file of files) {
        if (line) appendFileSync(join(dist, file), `\n${line}`);
        else rmSync(join(dist, file), { force: true });
      }
    };
    const code = `changeWorkers(() => (${SMALL_HEAP})); ${ALL}`;
    expect(await withDist(change, (dist) => run(code, { dist }))).toEqual(allFail(cause, causeOfCpus));
  });
});

it('a machine that cannot be booted, for one of two channels has no thread, leaves none behind', async () => {
  const code = `
    let count = 0;
    changeWorkers(() => (++count === 2 ? failToStart() : {}));
    const dma = Machine.boot({ nodes: ['16M'], cpus: 0, migrator: 'dcbm', dcbm: { nrDmaChan: 2 } });
    const seen = [await outcome(dma), alive.size];
    console.log(JSON.stringify(seen));`;
  const refused = { code: 'EAGAIN', cause: 'ERR_WORKER_INIT_FAILED' };
  expect(await run(code)).toEqual({ status: 0, seen: [refused, 0] });
});

it('a library without the file that threads load first says that a bundler has moved it', async () => {
  const code = `
    const refused = (call) => call.then(() => 'ok', ({ code, message }) => [code, message.includes('mark \`mtcopy\` as external')]);
    console.log(JSON.stringify([await refused(CopyEngine.create()), await refused(Machine.boot())]));`;
  const change = (dist: string) => rmSync(join(dist, 'threads/entry.cjs'));
  const refused = ['ENOENT', true];
  expect(await withDist(change, (dist) => run(code, { dist }))).toEqual({ status: 0, seen: [refused, refused] });
});

it('the permission model with --allow-worker lets everything work', async () => {
  const flags = [PERMISSION, '--allow-fs-read=*', '--allow-worker'];
  expect(await run(ALL, { flags })).toEqual(all('ok', 'ok'));
});

it('the permission model with nothing but the package to read: copies know neither numbers nor times of threads', async () => {
  const folders = [ROOT, realpathSync(join(ROOT, 'node_modules'))];
  const flags = [PERMISSION, '--allow-worker', ...folders.map((folder) => `--allow-fs-read=${join(folder, '/')}`)];
  const code = `
    const { readFileSync } = await import('node:fs');
    const seen = [];
    try { readFileSync('/proc/self/stat'); } catch ({ code }) { seen.push(code); }
    const options = { threads: 2, memory: '32M', minParallelBytes: 0, caller: 'waits', niceIncrement: 5 };
    const engine = await CopyEngine.create(options);
    const [to, from] = [engine.allocate(5e6), engine.allocate(5e6)];
    for (const call of ['copy', 'copySync']) {
      from.fill(call.length);
      const { failed } = await engine[call](to, from);
      seen.push([failed.length, Buffer.compare(to, from)]);
    }
    await engine.close();
    console.log(JSON.stringify(seen));`;
  const denied = process.platform === 'linux' ? 'ERR_ACCESS_DENIED' : expect.any(String);
  expect(await run(code, { flags })).toEqual({ status: 0, seen: [denied, [0, 0], [0, 0]] });
});

it('an engine that could not be made leaves nothing of the memory taken', async () => {
  const code = `
    changeWorkers(failToStart);
    const memory = PhysicalMemory.create({ nodes: ['16M'] });
    const codes = new Set();
    for (let i = 0; i < 300; i++) codes.add((await outcome(CopyEngine.create({ threads: 2, memory }))).code);
    console.log(JSON.stringify([...codes]));`;
  expect(await run(code)).toEqual({ status: 0, seen: ['EAGAIN'] });
});

it('an engine whose threads die when no more can be started copies without them, and with them once they can', async () => {
  const code = `
    let isBroken = false;
    changeWorkers(() => isBroken && failToStart());
    const engine = await CopyEngine.create({ threads: 3, memory: '32M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(5e6), engine.allocate(5e6)];
    const seen = [];
    const copy = async (run) => {
      from.fill(seen.length + 1);
      const { failed } = await run();
      seen.push([failed.length, Buffer.compare(to, from), alive.size]);
    };
    isBroken = true;
    for (const worker of Array.from(alive)) await worker.terminate();
    await copy(() => engine.copy(to, from));
    await copy(() => engine.copySync(to, from));
    engine.threads = 5;
    // Longer than an engine keeps its workers while it is idle.
    await turns(250);
    await copy(() => engine.copy(to, from));
    isBroken = false;
    await copy(() => engine.copy(to, from));
    await engine.close();
    console.log(JSON.stringify(seen));`;
  const alone = [0, 0, 0];
  expect(await run(code)).toEqual({ status: 0, seen: [alone, alone, alone, [0, 0, 5]] });
});

it('a program whose CPU has no thread does not run later, on the thread of another', async () => {
  const code = `
    let left = 1;
    changeWorkers(() => left-- === 0 && failToStart());
    const machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K', populate: true });
    const store = (cpu) => outcome(machine.cpus.run(mm, program, { cpu, args: [['store8', address + cpu, 7]] }));
    const seen = await Promise.all([store(0), store(1)]);
    await turns(150);
    seen.push(...(await mm.read(address, 2)), alive.size, await store(1), ...(await mm.read(address, 2)));
    await machine.close();
    console.log(JSON.stringify(seen));`;
  const lost = { code: 'EAGAIN', cause: 'ERR_WORKER_INIT_FAILED' };
  expect(await run(code)).toEqual({ status: 0, seen: ['ok', lost, 7, 0, 1, 'ok', 7, 7] });
});

it('a program that found no thread before costs none its thread when one of two dies while it starts', async () => {
  const preload = fileURLToPath(new URL('../support/programs/late-start.cjs', import.meta.url));
  const code = `
    const preloads = [undefined, '/no/such.cjs', ${JSON.stringify(preload)}];
    changeWorkers(() => ({ execArgv: ['--require', preloads.shift() ?? failToStart()] }));
    const machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const run = async (cpu) => {
      const end = await outcome(machine.cpus.run(mm, program, { cpu, args: [] }));
      return end.cause ?? end;
    };
    const seen = [await run(0), ...(await Promise.all([run(0), run(1)])).sort()];
    await machine.close();
    console.log(JSON.stringify(seen));`;
  const seen = ['ERR_WORKER_INIT_FAILED', 'MODULE_NOT_FOUND', 'ok'];
  expect(await run(code)).toEqual({ status: 0, seen });
});

it('a program whose machine is closed before its thread has started fails with ESHUTDOWN', async () => {
  const preload = fileURLToPath(new URL('../support/programs/slow-start.cjs', import.meta.url));
  const code = `
    changeWorkers(() => ({ execArgv: ['--require', ${JSON.stringify(preload)}] }));
    const machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const running = outcome(machine.cpus.run(mm, program, { args: [] }));
    await machine.close();
    const { code } = await running;
    const late = await outcome(machine.cpus.run(mm, program));
    console.log(JSON.stringify([code, late.code]));`;
  expect(await run(code)).toEqual({ status: 0, seen: ['ESHUTDOWN', 'ESHUTDOWN'] });
});

it('a machine without CPUs, and planning, need no threads', async () => {
  const code = `
    changeWorkers(failToStart);
    const { planCopy } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'dist/index.js')).href)});
    const items = { to: Uint32Array.of(0), from: Uint32Array.of(4096), bytes: Uint32Array.of(4096) };
    const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
    const mm = machine.createAddressSpace();
    const { stats } = await machine.movePages(mm, mm.mmap({ length: '1M', populate: true }).pages(), { node: 1 });
    await machine.close();
    console.log(JSON.stringify([stats.succeeded, planCopy(items, 2).distribution]));`;
  const change = (dist: string) => rmSync(join(dist, 'threads/entry.cjs'));
  expect(await withDist(change, (dist) => run(code, { dist }))).toEqual({ status: 0, seen: [256, 'chunks'] });
});
