import { ErrnoError } from 'mtcopy';

/** Throws what it is told to. */
export default function fail(_cpu, { kind }) {
  if (kind === 'ErrnoError') throw new ErrnoError('ENODEV', 'no such thing: really');
  if (kind === 'RangeError') throw new RangeError('out of range');
  throw kind;
}
