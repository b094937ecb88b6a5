/** The kernel's names for what goes wrong, as this library uses them. Numbers are Linux's, from asm-generic/errno.h. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EIO: 5,
  E2BIG: 7,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ERANGE: 34,
  EOPNOTSUPP: 95,
  // The C library's name for the same number.
  ENOTSUP: 95,
  ESHUTDOWN: 108,
  ETIMEDOUT: 110,
  ECANCELED: 125,
  EHWPOISON: 133,
} as const;

/** Characters of an error message; what a path or a name in it has beyond that stands for nothing. */
const MOST_SAID = 900;
/** Characters that an error message shows of a value. */
const MOST_SHOWN = 200;

/**
 * The kernel's name of an error, for instance `'EINVAL'`.
 *
 * @useDeclaredType
 */
export type ErrnoCode = keyof typeof ERRNO;

/**
 * The name of an error number, negative or not: `'EBUSY'` for -16. `undefined` for a number that is none of this library's.
 */
export function errnoName(errno: number): ErrnoCode | undefined {
  const found = Object.entries(ERRNO).find(([, number]) => number === errno || -number === errno);
  return found?.[0] as ErrnoCode | undefined;
}

/**
 * An error with the kernel's `code`. Its message names the offending value and says what to do instead.
 *
 * Nothing was changed by the call that threw it, unless its documentation says what was.
 */
export class ErrnoError extends Error {
  /** That of the class, which those derived from it have too: `code` says what it is. */
  override readonly name = 'ErrnoError';
  /** The kernel's name of the error. */
  readonly code: ErrnoCode;
  /** Linux's number for `code`, negative, as Node.js gives it on its own system errors. */
  readonly errno: number;

  /**
   * @param code the kernel's name of the error
   * @param message what is wrong, which value is, and what to do; the code comes before it
   * @param options the `cause`. Default: none
   * @throws ErrnoError EINVAL for a code that is none, or a message that is no string
   */
  constructor(code: ErrnoCode, message: string, options?: ErrorOptions) {
    if (typeof code !== 'string' || !Object.hasOwn(ERRNO, code))
      throw invalid('code', "must be an errno's name, such as 'EINVAL'", code);
    if (typeof message !== 'string') throw invalid('message', 'must be a string', message);
    super(`${code}: ${shortened(message)}`, options);
    this.code = code;
    this.errno = -ERRNO[code];
  }
}

/** A message without the middle of what is too long in it, such as a path that is none. */
function shortened(message: string): string {
  return message.length <= MOST_SAID
    ? message
    : `${message.slice(0, MOST_SAID / 2)} … ${message.slice(-MOST_SAID / 2)}`;
}

/** The error for an argument that is wrong in itself: `EINVAL: name: problem, got value`. */
export function invalid(name: string, problem: string, value: unknown): ErrnoError {
  // One that a caller gave, too.
  const called = typeof name === 'string' ? name : show(name);
  return new ErrnoError('EINVAL', `${called}: ${problem}, got ${show(value)}`);
}

/** A value as an error message shows it: short, on one line, and never throwing, whatever the value does when looked at. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}…` : value}'`;
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    const { name } = value.constructor;
    if (typeof name !== 'string' || name.length > MOST_SHOWN) return 'an object';
    if (name === 'Object') return 'an object';
    const text = `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
    return ArrayBuffer.isView(value) ? `${text} of ${value.byteLength} bytes` : text;
  } catch {
    return 'an object';
  }
}
