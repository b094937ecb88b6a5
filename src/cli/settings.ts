import { type Command, InvalidArgumentError } from 'commander';
import { type Decided, decidedBy, type Part, type SysfsSetting } from 'mtcopy/experiments';

/** Lets a command's machines be told what is in their sysfs. */
export function addSetOption(command: Command): Command {
  return command.option(
    '--set <path=value>',
    'a file of sysfs, such as kernel/cpu_mt/threads=8; may be given several times (see mtcopy sysfs)',
    addSetting,
  );
}

function addSetting(text: string, before: readonly SysfsSetting[] = []): SysfsSetting[] {
  const end = text.indexOf('=');
  if (end < 0) throw new InvalidArgumentError('It must be a path, =, and a value.');
  return [...before, { path: text.slice(0, end), value: text.slice(end + 1) }];
}

/** A command's defaults, without those that sysfs is told. */
export function undecided<Defaults extends object>(
  defaults: Defaults,
  set: readonly SysfsSetting[] | undefined,
): Omit<Defaults, Decided> & Partial<Defaults> {
  const decided: ReadonlySet<string> = decidedBy(set);
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !decided.has(name))) as Defaults;
}

/** A result, with what was set beside it. */
export function withSet<Result extends object>(set: readonly SysfsSetting[] | undefined, result: Result) {
  return set ? { set, ...result } : result;
}

/** What is shown, with a line below it that says what was set. */
export function partsWithSet(set: readonly SysfsSetting[] | undefined, parts: readonly Part[]): readonly Part[] {
  return set ? [...parts, `Set: ${set.map(({ path, value }) => `${path}=${value}`).join(' ')}`] : parts;
}
