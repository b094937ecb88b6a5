import { type CpuAccount, createCpuAccount, during } from '../copy/cpu-account.js';
import { ERRNO, invalid } from '../errno.js';
import { type Folio, isFolioOf } from '../memory/folio.js';
import { migratePages } from '../migrate/migrate-pages.js';
import type { MigrateManner } from '../migrate/migration.js';
import { timedAlone } from '../migrate/phase-clock.js';
import { createSlice, isLookDue, needResched, resched } from '../migrate/resched.js';
import { attempt } from '../migrate/settle.js';
import { createPhases } from '../migrate/stats.js';
import type { MemoryManager } from '../mm/manager.js';
import type { MigrateMode } from '../mm/migrate-mode.js';
import { isMovable, isolateMovable, putbackMovable } from '../mm/movable.js';
import type { NodeId, Pfn } from '../units.js';
import type { MovePagesResult } from './move-pages.js';
import { checkExists } from './move-pages-request.js';

/** What `Machine.migrateMovable` does, once its options were checked. */
export async function migrateMovable(
  manager: MemoryManager,
  folios: readonly Folio[],
  node: number,
  manner: MigrateManner,
): Promise<MovePagesResult> {
  const { page } = manager.memory;
  checkExists(manager.memory.nodes.length, 'node', node);
  const pfns = takeFolios(manager, folios);
  const account = createCpuAccount();
  /** Why folios are not moved. */
  const errnos = new Map<number, number>();
  const { isolated, isolateNs } = await during(account, () =>
    isolateAll(manager, pfns, node, manner.mode, account, errnos),
  );
  const { stats, failed, failedErrno } = await migratePages(manager, isolated, { ...manner, target: node as NodeId });
  stats.phasesNs.isolate += isolateNs;
  stats.cpuNs.caller += Math.round(account.ns);
  failed.forEach((pfn, i) => void errnos.set(pfn, failedErrno[i]));
  const status = Int32Array.from(pfns, (pfn) => {
    const errno = errnos.get(pfn);
    return errno === undefined ? node : -(errno === ERRNO.EAGAIN ? ERRNO.EBUSY : errno);
  });
  let notMigrated = 0;
  for (const pfn of errnos.keys()) notMigrated += 1 << page.order[pfn];
  return { status, notMigrated, stats };
}

/** Isolates what isn't on the node yet; whatever is thrown, its owners have it back. */
async function isolateAll(
  manager: MemoryManager,
  pfns: readonly Pfn[],
  node: number,
  mode: MigrateMode,
  account: CpuAccount,
  errnos: Map<number, number>,
): Promise<{ isolated: Uint32Array; isolateNs: number }> {
  const { nid } = manager.memory.page;
  const slice = createSlice(account);
  const isolated: Pfn[] = [];
  const phases = createPhases();
  try {
    await timedAlone(phases, 'isolate', slice, async () => {
      for (const [i, pfn] of [...new Set(pfns)].entries()) {
        if (isLookDue(i) && needResched(slice)) await resched(slice);
        if (nid[pfn] === node) continue;
        if (isolateMovable(manager, pfn, mode)) isolated.push(pfn);
        else errnos.set(pfn, ERRNO.EBUSY);
      }
    });
  } catch (error) {
    for (const pfn of isolated) attempt(() => putbackMovable(manager, pfn));
    throw error;
  }
  return { isolated: Uint32Array.from(isolated), isolateNs: phases.isolate };
}

/** The frames of a list of movable folios. */
function takeFolios(manager: MemoryManager, folios: readonly Folio[]): Pfn[] {
  if (!Array.isArray(folios)) throw invalid('folios', 'must be an array of Folio', folios);
  return Array.from(folios, (folio, i) => {
    const isFolio = isFolioOf(manager.memory, folio);
    if (isFolio && isMovable(manager, folio.pfn)) return folio.pfn;
    throw invalid(`folios[${i}]`, 'must be a movable Folio', isFolio ? `PFN ${folio.pfn}` : folio);
  });
}
