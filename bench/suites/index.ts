import { runAsked } from '../support/run-asked.js';
import { dispatch } from './dispatch.js';
import { distributions } from './distributions.js';
import { migrations } from './migrations.js';
import { plan } from './plan.js';
import { rivals } from './rivals.js';
import { schedules } from './schedules.js';
import { threads } from './threads.js';

/*
 * The tinybench suites, one after the other. Usage: npm run bench [-- rivals threads ...]
 */

const suites: Readonly<Record<string, () => Promise<void>>> = {
  rivals,
  threads,
  distributions,
  schedules,
  dispatch,
  plan,
  migrations,
};

await runAsked('suite', suites);
