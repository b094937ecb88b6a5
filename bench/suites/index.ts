import { dispatch } from './dispatch.js';
import { distributions } from './distributions.js';
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
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in suites));
if (unknown.length > 0) {
  console.error(`No suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`);
  process.exit(2);
}
for (const [name, run] of Object.entries(suites)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n${name}`);
  await run();
}
