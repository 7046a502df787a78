// What the widget says to the server and hears from it: the conversation, what was
// really shown and pressed, and the customer's own preference.

import type { Answer, Attachment, Device, Locale, Problem, Spoken, Talk, Transcript } from '../contract'

export interface Customer {
  endpoint: string
  writeKey: string
  userId?: string
  identityToken?: string
  anonymousId: string
  locale: Locale
  device: Device
}

export type Outcome = 'Decision Shown' | 'Opened' | 'Accepted' | 'Dismissed'

/** Refused carries the sentence that the server has for the customer, if it has one. */
export class Refused extends Error {
  /** final tells that the same again would be refused again. */
  constructor(sentence: string, readonly final: boolean) { super(sentence) }
}

const conversations = '/v1/conversations'

async function request(c: Customer, path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(c.endpoint + path, {
    ...init,
    headers: { Authorization: `Bearer ${c.writeKey}`, 'Accept-Language': c.locale, 'Content-Type': 'application/json', ...init.headers },
  })
  if (!response.ok) {
    const problem = (await response.json().catch(() => ({}))) as Problem
    throw new Refused(problem.title ?? problem.detail ?? '', response.status < 500 && response.status !== 429)
  }
  return response
}

const call = async <T>(c: Customer, path: string, init: RequestInit) => (await request(c, path, init)).json() as Promise<T>

// Who is proven asks as themselves; anyone else by the unguessable id of this browser.
const asker = (c: Customer) =>
  c.identityToken ? { user_id: c.userId, identity_token: c.identityToken } : { anonymous_id: c.anonymousId }

// The same in headers, where there is no body.
const proof = (c: Customer): Record<string, string> =>
  c.identityToken ? { 'X-Identity-Token': c.identityToken } : { 'X-Anonymous-Id': c.anonymousId }

/** spoken is the language of the customer's words, where they are plainly not in the page's. */
const spoken = (text: string, page: Locale): Locale =>
  /\p{Script=Han}/u.test(text) ? 'zh-CN' : /^[ -~\s]*$/.test(text) && (text.match(/[a-z]{2,}/gi) ?? []).length > 2 ? 'en' : page

function scene(c: Customer, text = '') {
  const line = (navigator as Navigator & { connection?: { effectiveType?: string; saveData?: boolean } }).connection
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  return {
    channel: 'web', locale: spoken(text, c.locale), zone: zone?.includes('/') && !zone.startsWith('Etc/') ? zone : undefined,
    device: { type: c.device },
    network: line && { effective_type: line.effectiveType, save_data: line.saveData },
  }
}

const post = <T>(c: Customer, path: string, body: { text?: string; [name: string]: unknown }): Promise<T> =>
  call(c, path, { method: 'POST', body: JSON.stringify({ ...asker(c), ...body, scene: scene(c, body.text) }) })

/** open begins a conversation; who left something open is met with it. */
export const open = (c: Customer) => post<{ id: string; greeting?: Answer }>(c, conversations, { greet: true })

/** say says something in it; with one id it counts once however often it is sent. */
export const say = (c: Customer, id: string, text: string, messageId: string, attachments: Attachment[]) =>
  post<Answer>(c, `${conversations}/${id}/messages`, { text, message_id: messageId, attachments: attachments.length ? attachments : undefined })

/** upload gives a file to the company's own store, which answers with its address. */
export async function upload(c: Customer, to: string, file: File): Promise<Attachment> {
  const body = new FormData()
  body.append('file', file)
  const response = await fetch(to, { method: 'POST', body, headers: proof(c) })
  const { url } = response.ok ? ((await response.json()) as { url?: unknown }) : {}
  if (typeof url !== 'string') throw new Refused('', false)
  const kind = file.type.split('/')[0]!
  return { kind: kind === 'audio' ? 'voice' : kind === 'image' || kind === 'video' ? kind : 'file', url: new URL(url, new URL(to, location.href)).href, name: file.name.slice(0, 100) }
}

/** read gives a conversation back, with all that was said in it. */
export const read = (c: Customer, id: string) => call<Transcript>(c, `${conversations}/${id}`, { headers: proof(c) })

export const talk = async (c: Customer, id: string): Promise<Talk> => (await read(c, id)).conversation

/** follow hears what is said in a conversation behind an entry, until leave is aborted. A
 * line that breaks is taken up behind the last entry heard; an entry that is not known
 * brings everything. It is read with fetch: an EventSource cannot carry the proof of who
 * listens. */
export async function follow(c: Customer, id: string, leave: AbortSignal, hear: (s: Spoken) => void, last = 'none'): Promise<void> {
  for (let pause = 500; !leave.aborted; pause = Math.min(pause * 2, 30_000)) {
    try {
      const line = await request(c, `${conversations}/${id}/stream`, { headers: { ...proof(c), 'Last-Event-ID': last }, signal: leave })
      const reader = line.body!.pipeThrough(new TextDecoderStream()).getReader()
      for (let text = '', next = await reader.read(); !next.done; next = await reader.read()) {
        const events = (text + next.value).split('\n\n')
        text = events.pop()!
        for (const event of events) {
          const data = event.match(/^data: (.*)$/m)
          if (!data || leave.aborted) continue
          const spoken = JSON.parse(data[1]!) as Spoken
          last = spoken.id
          hear(spoken)
        }
        pause = 500
      }
    } catch (cause) {
      if (cause instanceof Refused && cause.final) return
    }
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

// A tab keeps its conversation over reloads, of each customer their own; where the page
// may keep nothing, a reload begins a new one.
const place = (c: Customer) => ['rapport.conversation', c.endpoint, c.writeKey, c.identityToken ? `user ${c.userId}` : c.anonymousId].join(' ')

/** attempt is what comes of something a page may forbid, or nothing. */
export function attempt<T>(what: () => T): T | undefined {
  try { return what() } catch { return undefined }
}

export const kept = (c: Customer): string | null => attempt(() => sessionStorage.getItem(place(c))) ?? null
export const keep = (c: Customer, id: string): void => attempt(() => sessionStorage.setItem(place(c), id))
export const forget = (c: Customer): void => attempt(() => sessionStorage.removeItem(place(c)))

/** told sends an outcome; its message id makes it count once however often it is sent. */
export function told(c: Customer, outcome: Outcome, decision: string, action?: string, more?: object): Promise<unknown> {
  return fetch(`${c.endpoint}/v1/track`, {
    method: 'POST',
    keepalive: true,
    // The key stands in the body, so that the browser need not ask for leave first.
    headers: { 'Content-Type': 'text/plain' },
    body: JSON.stringify({
      writeKey: c.writeKey, event: outcome, messageId: [decision, action ?? '', outcome].join('/'), timestamp: new Date().toISOString(),
      ...(c.identityToken ? { userId: c.userId, identity_token: c.identityToken } : { anonymousId: c.anonymousId }),
      properties: { decision_id: decision, action, ...more },
    }),
  }).catch(() => undefined)
}

interface Preferences { personalization: 'on' | 'off' }

export async function personalization(c: Customer): Promise<boolean> {
  const me = await call<{ preferences: Preferences }>(c, '/v1/me', { headers: proof(c) })
  return me.preferences.personalization !== 'off'
}

export async function personalize(c: Customer, on: boolean): Promise<void> {
  await call<Preferences>(c, '/v1/me/preferences', { method: 'PUT', headers: proof(c), body: JSON.stringify({ personalization: on ? 'on' : 'off' }) })
}
