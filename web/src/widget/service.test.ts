// @vitest-environment jsdom
import { afterEach, expect, test, vi } from 'vitest'
import type { Spoken } from '../contract'
import { follow, forget, keep, kept, type Customer } from './service'

const customer: Customer = { endpoint: '', writeKey: 'wk', anonymousId: 'a1', locale: 'zh-CN', device: 'mobile' }
const entry = (id: string, text: string) => `id: ${id}\nevent: message\ndata: ${JSON.stringify({ id, type: 'message', text })}\n\n`

/** line answers with bytes in given pieces and then breaks. */
function line(...pieces: Uint8Array[]): Response {
  return new Response(new ReadableStream({ start(c) { pieces.forEach((p) => c.enqueue(p)); c.close() } }))
}

afterEach(() => { vi.useRealTimers(); vi.unstubAllGlobals() })

test('a broken line is taken up behind the last entry, and an entry cut anywhere is one entry', async () => {
  vi.useFakeTimers()
  const bytes = new TextEncoder().encode(`: open\n\n${entry('e1', '在的')}`)
  const cut = bytes.length - 6
  const behind: (string | null)[] = []
  const leave = new AbortController()
  const heard: string[] = []
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    behind.push(new Headers(init.headers).get('Last-Event-ID'))
    return Promise.resolve(behind.length === 1 ? line(bytes.slice(0, cut), bytes.slice(cut)) : line(new TextEncoder().encode(entry('e2', '您说'))))
  })
  const done = follow(customer, 'c1', leave.signal, (s: Spoken) => {
    heard.push(s.text)
    if (s.id === 'e2') leave.abort()
  })
  await vi.runAllTimersAsync()
  await done
  expect(heard).toEqual(['在的', '您说'])
  expect(behind).toEqual(['none', 'e1'])
})

test('who may not listen does not knock again', async () => {
  const fetch = vi.fn(() => Promise.resolve(new Response('{"title":"no"}', { status: 404 })))
  vi.stubGlobal('fetch', fetch)
  await follow(customer, 'c1', new AbortController().signal, () => undefined)
  expect(fetch).toHaveBeenCalledTimes(1)
})

test('a conversation is kept for this tab, of each customer their own', () => {
  const other = { ...customer, anonymousId: 'a2' }
  const proven = { ...customer, userId: 'lin', identityToken: 't' }
  keep(customer, 'c1')
  expect([kept(customer), kept(other), kept(proven), kept({ ...proven, userId: 'zhou' })]).toEqual(['c1', null, null, null])
  keep(proven, 'c2')
  expect(kept({ ...proven, identityToken: 'renewed' })).toBe('c2')
  forget(customer)
  expect([kept(customer), kept(proven)]).toEqual([null, 'c2'])
})

test('where nothing may be kept, nothing is', () => {
  vi.stubGlobal('sessionStorage', { getItem() { throw new Error('denied') }, setItem() { throw new Error('denied') }, removeItem() { throw new Error('denied') } })
  keep(customer, 'c1')
  expect(kept(customer)).toBeNull()
  forget(customer)
})
