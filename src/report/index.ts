/*
 * Reports as a library: from what the commands print with `--json` to one HTML document.
 */

export {
  type CopyResult,
  type MigrateResult,
  type PmbenchResult,
  type ReproduceResult,
  type Result,
  readResult,
  type SysfsResult,
  type TuneResult,
} from './read/result.js';
export { type NamedResult, reportOf } from './report.js';
