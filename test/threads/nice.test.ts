import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { CopyEngine, Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { program, sharedWord, untilCounted } from '../support/programs.js';
import { watchWorkers } from '../support/threads.js';

const INCREMENT = 4;

/** The nice value of every thread of this process, by its number in the operating system. */
function niceValues(): Map<string, number> {
  const values = new Map<string, number>();
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      // Its name, in brackets, may have spaces. The nice value is the 19th field; the first after the name is the third.
      const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ').at(-1) as string;
      values.set(thread, Number(fields.split(' ')[19 - 3]));
    } catch {
      // It has ended since.
    }
  }
  return values;
}

/** How many workers `start` starts, and what those threads' nice values that differ from this one's have more than that. */
async function startedBy<T extends AsyncDisposable>(
  start: () => Promise<T>,
): Promise<{ workers: number; added: number[] }> {
  using workers = watchWorkers();
  const before = niceValues();
  const own = before.get(String(process.pid)) as number;
  await using _ = await start();
  const added = Array.from(niceValues()).filter(([thread]) => !before.has(thread));
  // Node.js starts threads of its own at any time, with this one's.
  return { workers: workers.alive.size, added: added.map(([, nice]) => nice - own).filter((more) => more !== 0) };
}

/** Why threads can't be told apart by their nice values here, if they can't. */
function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux tells the nice value of a thread';
  if ((niceValues().get(String(process.pid)) as number) > 19 - INCREMENT) return 'the tests are as nice as can be';
  try {
    createRequire(createRequire(import.meta.url).resolve('piscina'))('@napi-rs/nice');
    return undefined;
  } catch {
    return "Piscina's addon for nice values cannot be loaded";
  }
}

const reason = whyNot();
if (reason) console.info(`not tested: ${reason}`);

describe.skipIf(reason)('the nice value', () => {
  it.each([undefined, 0, INCREMENT])(
    "of an engine's workers is the caller's and niceIncrement: %s",
    async (increment) => {
      const nice = increment === undefined ? {} : { niceIncrement: increment };
      const { workers, added } = await startedBy(() => CopyEngine.create({ threads: 4, memory: '16M', ...nice }));
      expect(workers).toBeGreaterThan(1);
      expect(added).toEqual(new Array(increment ? workers : 0).fill(increment));
    },
  );

  it("of CPUs, and of a machine's workers, is the caller's", async () => {
    const { workers, added } = await startedBy(async () => {
      const machine = await Machine.boot({ nodes: ['16M'], cpus: 2, migrator: 'mtcopy', threads: 2 });
      const mm = machine.createAddressSpace();
      const ready = sharedWord();
      for (const cpu of [0, 1]) void machine.cpus.run(mm, program('run-until-stopped'), { cpu, args: { ready } });
      await untilCounted(ready, 2);
      return machine;
    });
    expect(workers).toBeGreaterThan(2);
    expect(added).toEqual([]);
  });
});
