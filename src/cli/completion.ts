import { Argument, type Command, type Option } from 'commander';
import { type WordParser, word } from './arguments.js';
import { addExamples } from './examples.js';
import type { Invocation } from './present.js';
import { write } from './shell.js';

/** An option as shells complete it. */
interface Flag {
  readonly long: string;
  readonly what: string;
  /** What is to follow: nothing, one of some words or a list of them, a file, or anything. */
  readonly value: 'none' | 'word' | 'list' | 'file' | 'any';
  readonly choices: readonly string[];
}

/** A command as shells complete it. */
interface Completed {
  readonly name: string;
  readonly what: string;
  readonly flags: readonly Flag[];
  /** What its arguments may be. */
  readonly choices: readonly string[];
  /** Whether they are files. */
  readonly takesFiles: boolean;
}

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript };
const NAMES = Object.keys(SHELLS) as (keyof typeof SHELLS)[];

const NPX = `
The scripts complete mtcopy; that of bash also npx mtcopy, once it is read: bash reads a file of that folder when it
first completes mtcopy, so for npx add "source ~/.local/share/bash-completion/completions/mtcopy" to ~/.bashrc. For zsh
and fish have a command of that name: npm install --global mtcopy, or in ~/.zshrc mtcopy() { npx mtcopy "$@" }, or in fish
alias --save mtcopy "npx mtcopy".`;

/** Adds `mtcopy completion`. */
export function addCompletionCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('completion')
    .description('print a script that has a shell complete these commands, their options and what those may be')
    .addArgument(new Argument('<shell>', NAMES.join(', ')).argParser(word(...NAMES)))
    .action((shell: keyof typeof SHELLS) => write(invocation.stdout, SHELLS[shell](completedOf(program))));
  addExamples(command, {
    'completion bash > ~/.local/share/bash-completion/completions/mtcopy': 'From the next bash on',
    'completion fish > ~/.config/fish/completions/mtcopy.fish': 'From the next fish on',
  });
  command.addHelpText('after', NPX);
}

function completedOf(program: Command): Completed[] {
  return program.commands.map((command) => ({
    name: command.name(),
    what: firstPart(command.description()),
    flags: [
      ...command.options.filter(({ hidden }) => !hidden).map(flagOf),
      { long: '--help', what: 'show help', value: 'none', choices: [] },
    ],
    choices: command.registeredArguments.flatMap((argument) => choicesOf(argument)),
    takesFiles: command.registeredArguments.some((argument) => argument.name() === 'files'),
  }));
}

function flagOf(option: Option): Flag {
  const { long, flags, description } = option;
  const choices = choicesOf(option);
  const isList = (option.parseArg as Partial<WordParser<unknown>> | undefined)?.isList;
  const words = isList ? 'list' : 'word';
  const free = flags.includes('<file>') ? 'file' : 'any';
  const value = !option.required ? 'none' : choices.length > 0 ? words : free;
  return { long: long ?? flags, what: firstPart(description), value, choices };
}

function choicesOf({ parseArg }: { parseArg?: unknown }): readonly string[] {
  return (parseArg as Partial<WordParser<unknown>> | undefined)?.choices ?? [];
}

