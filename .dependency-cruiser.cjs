/** Layers of src/, highest first: a file may import from its own layer and from those below it. */
const LAYERS = [
  'index.ts',
  'cli',
  'report',
  'experiments',
  'workloads',
  'machine.ts',
  'sysfs',
  'syscalls',
  'migrators',
  'migrate',
  'mm',
  'dma',
  'copy',
  'memory',
];
/** Files directly in src/ that everything may use, and that use only one another. */
const LEAVES = '^src/(errno|units|random|wasm)\\.ts$';

const place = (layer) => (layer.endsWith('.ts') ? `^src/${layer.replace('.', '\\.')}$` : `^src/${layer}/`);

module.exports = {
  forbidden: [
    ...LAYERS.map((layer, depth) => ({
      name: `${layer}-imports-downward`,
      severity: 'error',
      from: { path: place(layer) },
      to: { path: LAYERS.slice(0, depth).map(place).concat('^(bench|test)/') },
    })).filter(({ to }) => to.path.length > 0),
    { name: 'leaves-import-leaves', severity: 'error', from: { path: LEAVES }, to: { path: '^src/', pathNot: LEAVES } },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'known-layers',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: [LEAVES, ...LAYERS.map(place)] },
    },
    { name: 'no-dev-dependencies', severity: 'error', from: { path: '^src/' }, to: { dependencyTypes: ['npm-dev'] } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
