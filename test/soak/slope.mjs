/**
 * How much something grows a second, by the median of the slopes between every two samples (Theil and Sen): a few that are off
 * don't matter.
 *
 * @param {readonly { readonly seconds: number, readonly bytes: number }[]} samples
 * @returns {number} bytes a second; 0 for fewer than two samples
 */
export function slopeOf(samples) {
  const slopes = [];
  for (let i = 0; i < samples.length; i++) {
    for (let j = i + 1; j < samples.length; j++) {
      const seconds = samples[j].seconds - samples[i].seconds;
      if (seconds > 0) slopes.push((samples[j].bytes - samples[i].bytes) / seconds);
    }
  }
  slopes.sort((a, b) => a - b);
  return slopes.length === 0 ? 0 : slopes[slopes.length >> 1];
}
