import type { Mutant } from '../mutant.js';

const CPU = 'cpu/cpu.js';
const CPUS = 'mm/cpus.js';
const FLUSH = 'mm/tlb-flush.js';
const RMAP = 'mm/rmap.js';
const FAULT = 'mm/fault.js';
const ZAP = 'mm/zap.js';

const ACK = 'Atomics.store(words, base + ACKED, request);';
const LOOK_WHAT = 'if (Atomics.load(words, FLUSH_ALL))';
const SET_BIT = 'Atomics.or(this.#table.cpuMask, this.number >> 5, 1 << (this.number & 31));';
const HOLD = 'return this.#hold(vpn, entry | bits, isHuge);';
const CLEAR_BIT = 'Atomics.and(cpuMask, this.number >> 5, ~(1 << (this.number & 31)));';
const SAY_WHERE = 'Atomics.store(words, base + WAITING_VPN, vpn + 1);';
const COUNT_WAITER = 'Atomics.or(words, WAITERS + (this.number >> 5), 1 << (this.number & 31));';
const LOOK_ENTRY = `if (!(walkTo(this.#table, vpn) & MIGRATION))
                break;`;
const LOOK_FAULT = `// Acquire: the owner's result comes before it.
            if (Atomics.load(words, base + FAULT_STATE) === NO_FAULT)`;
