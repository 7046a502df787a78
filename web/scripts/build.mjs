// Builds the three guests of the server into dist/, always under the same file
// names: widget.js (one classic script), demo/ and console/. The last file,
// sources.sha256, names what it was built from; a Go test compares.
import { rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { build } from 'vite'
import { digest } from './sources.mjs'

const web = fileURLToPath(new URL('..', import.meta.url))
const names = {
  entryFileNames: 'assets/[name].js',
  chunkFileNames: 'assets/[name].js',
  assetFileNames: 'assets/[name][extname]',
}
const common = { configFile: false, logLevel: 'warn', mode: 'production' }
const output = { target: 'es2022', cssTarget: ['chrome123', 'safari17.5', 'firefox128'], modulePreload: { polyfill: false }, emptyOutDir: false, reportCompressedSize: false }

await rm(`${web}dist`, { recursive: true, force: true })

await build({
  ...common,
  root: `${web}src/widget`,
  build: {
    ...output,
    outDir: `${web}dist`,
    rolldownOptions: { input: `${web}src/widget/widget.ts`, output: { format: 'iife', entryFileNames: 'widget.js' } },
  },
})
await build({
  ...common,
  root: `${web}src/demo`,
  base: '/demo/',
  build: { ...output, outDir: `${web}dist/demo`, rolldownOptions: { input: { demo: `${web}src/demo/index.html` }, output: names } },
})
await build({
  ...common,
  root: `${web}src/console`,
  base: '/console/',
  plugins: [react()],
  build: {
    ...output,
    outDir: `${web}dist/console`,
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: { console: `${web}src/console/index.html` }, output: names },
  },
})
await writeFile(`${web}dist/sources.sha256`, `${await digest(web)}\n`)
