import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/paths.js';
import { MUTANTS, SCENARIOS } from './suites.js';

const PAGE = readFileSync(join(ROOT, 'docs/verification.md'), 'utf8');
const [, PROMISES] = PAGE.split('## What is promised\n');
/** Names of scenarios in the table of promises; one that ends with "…" is of several. */
const NAMED = Array.from(PROMISES.split('\n## ')[0].matchAll(/^\| .*\|$/gm)).flatMap(([row]) =>
  Array.from(row.split('|')[2]?.matchAll(/`([^`]+)`/g) ?? [], ([, name]) => name),
);
const isNamed = (scenario: string, name: string) =>
  name.endsWith('…') ? scenario.startsWith(name.slice(0, -1)) : scenario === name;

it('each scenario that the page names is run, and each that is run holds a promise', () => {
  const names = SCENARIOS.map(({ name }) => name);
  expect(NAMED.filter((name) => !names.some((scenario) => isNamed(scenario, name)))).toEqual([]);
  expect(names.filter((scenario) => !NAMED.some((name) => isNamed(scenario, name)))).toEqual([]);
});

it('scenarios and mutants have names of their own, and each mutant a scenario', () => {
  const names = SCENARIOS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.filter(({ scenario }) => !names.includes(scenario)).map(({ name }) => name)).toEqual([]);
});