const READ_BELL = 'this.#bell = Atomics.load(words, base + BELL);';
const READ_REQUEST = 'const request = Atomics.load(words, base + REQUEST);';
const RAISE = 'Atomics.store(words, base + FAULT_STATE, FAULT_RAISED);';
const RING_OWNER = 'Atomics.notify(words, FAULT_BELL);';
const READ_FAULT_BELL = 'const bell = Atomics.load(this.#words, FAULT_BELL);';
const WAIT_FAULT = 'const wait = Atomics.waitAsync(this.#words, FAULT_BELL, bell);';
const FLUSH_ZAPPED = 'const answers = manager.tlb.flush(flush);';
const SETTLE = "await timed(migration, 'move', () => settleCopied(migration));";
const MOVE_ALL =
  "await timed(migration, 'move', () => withResched(slice, unmapped.count, (next) => moveMetadata(migration, next)));";

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the flush is left out',
    scenario: 'migration, vanilla, 1 CPU',
    file: FLUSH,
    edits: [['if (!this.#isAnyRunning(batch)) {', 'if (batch.count > 0) {']],
  },
  {
    name: 'a CPU answers before its TLB is flushed',
    scenario: 'fork of what a CPU stores to',
    file: CPU,
    edits: [
      [ACK, ''],
      [LOOK_WHAT, `${ACK} ${LOOK_WHAT}`],
    ],
  },
  {
    name: 'a CPU answers before its access ends',
    scenario: 'migration, vanilla, 1 CPU',
    file: CPU,
    edits: [['const held = lookUp(this.#tlb, vpn);', 'const held = lookUp(this.#tlb, vpn); this.poll();']],
  },
  {
    name: 'a folio is mapped before it is copied',
    scenario: 'migration, batch-move, 1 CPU',
    file: 'migrate/flows.js',
    edits: [
      [SETTLE, ''],
      [MOVE_ALL, `${MOVE_ALL} ${SETTLE}`],
    ],
  },
  {
    name: 'unmapped pages are freed before the flush',
    scenario: 'munmap of what a CPU stores to, hurried',
    file: ZAP,
    edits: [[FLUSH_ZAPPED, `drop(); removed.clear(); ${FLUSH_ZAPPED}`]],
  },
  {
    name: 'unmapped pages are freed though a CPU was silent',
    scenario: 'a silent CPU, munmap',
    file: ZAP,
    edits: [['onceAnswered(error, drop);', 'drop();']],
  },
  {
    name: 'munmap does not flush for what is on its way',
    scenario: 'munmap in the middle of a migration',
    file: ZAP,
    edits: [['isOnItsWay = true;', '']],
  },
  {
    name: 'a batch waits for a lock',
    scenario: 'migration, and one that locks its folios in the opposite order',
    file: 'migrate/migrate-pages.js',
    edits: [["const together = { mode: 'MIGRATE_ASYNC', passes", "const together = { mode: 'MIGRATE_SYNC', passes"]],
  },
  {
    name: 'a lock that is cleared wakes nobody',
    scenario: 'migration, and one that locks its folios in the opposite order',
    file: 'memory/folio-lock.js',
    edits: [['Atomics.notify(flags, pfn);', ';']],
  },
  {
    name: 'an arrival wakes nobody',
    scenario: 'migration, vanilla, 1 CPU',
    file: RMAP,
    edits: [['wakeWaiters(manager, first, end);', ';']],
  },
  {
    name: 'a CPU says where it waits after its look at the entry',
    scenario: 'migration, vanilla, 1 CPU',
    file: CPU,
    edits: [
      [SAY_WHERE, ''],
      [LOOK_ENTRY, `${LOOK_ENTRY} ${SAY_WHERE}`],
    ],
  },
  {
    name: 'a CPU that waits is counted after its look at the entry',
    scenario: 'migration, vanilla, 1 CPU',
    file: CPU,
    edits: [
      [COUNT_WAITER, ''],
      [LOOK_ENTRY, `${LOOK_ENTRY} ${COUNT_WAITER}`],
    ],
  },
  {
    name: 'a CPU that waits for a page answers nothing',
    scenario: 'migration, vanilla, 1 CPU',
    file: CPU,
    edits: [[`this.#answerInterrupts();\n            ${LOOK_ENTRY}`, LOOK_ENTRY]],
  },
  {
    name: 'a CPU that waits for a fault answers nothing',
    scenario: 'copy on write beside a CPU that loads',
    file: CPU,
    edits: [[`this.#answerInterrupts();\n            ${LOOK_FAULT}`, LOOK_FAULT]],
  },
  {
    name: 'a CPU sets its bit of the mask after its first walk',
    scenario: 'migration, vanilla, 1 CPU',
    file: CPU,
    edits: [
      [SET_BIT, ''],
      [HOLD, `const held = this.#hold(vpn, entry | bits, isHuge); ${SET_BIT} return held;`],
    ],
  },
  {
    name: 'a CPU comes back with its old TLB',
    scenario: 'migration, a CPU that idles',
    file: CPU,
    edits: [['#enter() {\n        flushAll(this.#tlb);', '#enter() {']],
  },
  {
    name: 'a CPU looks for a request before it leaves',
    scenario: 'migration, vanilla, 1 CPU',
    file: CPU,
    edits: [[CLEAR_BIT, `this.#answerInterrupts(); ${CLEAR_BIT} return;`]],
  },
  {
    name: 'the owner waits for a CPU that has left',
    scenario: 'migration, vanilla, 1 CPU',
    file: FLUSH,
    edits: [['!this.#hasAnswered(cpu) && this.#isRunning(cpu, tables)', '!this.#hasAnswered(cpu)']],
  },
  {
    name: 'a flush names its range though another is under way',
    scenario: 'two migrations at once, hurried, 1 CPU',
    file: FLUSH,
    edits: [[' || this.#underWay > 0', '']],
  },
  {
    name: 'a flush names its range though a CPU owes an answer',
    scenario: 'a silent CPU, and another migration',
    file: FLUSH,
    edits: [[' || this.#owed.size > 0', '']],
  },
  {
    name: 'the owner takes it that all who are counted answer',
    scenario: 'migration, one of 2 CPUs leaves',
    file: FLUSH,
    edits: [['if (missing === (pending & PENDING_COUNT))', 'if (missing > 0)']],
  },
  {
    name: 'a late answer counts for the flush after it',
    scenario: 'two migrations at once, hurried, 1 CPU',
    file: CPU,
    edits: [
      ['if (pending >> PENDING_SHIFT !== (request << PENDING_SHIFT) >> PENDING_SHIFT)\n                return;', ''],
    ],
  },
  {
    name: 'two answers count as one',
    scenario: 'migration of a page that two CPUs wait for',
    file: CPU,
    edits: [
      [
        'if (Atomics.compareExchange(words, PENDING, pending, pending - 1) !== pending)\n                continue;',
        'Atomics.store(words, PENDING, pending - 1);',
      ],
    ],
  },
  {
    name: 'the last answer wakes nobody',
    scenario: 'migration, vanilla, 1 CPU',
    file: CPU,
    edits: [['Atomics.notify(words, PENDING);', ';']],
  },
  {
    name: 'the owner that blocks reads PENDING after its look',
    scenario: 'migration, vanilla, 1 CPU',
    file: FLUSH,
    edits: [['this.#wokenBy(length, pending), left', 'this.#wokenBy(length, Atomics.load(words, PENDING)), left']],
  },
  {
    name: 'the owner that is patient reads PENDING after its look',
    scenario: 'migration, impatient, 1 CPU',
    file: FLUSH,
    edits: [
      [
        'this.#wokenBy(left.length, pending), POLL_MS',
        'this.#wokenBy(left.length, Atomics.load(this.#words, PENDING)), POLL_MS',
      ],
    ],
  },
  {
    name: 'a CPU reads its bell after the request',
    scenario: 'migration beside a CPU that uses another page',
    file: CPU,
    edits: [
      [READ_BELL, ''],
      [READ_REQUEST, `${READ_REQUEST} ${READ_BELL}`],
    ],
  },
  {
    name: 'a flush rings no bell',
    scenario: 'migration, vanilla, 1 CPU',
    file: FLUSH,
    edits: [['ringCpu(words, cpuWords(cpu));', '']],
  },
  {
    name: "a CPU's mark is stored blindly",
    scenario: 'migration, vanilla, 1 CPU',
    file: 'cpu/page-table.js',
    edits: [
      [
        'return Atomics.compareExchange(entries, index, entry, entry | bits) === entry;',
        'Atomics.store(entries, index, entry | bits); return true;',
      ],
    ],
  },
  {
    name: 'a migration entry is stored blindly',
    scenario: 'migration, vanilla, 1 CPU',
    file: RMAP,
    edits: [
      [
        'const found = Atomics.compareExchange(entries, index, entry, toMigrationEntry(entry));',
        'Atomics.store(entries, index, toMigrationEntry(entry)); const found = entry;',
      ],
    ],
  },
  {
    name: 'a fault that is handled rings no bell',
    scenario: 'faults, 2 CPUs',
    file: CPUS,
    edits: [['ringCpu(words, base);', '']],
  },
  {
    name: 'the owner reads its bell after its look for faults',
    scenario: 'faults, 2 CPUs',
    file: CPUS,
    edits: [
      [READ_FAULT_BELL, ''],
      [WAIT_FAULT, `${READ_FAULT_BELL} ${WAIT_FAULT}`],
    ],
  },
  {
    name: 'a fault is raised after its bell',
    scenario: 'faults, 2 CPUs',
    file: CPU,
    edits: [
      [RAISE, ''],
      [RING_OWNER, `${RING_OWNER} ${RAISE}`],
    ],
  },
  {
    name: 'a fault is over before its result is there',
    scenario: 'faults, 2 CPUs',
    file: CPUS,
    edits: [
      ['words[base + FAULT_RESULT] = errno;', ''],
      ['ringCpu(words, base);', 'words[base + FAULT_RESULT] = errno; ringCpu(words, base);'],
    ],
  },
  {
    name: 'a copy is stored to while others load the old page',
    scenario: 'copy on write beside a CPU that loads',
    file: FAULT,
    edits: [['await tlb.flush(flush, flushTimeoutMs);', '']],
  },
  {
    name: 'a copy wakes nobody',
    scenario: 'copy on write beside a CPU that loads',
    file: FAULT,
    edits: [['wakeWaiters(manager, vpn, vpn + 1);', '']],
  },
  {
    name: 'fork does not flush',
    scenario: 'fork of what a CPU stores to',
    file: 'mm/copy-page-range.js',
    edits: [['await manager.tlb.flush(flush);', '']],
  },
  {
    name: 'a page is copied before the fork that shares it is over',
    scenario: 'fork of what two CPUs store to, hurried',
    file: 'mm/address-space.js',
    edits: [['while (isStore && this.#isProtected(vpn))', 'while (isStore && this.#isProtected(-1))']],
  },
  {
    name: 'a page is copied without its lock',
    scenario: 'copy on write beside somebody who locks the folio',
    file: FAULT,
    edits: [['if (!tryLockFolio(page, folio)) {', 'if (tryLockFolio(page, folio) === undefined) {']],
  },
  {
    name: 'a migration goes on though a CPU is silent',
    scenario: 'a silent CPU, migration',
    file: 'migrate/unmap-batch.js',
    edits: [['() => answers)', '() => answers.catch(() => {}))']],
  },
  {
    name: 'a page is not put back though a CPU is silent',
    scenario: 'a silent CPU, copy on write',
    file: FAULT,
    edits: [['putPageBack(manager, vma, vpn, entry, folio, error);', '']],
  },
  {
    name: 'the dead keep their bit of the mask',
    scenario: 'CPU death, migration',
    file: CPUS,
    edits: [['Atomics.and(table.cpuMask, cpu >> 5, ~(1 << (cpu & 31)));', '']],
  },
  {
    name: 'the dead go on waiting',
    scenario: 'CPU death, migration',
    file: CPUS,
    edits: [['Atomics.and(words, WAITERS + (cpu >> 5), ~(1 << (cpu & 31)));', '']],
  },
  {
    name: 'the dead keep their fault',
    scenario: 'CPU death, faults',
    file: CPUS,
    edits: [['Atomics.store(words, cpuWords(cpu) + FAULT_STATE, NO_FAULT);', '']],
  },
];
