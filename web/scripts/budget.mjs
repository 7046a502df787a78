// What a browser has to fetch, gzipped, against the budget of each page.
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const budgets = { 'widget.js': 10_500, demo: 15_000, console: 300_000 }
const size = async (path) => gzipSync(await readFile(dist + path), { level: 9 }).length

let over = false
for (const [name, budget] of Object.entries(budgets)) {
  const files = name.includes('.')
    ? [name]
    : (await readdir(dist + name, { recursive: true })).filter((f) => /\.\w+$/.test(f)).map((f) => `${name}/${f}`)
  let total = 0
  for (const file of files) total += await size(file)
  over ||= total > budget
  console.log(`${name.padEnd(10)} ${String(total).padStart(7)} of ${budget} bytes gzipped${total > budget ? '  OVER' : ''}`)
}
process.exit(over ? 1 : 0)
