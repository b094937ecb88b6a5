import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';

const NODES = '/sys/devices/system/node/online';
const CPUS = 'devices/system/cpu/online';

describe('what is online', () => {
  it.each([
    [1, '0', 0, ''],
    [2, '0-1', 1, '0'],
    [11, '0-10', 2, '0-1'],
    [3, '0-2', 64, '0-63'],
  ])('%d nodes are listed as %j, %d CPUs as %j', async (nodes, nodeList, cpus, cpuList) => {
    await using machine = await Machine.boot({ nodes: Array(nodes).fill('4M'), cpus });
    const { sysfs } = machine;
    expect([sysfs.read(NODES), sysfs.read(CPUS)]).toEqual([nodeList, cpuList]);
    expect(sysfs.list('devices/system')).toEqual(['node', 'cpu']);
  });

  it.each([NODES, CPUS])('is EACCES to whoever writes to %s, whatever it is', async (path) => {
    await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 2 });
    for (const value of ['0-1', '0', '', 'all']) {
      expect(await errorOf(() => machine.sysfs.write(path, value))).toEqual(errno('EACCES'));
    }
    expect(machine.sysfs.read(path)).toBe('0-1');
  });
});
