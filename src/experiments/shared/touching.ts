import { setTimeout as sleep } from 'node:timers/promises';
import { type Area, ErrnoError, MAX_CPUS, type Machine, MiB, PAGE_SIZE } from 'mtcopy';
import type { ToucherArgs } from './toucher.js';

/** CPUs that touch memory until they are told to end. */
export interface Touching {
  /** Ends them. @throws ErrnoError EIO if a store of theirs is missing; whatever they threw */
  end(): Promise<void>;
}

const PROGRAM = new URL('./toucher.js', import.meta.url);

/**
 * Has every CPU of the machine load and store at random all over some areas; resolves once they do.
 *
 * @param areas zeros, of one address space, each of which begins where the one before it ends
 * @param seed what they draw pages by, a whole number. Default: 0
 * @throws ErrnoError EINVAL for areas that do not
 */
export async function startTouching(machine: Machine, areas: readonly Area[], seed = 0): Promise<Touching> {
  const [{ mm, address }] = areas;
  const ends = areas.map((area) => area.address + area.length);
  if (areas.some((area, i) => i > 0 && area.address !== ends[i - 1])) {
    throw new ErrnoError('EINVAL', 'areas: each must begin where the one before it ends');
  }
  const begun = new Int32Array(new SharedArrayBuffer(4));
  const pages = (ends[ends.length - 1] - address) / PAGE_SIZE;
  const args: ToucherArgs = { address, pages, pageBytes: PAGE_SIZE, seed: seed * MAX_CPUS, begun };
  const { cpus } = machine;
  const programs = Array.from({ length: cpus.count }, (_, cpu) => cpus.run(mm, PROGRAM, { cpu, args }));
  const ended = Promise.all(programs) as Promise<number[]>;
  // Until it is awaited below; the CPU is then found to be idle.
  ended.catch(() => {});
  while (cpus.busy.length === cpus.count && Atomics.load(begun, 0) < programs.length) await sleep(1);
  return {
    async end() {
      cpus.stop();
      const made = (await ended).reduce((sum, stores) => sum + stores, 0);
      let found = 0;
      for (const area of areas) found += await sumWords(area);
      if (found !== made) throw new ErrnoError('EIO', `${made - found} of ${made} stores are missing`);
    },
  };
}

/** Every 32-bit word of an area, added up. */
async function sumWords({ mm, address, length }: Area): Promise<number> {
  let sum = 0;
  for (let done = 0; done < length; done += MiB) {
    const { buffer } = await mm.read(address + done, Math.min(MiB, length - done));
    for (const word of new Uint32Array(buffer)) sum += word;
  }
  return sum;
}
