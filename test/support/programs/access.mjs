/**
 * Makes loads and stores, for instance `['store8', address, value]` or `['load8', address]`, as long as they succeed.
 *
 * @returns what each returned; an error ends the list as `{ code, message }`
 */
export default function access(cpu, operations) {
  const results = [];
  for (const [operation, ...args] of operations) {
    try {
      results.push(cpu[operation](...args));
    } catch (error) {
      results.push({ code: error.code, message: error.message });
    }
  }
  return results;
}
