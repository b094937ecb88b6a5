import type { Command } from 'commander';
import { Machine, MIGRATOR_NAMES, type SysfsFile } from 'mtcopy';
import { applySettings, type Sheet, type SysfsSetting } from 'mtcopy/experiments';
import { addExamples } from './examples.js';
import { addOutputOptions, type Invocation, type OutputArguments, present } from './present.js';
import { addProfileOption, type ProfileArguments, setByProfile } from './profile.js';
import { addSetOption, withSet } from './settings.js';

interface SysfsArguments extends OutputArguments, ProfileArguments {
  set?: readonly SysfsSetting[];
}

/** Adds `mtcopy sysfs`. */
export function addSysfsCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('sysfs')
    .description("show a machine's settings, as --set changes them: every file of its sysfs, its value and its meaning")
    .action((options: SysfsArguments) => sysfs(invocation, options));
  addProfileOption(command);
  addSetOption(command);
  addOutputOptions(command);
  addExamples(command, {
    'sysfs --set kernel/cpu_mt/threads=8': 'Every setting, of which one is changed',
  });
}

async function sysfs(invocation: Invocation, options: SysfsArguments): Promise<void> {
  // As a machine with that profile has them: each migrator has its settings, whichever copies.
  const set = setByProfile(options, undefined, MIGRATOR_NAMES);
  const { signal } = invocation;
  await present('sysfs', invocation, options, {
    preparing: 'booting',
    measure: async () => {
      const files = await filesOf(set);
      return withSet(set, { files: signal.aborted ? [] : files });
    },
    rows: ({ files }) => files,
    parts: ({ files }) => [filesSheet(files)],
  });
}

async function filesOf(set: readonly SysfsSetting[] | undefined): Promise<SysfsFile[]> {
  // As many nodes and CPUs as a machine has unless told otherwise.
  const machine = await Machine.boot({ nodes: ['4M', '4M'] });
  try {
    await applySettings(machine, set);
    return machine.sysfs.files();
  } finally {
    await machine.close();
  }
}

function filesSheet(files: readonly SysfsFile[]): Sheet {
  return {
    texts: ['/sys/'],
    numbers: [],
    prose: ['value', 'meaning'],
    rows: files.map(({ path, value, writable, doc }) => [
      path.replace('/sys/', ''),
      value,
      writable ? doc : `${doc} (read-only)`,
    ]),
  };
}
