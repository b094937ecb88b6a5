/*
 * Runs schedules of all scenarios, and looks whether each mutant is found. Build it by `npm run schedules`, which runs it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Mutant, writeMutant } from './mutant.js';
import { type Outcome, RACE } from './outcome.js';
import { MUTANTS, suitesOf } from './suites.js';

const HELP = `Usage: npm run schedules -- [--seconds N] [--protocol TEXT] [--scenarios TEXT] [--mutants TEXT] [--seed N] [--json]

  --seconds N         time for schedules, shared by the scenarios, each of which takes half a second more to start; default 120
  --mutant-seconds N  time in which each mutant must be found; default 30
  --protocol TEXT     the scenarios and mutants of those alone whose names have it; may be given again
  --scenarios TEXT    those alone whose names have it, 'none' for none; may be given again
  --mutants TEXT      the same of mutants
  --seed N            of the schedules that are drawn; default 1
  --json              one object on the last line, and nothing else on standard output
  SCHEDULE=...        in the environment: runs that schedule again, and prints each operation
`;

const BUILD = dirname(fileURLToPath(import.meta.url));
const DIST = join(BUILD, '../../dist');
const EXPLORE = join(BUILD, 'explore.js');
/** Scenarios that run at once: each has one thread at a time. */
const AT_ONCE = 2;
/** A child that takes so much longer than its time hangs, in seconds. */
const PATIENCE = 30;
const TASKSET = '/usr/bin/taskset';
/** Where each lane runs: a thread that hands over to another on its own core needs no interrupt. None where it can't be said. */
const CORES = existsSync(TASKSET) ? allowedCores() : [];

interface Work {
  readonly dist: string;
  readonly scenario: string;
  readonly seconds: number;
}

/** The cores that this process may run on. */
function allowedCores(): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** One scenario in a process of its own. */
function explore({ dist, scenario, seconds }: Work, core: number | undefined, seed: number): Promise<Outcome> {
  const line = [process.execPath, EXPLORE, dist, scenario, String(seconds), String(seed)];
  const [command, ...rest] = core === undefined ? line : [TASKSET, '-c', String(core), ...line];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), (seconds + PATIENCE) * 1000);
  return outcomeOf(child, scenario, () => errors.slice(-2000)).finally(() => clearTimeout(timer));
}

/** What a child printed last, once it has ended. */
async function outcomeOf(child: ChildProcess, name: string, errors: () => string): Promise<Outcome> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  const [code, signal] = await once(child, 'close');
  const last = text.trim().split('\n').at(-1) ?? '';
  if (last.startsWith('{')) return JSON.parse(last);
  const failure = `the process ended with ${signal ?? code} and no result: ${errors()}`;
  return { name, schedules: 0, operations: 0, exhaustive: false, excused: [], failure };
}

