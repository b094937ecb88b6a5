import { escaped } from '../escape.js';
import type { Source } from '../read/source.js';
import { tableHtml } from './table.js';

const HOST = ['CPU', 'cores', 'memory', 'system'];

/** Which file is which: what was run, when, and on what. The host stands above if all have the same. */
export function sourcesHtml(sources: readonly Source[]): string {
  const hosts = sources.map(hostOf);
  const isOne = hosts.every((host) => host.join() === hosts[0].join());
  const [cpu, cores, memory, system] = hosts[0];
  const on = `<p>Measured on ${escaped(`${cpu}, ${cores} ${cores === '1' ? 'core' : 'cores'}, ${memory}, ${system}`)}.</p>`;
  const heads = ['', 'file', ...(isOne ? [] : HOST), 'measured', 'mtcopy', 'command'];
  const rows = sources.map(({ label, name, result }, i) => [
    label,
    name,
    ...(isOne ? [] : hosts[i]),
    `${result.date.slice(0, 16).replace('T', ' ')} UTC`,
    result.version,
    `mtcopy ${result.arguments.join(' ')}${result.cutShort ? ' (cut short: not every run was made)' : ''}`,
  ]);
  const label = 'Files of this report';
  return `${isOne ? on : ''}${tableHtml({ heads, names: heads.length, prose: 1, rows, label })}`;
}

function hostOf({ result: { host } }: Source): string[] {
  const { cpu, cores, memoryBytes, platform, arch, node } = host;
  return [cpu, String(cores), `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`, `${platform} ${arch}, Node.js ${node}`];
}
