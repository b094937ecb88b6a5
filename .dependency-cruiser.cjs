/**
 * Layers of src/, highest first: a file may import from its own layer and from those below it. The commands and the
 * experiments know the library by its public face alone, for they are bundled apart from it.
 */
const LAYERS = [
  'cli',
  'report',
  'experiments',
  'index.ts',
  'machine.ts',
  'sysfs',
  'syscalls',
  'migrators',
  'migrate',
  'mm',
  'cpu',
  'dma',
  'copy',
  'memory',
  'threads',
  'trace',
];
/** Files directly in src/ that everything in the library may use, and that use only one another. */
const LEAVES = '^src/(check|errno|profile|units|proc|queue|random|steps|wasm|words)\\.ts$';
/** What is bundled with its libraries: it alone may use development dependencies. */
const BUNDLED = '^src/(cli|report|experiments)/';

const place = (layer) => (layer.endsWith('.ts') ? `^src/${layer.replace('.', '\\.')}$` : `^src/${layer}/`);

module.exports = {
  forbidden: [
    ...LAYERS.map((layer, depth) => ({
      name: `${layer}-imports-downward`,
      severity: 'error',
      from: { path: place(layer) },
      to: { path: LAYERS.slice(0, depth).map(place).concat('^(bench|test)/') },
    })),
    { name: 'leaves-import-leaves', severity: 'error', from: { path: LEAVES }, to: { path: '^src/', pathNot: LEAVES } },
    {
      name: 'bundled-know-the-face-alone',
      comment: "What they took from behind 'mtcopy' would be a second copy of it.",
      severity: 'error',
      from: { path: BUNDLED },
      to: { path: '^src/', pathNot: [BUNDLED, '^src/index\\.ts$'] },
    },
    {
      name: 'cli-and-report-know-the-face-of-experiments',
      severity: 'error',
      from: { path: '^src/(cli|report)/' },
      to: { path: '^src/experiments/', pathNot: '^src/experiments/index\\.ts$' },
    },
    {
      name: 'cli-knows-the-face-of-report',
      comment: 'It is loaded where it is called for alone.',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/report/', pathNot: '^src/report/index\\.ts$' },
    },
    {
      name: 'benchmarks-know-the-faces-alone',
      comment: 'They measure what users have.',
      severity: 'error',
      from: { path: '^bench/' },
      to: { path: '^src/', pathNot: '^src/(index|experiments/index)\\.ts$' },
    },
    {
      name: 'one-experiment-a-folder',
      comment: 'What two experiments share is in shared/.',
      severity: 'error',
      from: { path: '^src/experiments/([^/]+)/' },
      to: { path: '^src/experiments/[^/]+/', pathNot: ['^src/experiments/$1/', '^src/experiments/shared/'] },
    },
    {
      name: 'copy-batch-is-pure',
      severity: 'error',
      from: { path: '^src/copy/batch/' },
      to: { path: '^(src/|node:)', pathNot: ['^src/copy/batch/', LEAVES] },
    },
    {
      name: 'copy-worker-knows-no-caller',
      severity: 'error',
      from: { path: '^src/copy/worker/' },
      to: { path: '^src/copy/', pathNot: ['^src/copy/worker/', '^src/copy/batch/'] },
    },
    {
      name: 'dma-worker-knows-no-caller',
      severity: 'error',
      from: { path: '^src/dma/worker/' },
      to: { path: '^src/dma/', pathNot: ['^src/dma/worker/', '^src/dma/device\\.ts$'] },
    },
    {
      name: 'cpu-knows-memory-and-threads-alone',
      severity: 'error',
      from: { path: '^src/cpu/' },
      to: { path: '^src/', pathNot: ['^src/(cpu|memory|threads|trace)/', LEAVES] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'known-layers',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: [LEAVES, ...LAYERS.map(place)] },
    },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^src/', pathNot: BUNDLED },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
