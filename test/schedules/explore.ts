/*
 * Runs the schedules of one scenario, in a process of its own, which ends with the first failure.
 * Usage: node build/schedules/explore.js DIST SCENARIO SECONDS SEED [SCHEDULE]
 */
import { writeSync } from 'node:fs';
import { scheduleAtomics } from './atomics.js';
import {
  ANYTIME,
  AT_LAST,
  AT_ONCE,
  createControl,
  DECISIONS,
  DIED,
  DIES_AT,
  DYING,
  EARLY,
  EARLY_BLOCKS,
  EVENTS,
  FIXED,
  LAST,
  LOGGED,
  MAIN,
  MAX_STEPS,
  MAX_THREADS,
  OPERATIONS,
  OUT,
  of,
  openControl,
  POLLS,
  READY,
  STATE,
  STEPS,
  TICKET,
  TICKETS,
  TIME_PASSES,
  VERBOSE,
} from './control.js';
import { createEventLoop } from './event-loop.js';
import { failureOf, lastOperations } from './log.js';
import { type Outcome, RACE } from './outcome.js';
import type { Stage } from './protocol.js';
import { createClocks, findRaces, racesIn, raceText } from './races.js';
import { openRegions } from './regions.js';
import { byPriority, depthFirst, replay, type Strategy } from './strategies.js';
import { scenarioOf } from './suites.js';
import { endDead, preloadThreads } from './threads.js';

/** Operations of one schedule; the longest have a few hundred. */
const MOST_STEPS = 20_000;
/** Preemptions of the schedules that are all run, and depth of those that are drawn. */
const BOUNDS = [0, 1, 2];
const DEPTH = 3;
/** Share of the time for schedules that are all run. */
const SYSTEMATIC = 0.7;

const [dist, name, secondsText, seedText, schedule] = process.argv.slice(2);
const { suite, scenario } = scenarioOf(name);
const now = performance.now.bind(performance);
const seconds = Number(secondsText);

const { protocol } = suite;
const shared = { protocol: protocol.name, control: createControl(), clocks: createClocks() };
const control = openControl(shared.control, protocol);
const { words } = control;
const number = () => MAIN;
const regions = openRegions(control);
const races = findRaces(control, shared.clocks, regions, number);
preloadThreads(shared, races);
const loop = createEventLoop(control, races);
let schedules = 0;
let operations = 0;
let exhaustive = false;

const scheduler = scheduleAtomics(control, regions, races, {
  number,
  become() {},
  onFailure: () => end(failureOf(control)),
  onDied: () => endDead(control, races),
  waitAsync: loop.waitAsync,
  print: (line) => writeSync(2, `${line}\n`),
});

/** Prints what came of it, and ends the process, whose threads may stand anywhere. */
function end(failure?: string): never {
  const outcome: Outcome = failure
    ? { ...counts(), exhaustive: false, failure, schedule: scheduleText(), log: lastOperations(control) }
    : counts();
  writeSync(1, JSON.stringify(outcome));
  process.exit();
}

function counts() {
  const excused = racesIn(control).filter((race) => suite.excuseFor(control, race) !== undefined);
  return { name, schedules, operations, exhaustive, excused: excused.map((race) => raceText(control, race)) };
}

/** What runs a schedule again: who dies at which operation, and the decisions. */
function scheduleText(): string {
  const death = words[DYING] > 0 ? `x${words[DYING]}.${words[DIES_AT]}.` : '';
  return `${death}${Array.from(control.chosen.subarray(0, words[DECISIONS]), (one) => one.toString(36)).join('')}`;
}

/** A stage whose threads have come into the schedule, and sleep. */
async function open(): Promise<Stage> {
  const opened = await suite.setStage({ control, regions, races, scheduler, loop, dist }, scenario);
  await opened.enter();
  await reset(opened);
  words[FIXED] = 1;
  scheduler.yieldAs(LAST);
  words[FIXED] = 0;
  words[of(MAIN, STATE)] = OUT;
  return opened;
}

