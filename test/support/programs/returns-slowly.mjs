/** Returns what is never through being sent: `ready` says that its thread has begun to. */
export default function returnsSlowly(_cpu, { ready }) {
  return {
    get value() {
      Atomics.add(ready, 0, 1);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return 1;
    },
  };
}
