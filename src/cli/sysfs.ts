import Table from 'cli-table3';
import type { Command } from 'commander';
import { Machine, type SysfsFile } from 'mtcopy';
import { applySettings, type SysfsSetting } from 'mtcopy/experiments';
import { addJsonOption, present } from './present.js';
import { addProfileOption, type ProfileArguments, setByProfile } from './profile.js';
import { addSetOption, withSet } from './settings.js';

interface SysfsArguments extends ProfileArguments {
  set?: readonly SysfsSetting[];
  json?: boolean;
}

/** Columns of a table, with their borders and padding: 100 in all. */
const WIDTHS = [39, 22, 35];

/** Adds `mtcopy sysfs`. */
export function addSysfsCommand(program: Command): void {
  const command = program
    .command('sysfs')
    .description("show a machine's settings, as --set changes them: every file of its sysfs, its value and its meaning")
    .action(({ json, ...options }: SysfsArguments) => sysfs(setByProfile(options, undefined), json));
  addProfileOption(command);
  addSetOption(command);
  addJsonOption(command);
}

async function sysfs(set: readonly SysfsSetting[] | undefined, json: boolean | undefined): Promise<void> {
  await present('sysfs', json, {
    preparing: 'booting',
    measure: async () => withSet(set, { files: await filesOf(set) }),
    text: ({ files }) => filesTable(files),
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

function filesTable(files: readonly SysfsFile[]): string {
  const style = { compact: true, head: [], border: [] };
  const table = new Table({ head: ['/sys/', 'value', 'meaning'], colWidths: WIDTHS, wordWrap: true, style });
  for (const { path, value, writable, doc } of files) {
    // Masks are long, and have no spaces to break a line at.
    const wrapped = value.replaceAll(',', ',\n');
    table.push([path.replace('/sys/', ''), wrapped, writable ? doc : `${doc} (read-only)`]);
  }
  return `${table}`;
}