/** All counts, and what is the protocol's, as they are at the beginning of a schedule. */
async function reset(stage: Stage): Promise<void> {
  loop.forgetWaits();
  await stage.reset();
  for (const word of [STEPS, DECISIONS, LOGGED, EVENTS, POLLS, DIED, ANYTIME]) words[word] = 0;
  words[TICKETS] = MAX_THREADS;
  for (let thread = 0; thread < MAX_THREADS; thread++) {
    words[of(thread, OPERATIONS)] = 0;
    // Who sleeps longest does not depend on the schedule before.
    words[of(thread, TICKET)] = thread;
  }
  races.orderAll();
  words[of(MAIN, STATE)] = READY;
}

/** Runs one schedule, from rest to rest. */
async function runOnce(): Promise<void> {
  stage ??= await open();
  const set = stage;
  await reset(set);
  try {
    await loop.run(scheduler, async () => set.run());
    stage = await rest(set);
  } catch (error) {
    end(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const race = racesIn(control).find((one) => suite.excuseFor(control, one) === undefined);
  if (race) end(`${RACE}${raceText(control, race)}`);
  schedules++;
  operations += words[STEPS];
}

/** Looks whether a schedule has left all as it should; returns the stage for the next. */
async function rest(stage: Stage): Promise<Stage | undefined> {
  if (scenario.closes) {
    stage.strike();
    return undefined;
  }
  stage.lookAll();
  words[of(MAIN, STATE)] = OUT;
  await stage.checkRest();
  return stage;
}

/** Runs schedules until there are no more, or the time is over; returns whether all were run. */
async function runAll(next: Strategy, until: number): Promise<boolean> {
  while (now() < until) {
    if (!next(control)) return true;
    await runOnce();
  }
  return false;
}

/** Ends each worker at each of its operations, in schedules that differ more and more. */
async function runDeaths(until: number, seed: number): Promise<void> {
  const straight: Strategy = replay(new Uint8Array());
  for (let round = 0; round === 0 || now() < until; round++) {
    const strategy = round === 0 ? straight : byPriority(DEPTH, seed + round);
    for (let thread = 1; thread <= suite.threads(scenario); thread++) {
      words[DYING] = thread;
      for (words[DIES_AT] = 1; words[DIES_AT] === 1 || now() < until; words[DIES_AT]++) {
        strategy(control);
        await runOnce();
        // It has none so late.
        if (words[of(thread, OPERATIONS)] < words[DIES_AT]) break;
      }
    }
  }
}

function timePasses(): number {
  if (scenario.isImpatient) return scenario.hasNoTimers ? EARLY_BLOCKS : EARLY;
  if (scenario.isHurried) return AT_ONCE;
  return scenario.dies || scenario.timesOut ? AT_LAST : 0;
}

words[MAX_STEPS] = MOST_STEPS;
words[TIME_PASSES] = timePasses();
let stage: Stage | undefined = await open();
// The time to start is not the schedules'.
const began = now();
const until = began + seconds * 1000;
if (schedule !== undefined) {
  const [, dying, at, decisions] = /^(?:x(\d+)\.(\d+)\.)?(\w*)$/.exec(schedule) ?? [];
  if (decisions === undefined) throw new Error(`not a schedule: ${schedule}`);
  words[DYING] = Number(dying ?? 0);
  words[DIES_AT] = Number(at ?? 0);
  words[VERBOSE] = 1;
  replay(Uint8Array.from(decisions, (one) => Number.parseInt(one, 36)))(control);
  await runOnce();
} else if (scenario.dies) {
  await runDeaths(until, Number(seedText));
} else {
  for (const bound of BOUNDS) {
    exhaustive = await runAll(depthFirst(bound), began + seconds * 1000 * SYSTEMATIC);
  }
  await runAll(byPriority(DEPTH, Number(seedText)), until);
}
end();
