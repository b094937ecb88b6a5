/**
 * The least of what several attempts measure, each of which may be disturbed upwards: on a busy host V8 makes a thread wait for its
 * collectors now and then, without a sign of it in any clock of that thread. Ends with the first below `enough`.
 */
export async function least(enough: number, measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 8 && least >= enough; attempt++) least = Math.min(least, await measure());
  return least;
}
