import { defineConfig } from 'vite';

/**
 * Bundles the commands and the experiments with their libraries, so that installing `mtcopy` brings Piscina and nothing
 * else. The library itself stays outside of them: there is one copy of it, and its workers are found.
 */
export default defineConfig({
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
        'experiments/index': 'src/experiments/index.ts',
        // Runs on CPUs' threads, so it is a file of its own, beside the one that names it.
        'experiments/program': 'src/experiments/shared/pmbench/program.ts',
      },
      external: ['mtcopy', 'mtcopy/experiments'],
      output: { entryFileNames: '[name].js', chunkFileNames: 'experiments/chunks/[name].js' },
    },
  },
  ssr: { noExternal: true },
});
