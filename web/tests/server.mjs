// A server of its own for the browser: the real binary on a free port with an empty
// temporary folder and the demo's data, stopped by its handle.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export async function startServer() {
  const binary = fileURLToPath(new URL('../../bin/rapport', import.meta.url))
  const dir = await mkdtemp(join(tmpdir(), 'rapport-browser-'))
  const child = spawn(binary, ['serve', '--demo', '--addr', '127.0.0.1:0', '--data', dir], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  const ready = new Promise((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text
      const login = said.match(/(http:\S+\/console\/login\?token=\S+)/)
      if (login) resolve(login[1])
    })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${said}`)))
  })
  const stop = async () => {
    const gone = new Promise((resolve) => (child.exitCode === null ? child.on('exit', resolve) : resolve()))
    child.kill('SIGTERM')
    await gone
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const login = await ready
    const { url, workspaces } = JSON.parse(await readFile(join(dir, 'demo.json'), 'utf8'))
    return { url, login, keys: Object.fromEntries(workspaces.map((w) => [w.id, w])), stop }
  } catch (cause) {
    await stop()
    throw cause
  }
}
