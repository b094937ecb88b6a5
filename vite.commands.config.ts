import { defineConfig, minifySync, type Plugin } from 'vite';

/** What draws charts: a megabyte and a half as it is, which nobody reads. */
const DRAWING = 'echarts';

/** Minifies that alone, without a map: all else is shipped as it reads. */
function minifyDrawing(): Plugin {
  return {
    name: 'minify-drawing',
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk' || chunk.name !== DRAWING) continue;
        chunk.code = minifySync(chunk.fileName, chunk.code.replace(/\/\/# sourceMappingURL=.*/, '')).code;
        delete bundle[`${chunk.fileName}.map`];
      }
    },
  };
}

/**
 * Bundles the commands and the experiments with their libraries, so that installing `mtcopy` brings Piscina and nothing
 * else. The library itself stays outside of them: there is one copy of it, and its workers are found.
 */
export default defineConfig({
  // Leaves out what libraries say to those who develop with them.
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [minifyDrawing()],
  build: {
    ssr: true,
    target: 'node20',
    outDir: 'dist',
    emptyOutDir: false,
    minify: false,
    sourcemap: true,
    reportCompressedSize: false,
    license: { fileName: 'THIRD-PARTY-LICENSES.md' },
    rolldownOptions: {
      input: {
        'cli/main': 'src/cli/main.ts',
        // What main.js runs, for tests that run many command lines in one process.
        'cli/run': 'src/cli/run.ts',
        'report/index': 'src/report/index.ts',
        'experiments/index': 'src/experiments/index.ts',
        // These run on CPUs' threads, so each is a file of its own, beside the one that names it.
        'experiments/program': 'src/experiments/shared/pmbench/program.ts',
        'experiments/toucher': 'src/experiments/shared/toucher.ts',
      },
      external: ['mtcopy', 'mtcopy/experiments', 'mtcopy/report'],
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'experiments/chunks/[name].js',
        codeSplitting: { groups: [{ name: DRAWING, test: /node_modules[\\/](echarts|zrender|tslib)[\\/]/ }] },
      },
    },
  },
  ssr: { noExternal: true },
});
