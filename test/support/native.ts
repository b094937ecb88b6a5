import { COPY_METHODS, type CopyMethod } from 'mtcopy';
import { openNative } from '#src/copy/streaming.js';

/** Whether this machine has the loop in C: its build had a compiler, and its CPU what the loop needs. */
export const HAS_NATIVE = openNative().path !== undefined;

/** The methods that this machine has. */
export const METHODS: readonly CopyMethod[] = COPY_METHODS.filter((method) => method !== 'streaming' || HAS_NATIVE);
