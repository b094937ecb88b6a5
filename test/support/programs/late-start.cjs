// A preload that lets threads that were begun with this one be ready, or end, first.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
