import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mtcopy } from '../support/command.js';
import { DOCUMENTS } from '../support/markdown.js';
import { ROOT } from '../support/paths.js';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const HELP: Record<string, string> = {};
for (const name of ['copy', 'migrate', 'pmbench', 'reproduce', 'report', 'sysfs', 'tune', 'completion']) {
  HELP[name] = (await mtcopy(name, '--help')).stdout;
}

/** The anchor of a heading, as hosts of repositories make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

function anchorsOf(text: string): string[] {
  return Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) => anchorOf(heading));
}

it('the README has 150 lines at most', () => {
  const readme = DOCUMENTS.find(({ path }) => path === 'README.md');
  expect(readme?.text.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

describe.each(DOCUMENTS)('$path', ({ path, text }) => {
  it('links to files and headings that exist', () => {
    const broken = Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, link]) => link).filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [file, anchor] = link.split('#');
      const target = file === '' ? join(ROOT, path) : join(ROOT, dirname(path), file);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const named = Array.from(text.matchAll(/npm run ([\w:-]+)/g), ([, script]) => script);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });

  it('names options that the commands have', () => {
    const missing = Array.from(text.matchAll(/npx mtcopy (\w+)([^`\n]*)/g)).flatMap(([, command, rest]) => {
      const options = rest.match(/--[\w-]+/g) ?? [];
      return options.filter((option) => !HELP[command]?.includes(option)).map((option) => `${command} ${option}`);
    });
    expect(missing).toEqual([]);
  });

  it('names files of the source that exist', () => {
    const named = Array.from(text.matchAll(/`((?:src|bench|test|docs)\/[\w./-]*)`/g), ([, file]) => file);
    expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});
