// A preload that keeps its thread from starting, until it is ended.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
