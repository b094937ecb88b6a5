import type { Machine, Migrator } from 'mtcopy';
import { createKernelMigrator } from '#src/migrators/kernel.js';

/** A migrator that waits, at its first copy, to be told to go on; then it copies as the kernel's does. */
interface TestMigrator extends Migrator {
  /** Resolves once the first copy is asked for. */
  readonly entered: Promise<void>;
  readonly go: () => void;
}

export function createTestMigrator({ memory }: Pick<Machine, 'memory'>): TestMigrator {
  const kernel = createKernelMigrator(memory);
  let enter = () => {};
  let go = () => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const isLetGo = new Promise<void>((resolve) => {
    go = resolve;
  });
  return {
    name: 'test',
    entered,
    go: () => go(),
    async copyFolio(...args) {
      enter();
      await isLetGo;
      return kernel.copyFolio(...args);
    },
    async copyFolios(...args) {
      enter();
      await isLetGo;
      await kernel.copyFolios(...args);
    },
  };
}
