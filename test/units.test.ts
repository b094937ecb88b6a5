import { formatSize, orderOf, parseSize } from 'mtcopy';
import { describe, expect, it } from 'vitest';

describe('sizes', () => {
  it('reads K, M and G as powers of two', () => {
    expect(['4K', '64k', '2M', '1G', '1.5G', '512MiB', 4096, '12'].map((size) => parseSize(size))).toEqual([
      4096, 65536, 2097152, 1073741824, 1610612736, 536870912, 4096, 12,
    ]);
  });

  it.each(['', 'many', '-1', '1T', 'NaN', '0.3K', '1e9'])('refuses %j', (size) => {
    expect(() => parseSize(size)).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining(`'${size}'`) }),
    );
  });

  it('shows sizes in the largest unit that fits', () => {
    expect([4096, 2097152, 1073741824, 1610612736, 1000].map(formatSize)).toEqual(['4K', '2M', '1G', '1.5G', '1000']);
  });

  it('knows the order of a folio size', () => {
    expect([4096, 65536, 2097152, 4194304].map(orderOf)).toEqual([0, 4, 9, 10]);
    expect(() => orderOf(8192 * 1024)).toThrow('EINVAL');
    expect(() => orderOf(5000)).toThrow('EINVAL');
  });
});
