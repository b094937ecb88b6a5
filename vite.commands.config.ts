import { defineConfig } from 'vite';

/**
 * Bundles the commands and the experiments with their libraries, so that installing `mtcopy` brings Piscina and nothing
 * else. The library itself stays outside of them: there is one copy of it, and its workers are found.
 */
export default defineConfig({
  // Leaves out what libraries say to those who develop with them.
  define: { 'process.env.NODE_ENV': '"production"' },
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
      output: { entryFileNames: '[name].js', chunkFileNames: 'experiments/chunks/[name].js' },
    },
  },
  ssr: { noExternal: true },
});
