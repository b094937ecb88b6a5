import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mtcopy } from '../support/command.js';

const SHELLS = ['bash', 'zsh', 'fish'];
const isThere = (shell: string) => spawnSync(shell, ['--version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'mtcopy-completion-'));
const file = (shell: string) => join(folder, `completion.${shell}`);

beforeAll(async () => {
  for (const shell of SHELLS) writeFileSync(file(shell), (await mtcopy('completion', shell)).stdout);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What bash runs for the completion of a command, which is looked up as bash does, after `before`. */
function byBash(before: string, line: string): string[] {
  const words = line.split(' ');
  const list = words.map((word) => `'${word}'`).join(' ');
  const script = `${before}
source ${file('bash')}
COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}
[[ "$(complete -p ${words[0]})" =~ ' -F '([^ ]+)' ' ]] && "\${BASH_REMATCH[1]}" ${words[0]} '${words.at(-1)}' '${words.at(-2)}'
echo "\${COMPREPLY[*]}"; complete -p npx`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-uc', script], { encoding: 'utf8', cwd: folder });
  expect(stderr).toBe('');
  return stdout.trimEnd().split('\n');
}

/** What bash offers for a line whose last word is being typed, for each line. */
function offered(lines: readonly string[]): string[][] {
  const ask = lines.map((line) => {
    const words = line.split(' ');
    const list = words.map((word) => `'${word}'`).join(' ');
    return `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _mtcopy; echo "\${COMPREPLY[*]}"`;
  });
  const script = [`source ${file('bash')}`, ...ask].join('\n');
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-euc', script], { encoding: 'utf8', cwd: folder });
  expect(stderr).toBe('');
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').filter((word) => word !== ''));
}

describe('the completion of bash', () => {
  it('offers commands, options, and what those may be', () => {
    const asked: [string, string[]][] = [
      ['mtcopy co', ['copy', 'completion']],
      ['mtcopy --ver', ['--version']],
      ['mtcopy migrate --batch-', ['--batch-limit', '--batch-unit']],
      ['mtcopy migrate --batch-unit ', ['pages', 'folios']],
      ['mtcopy migrate --flow se', ['serial']],
      ['mtcopy migrate --flow serial,pre', ['serial,pre-copy']],
      ['mtcopy copy --frames ', ['sequential', 'shuffled']],
      ['mtcopy copy --total ', []],
      ['mtcopy copy --input completion.', ['completion.bash', 'completion.fish', 'completion.zsh']],
      ['mtcopy report --output completion.', ['completion.bash', 'completion.fish', 'completion.zsh']],
      ['mtcopy report one.json completion.', ['completion.bash', 'completion.fish', 'completion.zsh']],
      ['mtcopy pmbench --stores ', ['auto', 'cached', 'streaming']],
      ['mtcopy reproduce --stores s', ['streaming']],
      ['mtcopy reproduce cyc', ['cycles-per-page']],
      ['mtcopy completion ', ['bash', 'zsh', 'fish', '--help']],
      ['mtcopy nothing --', []],
    ];
    const all = offered(asked.map(([line]) => line));
    for (const [i, [line, words]] of asked.entries())
      expect([line, ...(all[i] ?? []).sort()]).toEqual([line, ...words.sort()]);
  });

  it('is of npx too where what that runs is mtcopy', () => {
    expect(byBash('', 'npx mtcopy migrate --batch-unit f')[0]).toBe('folios');
    expect(byBash('', 'npx mtcopy co')[0]).toBe('copy completion');
    expect(byBash('', 'mtcopy migrate --batch-unit f')[0]).toBe('folios');
    expect(byBash('', 'npx other --batch-unit f')[0]).toBe('');
    expect(byBash('', 'npx mt')[1]).toBe('complete -o bashdefault -o default -F _mtcopy_npx npx');
  });

  it('leaves to npx what it had', () => {
    const own = '_own() { COMPREPLY=("$1" own); }; complete -o nospace -F _own npx';
    expect(byBash(own, 'npx other --fl')).toEqual(['npx own', 'complete -o nospace -F _mtcopy_npx npx']);
    expect(byBash(own, 'npx mtcopy sys')[0]).toBe('sysfs');
    // Read twice it is still there.
    expect(byBash(`${own}; source ${file('bash')}`, 'npx other --fl')[0]).toBe('npx own');
    // What is no function is not called by one.
    const words = spawnSync('bash', ['--norc', '-c', `complete -W 'a b' npx; source ${file('bash')}; complete -p npx`]);
    expect(String(words.stdout)).toBe("complete -W 'a b' npx\n");
  });

  it('offers every option that the help has', async () => {
    for (const name of ['copy', 'migrate', 'pmbench', 'reproduce', 'report', 'sysfs']) {
      const { stdout } = await mtcopy(name, '--help');
      const listed = Array.from(stdout.matchAll(/^ +(?:-\w, )?(--[\w-]+)/gm), ([, option]) => option);
      const [words] = offered([`mtcopy ${name} --`]);
      expect(words.sort()).toEqual(listed.sort());
    }
  });
});

describe.each(SHELLS)('the script of %s', (shell) => {
  it.skipIf(!isThere(shell))('is one for that shell', () => {
    const { status, stderr } = spawnSync(shell, ['-n', file(shell)], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('has every command with its options, and no quote that is left open', async () => {
    const { stdout } = await mtcopy('completion', shell);
    for (const word of ['copy', 'migrate', 'pmbench', 'reproduce', 'sysfs', 'batch-limit', 'baseline', 'pre-copy']) {
      expect(stdout).toContain(word);
    }
    for (const line of stdout.split('\n')) {
      if (!/^#|^ *if|words\[/.test(line)) expect(line.split("'").length % 2, line).toBe(1);
    }
    expect(stdout).not.toContain('`');
  });
});

it('knows no other shell', async () => {
  const { status, stdout, stderr } = await mtcopy('completion', 'csh');
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain("'csh' is none of bash, zsh, fish");
});