/** All work, so many at once, each lane on a core of its own. */
async function exploreAll(work: readonly Work[], seed: number, report: (at: number, outcome: Outcome) => void) {
  const outcomes: Outcome[] = [];
  let next = 0;
  const lane = async (core: number | undefined) => {
    while (next < work.length) {
      const at = next++;
      outcomes[at] = await explore(work[at], core, seed);
      report(at, outcomes[at]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => lane(CORES[i % CORES.length])));
  return outcomes;
}

function chosen<T extends { readonly name: string }>(
  option: string,
  all: readonly T[],
  texts: readonly string[],
): readonly T[] {
  const unknown = texts.find((text) => text !== 'none' && !all.some(({ name }) => name.includes(text)));
  if (unknown !== undefined) throw new Error(`--${option}: nothing is called ${unknown}`);
  return all.filter(({ name }) => texts.some((text) => name.includes(text)));
}

/** What a failed scenario prints, and how to run its schedule again. */
function textOf(outcome: Outcome): string {
  const { name, failure, schedule, log = [] } = outcome;
  const again = schedule === undefined ? '' : `\n${againLine('dist', outcome)}`;
  return `${name}: ${failure}\n${log.map((line) => `  ${line}`).join('\n')}${again}\n`;
}

/** What runs a schedule again, of `dist` or of a mutant. */
function againLine(variant: string, { name, schedule }: Outcome): string {
  return `SCHEDULE='${variant.replaceAll("'", "'\\''")}|${name}|${schedule}' npm run schedules`;
}

/** Runs one schedule again, with a line for each operation on standard error. */
async function runAgain(schedule: string): Promise<number> {
  const [variant, scenario, decisions] = schedule.split('|');
  if (decisions === undefined) throw new Error(`SCHEDULE is not what a failure prints: ${schedule}`);
  const mutant = MUTANTS.find(({ name }) => name === variant);
  const dist = mutant ? writeMutant(DIST, BUILD, mutant) : DIST;
  const line = ['--enable-source-maps', EXPLORE, dist, scenario, '0', '1', decisions];
  const child = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'inherit'] });
  const { failure } = await outcomeOf(child, scenario, () => '');
  process.stdout.write(`${failure ?? 'nothing went wrong'}\n`);
  return failure === undefined ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '120' },
      'mutant-seconds': { type: 'string', default: '30' },
      protocol: { type: 'string', multiple: true, default: [''] },
      scenarios: { type: 'string', multiple: true, default: [''] },
      mutants: { type: 'string', multiple: true, default: [''] },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { SCHEDULE } = process.env;
  if (SCHEDULE) return runAgain(SCHEDULE);
  const say = (text: string) => (values.json ? process.stderr : process.stdout).write(text);
  const suites = suitesOf(values.protocol);
  const scenarios = chosen(
    'scenarios',
    suites.flatMap((suite) => suite.scenarios),
    values.scenarios,
  );
  const mutants = chosen(
    'mutants',
    suites.flatMap((suite) => suite.mutants),
    values.mutants,
  );
  const seconds = (Number(values.seconds) * AT_ONCE) / Math.max(scenarios.length, AT_ONCE);
  mkdirSync(BUILD, { recursive: true });

  const real = scenarios.map(({ name }) => ({ dist: DIST, scenario: name, seconds }));
  const outcomes = await exploreAll(real, Number(values.seed), (_, outcome) => say(lineOf(outcome)));
  for (const outcome of outcomes) if (outcome.failure) say(textOf(outcome));
  const excused = new Set(outcomes.flatMap((outcome) => outcome.excused));
  for (const race of excused) say(`known race  ${race}\n`);

  const mutated = mutants.map((mutant: Mutant) => ({
    dist: writeMutant(DIST, BUILD, mutant),
    scenario: mutant.scenario,
    seconds: Number(values['mutant-seconds']),
  }));
  const found = await exploreAll(mutated, Number(values.seed), (at, outcome) => say(mutantLine(mutants[at], outcome)));

  const result = {
    schedules: sum(outcomes, ({ schedules }) => schedules),
    operations: sum(outcomes, ({ operations }) => operations),
    scenarios: outcomes.map(({ name, schedules, exhaustive }) => ({ name, schedules, exhaustive })),
    mutants: { found: found.filter(isFound).length, of: found.length },
    races: outcomes.filter(({ failure }) => failure?.startsWith(RACE)).length,
    failures: outcomes.filter(({ failure }) => failure !== undefined).length,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.failures > 0 || result.mutants.found < result.mutants.of ? 1 : 0;
}

/** A mutant is found by a schedule; a process that came to no result has not found it. */
function isFound({ failure, schedule }: Outcome): boolean {
  return failure !== undefined && schedule !== undefined;
}

function lineOf({ name, schedules, operations, exhaustive, failure }: Outcome): string {
  const all = exhaustive ? ', all of at most 2 preemptions among them' : '';
  return `${failure ? 'FAILED' : 'ok'}  ${name}: ${schedules} schedules, ${operations} operations${all}\n`;
}

function mutantLine({ name }: Mutant, outcome: Outcome): string {
  if (!isFound(outcome)) return `SURVIVED  ${name}, in ${outcome.schedules} schedules ${outcome.failure ?? ''}\n`;
  const what = outcome.failure?.split('\n')[0];
  return `found  ${name}, after ${outcome.schedules} schedules: ${what}\n  ${againLine(name, outcome)}\n`;
}

function sum(outcomes: readonly Outcome[], count: (outcome: Outcome) => number): number {
  return outcomes.reduce((total, outcome) => total + count(outcome), 0);
}

process.exitCode = await main();
