/**
 * Stores 1, and tries to store 2 after its end: from a timer, or after an await. `outcome` counts the stores that went through
 * and is set to 1 for those that failed with ESRCH.
 */
export default function goesOn(cpu, { address, outcome, isAsync }) {
  cpu.store8(address, 1);
  const storeLate = () => {
    try {
      cpu.store8(address, 2);
      Atomics.add(outcome, 0, 1);
    } catch (error) {
      Atomics.store(outcome, 1, error.code === 'ESRCH' ? 1 : 2);
    }
  };
  if (isAsync) return Promise.resolve().then(storeLate);
  setInterval(storeLate, 1);
}