/** A description without its list of words, and without what shells would read as their own. */
function firstPart(description: string): string {
  return description
    .replace(/[:(].*$/s, '')
    .replaceAll(/['"`$\\[\]]/g, '')
    .trim();
}

function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, flags, choices, takesFiles }) => {
    const of = (...values: Flag['value'][]) => flags.filter(({ value }) => values.includes(value));
    const words = of('word').map((flag) => `      ${flag.long}) words='${flag.choices.join(' ')}' ;;\n`);
    const lists = of('list').map((flag) => `      ${flag.long}) words='${flag.choices.join(' ')}' list=1 ;;\n`);
    const files = of('file').map((flag) => `      ${flag.long}) COMPREPLY=($(compgen -f -- "$cur")); return ;;\n`);
    const others = of('any').map(({ long }) => long);
    const any = others.length > 0 ? `      ${others.join('|')}) return ;;\n` : '';
    const all = [...flags.map(({ long }) => long), ...choices].join(' ');
    return `    ${name}) case "$prev" in\n${[...words, ...lists, ...files].join('')}${any}      *) words='${all}'${takesFiles ? ' files=1' : ''} ;;\n      esac ;;\n`;
  });
  return `# bash completion of mtcopy
_mtcopy() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words='' list='' files='' before='' i="\${1:-1}"
  while [[ $i -lt $COMP_CWORD && "\${COMP_WORDS[i]}" == -* ]]; do i=$((i + 1)); done
  COMPREPLY=()
  if [[ $i -ge $COMP_CWORD ]]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help --help --version' -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[i]}" in
${cases.join('')}    *) return ;;
  esac
  if [[ -n "$list" && "$cur" == *,* ]]; then before="\${cur%,*},"; fi
  COMPREPLY=($(compgen -P "$before" -W "$words" -- "\${cur#"$before"}" || true))
  if [[ -n "$files" ]]; then COMPREPLY+=($(compgen -f -- "$cur" || true)); fi
}
_mtcopy_alone() { _mtcopy 1; }
complete -F _mtcopy_alone mtcopy

# npx mtcopy; npx of anything else is completed as it was, if by a function, or else as files
_mtcopy_npx() {
  if [[ $COMP_CWORD -gt 1 && "\${COMP_WORDS[1]}" == mtcopy ]]; then
    compopt +o default +o bashdefault 2> /dev/null || true
    _mtcopy 2
  elif [[ -n "$_mtcopy_npx_else" ]]; then
    "$_mtcopy_npx_else" "$@"
  else
    COMPREPLY=()
  fi
}
_mtcopy_npx_spec="$(complete -p npx 2> /dev/null || true)"
if [[ -z "$_mtcopy_npx_spec" ]]; then
  _mtcopy_npx_else=''
  complete -o bashdefault -o default -F _mtcopy_npx npx
elif [[ "$_mtcopy_npx_spec" != *' _mtcopy_npx '* && "$_mtcopy_npx_spec" =~ ' -F '([^ ]+)' ' ]]; then
  _mtcopy_npx_else="\${BASH_REMATCH[1]}"
  eval "\${_mtcopy_npx_spec/ -F $_mtcopy_npx_else / -F _mtcopy_npx }"
fi
unset _mtcopy_npx_spec
`;
}

function zshScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name, what }) => `    '${name}:${what}'\n`);
  const cases = commands.map(({ name, flags, choices, takesFiles }) => {
    const specs = flags.map(({ long, what, value, choices }) => {
      const action: Record<Flag['value'], string> = {
        none: '',
        word: `:value:(${choices.join(' ')})`,
        list: `:list:_values -s , value ${choices.join(' ')}`,
        file: ':file:_files',
        any: ':value: ',
      };
      return `      '${long}[${what}]${action[value]}'`;
    });
    if (choices.length > 0) specs.push(`      '*:argument:(${choices.join(' ')})'`);
    if (takesFiles) specs.push("      '*:file:_files'");
    return `    ${name}) _arguments \\\n${specs.join(' \\\n')} ;;\n`;
  });
  return `#compdef mtcopy
_mtcopy() {
  local -a commands
  commands=(
${names.join('')}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('')}  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _mtcopy "$@"; else compdef _mtcopy mtcopy; fi
`;
}

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, what, flags, choices, takesFiles }) => {
    const when = `-n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c mtcopy -f -n __fish_use_subcommand -a ${name} -d '${what}'`,
      ...flags.map((flag) => `complete -c mtcopy ${when} -l ${flag.long.slice(2)}${fishValue(flag)} -d '${flag.what}'`),
      ...(takesFiles ? [`complete -c mtcopy -F ${when}`] : []),
      ...(choices.length > 0 ? [`complete -c mtcopy -f ${when} -a '${choices.join(' ')}'`] : []),
    ];
  });
  return `# fish completion of mtcopy\n${lines.join('\n')}\n`;
}

function fishValue({ value, choices }: Flag): string {
  const values: Record<Flag['value'], string> = {
    none: '',
    word: ` -x -a '${choices.join(' ')}'`,
    // fish takes what follows the last comma for a word of its own.
    list: ` -x -a '(__fish_complete_list , "string split \\" \\" ${choices.join(' ')}")'`,
    file: ' -r -F',
    any: ' -x',
  };
  return values[value];
}
