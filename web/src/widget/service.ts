// What the widget says to the server: enquiries, what was really shown and
// pressed, and the customer's own preference.

import type { Answer, Device, Locale, Problem } from '../contract'

export interface Customer {
  endpoint: string
  writeKey: string
  userId?: string
  identityToken?: string
  anonymousId: string
  locale: Locale
  device: Device
}

export interface Turn { role: 'user' | 'agent'; text: string }
export type Outcome = 'Decision Shown' | 'Opened' | 'Accepted' | 'Dismissed'

/** Refused carries the sentence that the server has for the customer, if it has one. */
export class Refused extends Error {}

async function call<T>(c: Customer, path: string, init: RequestInit): Promise<T> {
  const response = await fetch(c.endpoint + path, {
    ...init,
    headers: { Authorization: `Bearer ${c.writeKey}`, 'Accept-Language': c.locale, 'Content-Type': 'application/json', ...init.headers },
  })
  if (!response.ok) {
    const problem = (await response.json().catch(() => ({}))) as Problem
    throw new Refused(problem.title ?? problem.detail ?? '')
  }
  return response.json() as Promise<T>
}

// Who is proven asks as themselves; anyone else by the unguessable id of this browser.
const asker = (c: Customer) =>
  c.identityToken ? { user_id: c.userId, identity_token: c.identityToken } : { anonymous_id: c.anonymousId }

export function ask(c: Customer, conversation: string, text: string, messages: Turn[]): Promise<Answer> {
  const line = (navigator as Navigator & { connection?: { effectiveType?: string; saveData?: boolean } }).connection
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  return call(c, '/v1/decisions', {
    method: 'POST',
    body: JSON.stringify({
      ...asker(c), conversation_id: conversation, placement: 'chat',
      enquiry: { text, messages },
      scene: {
        channel: 'web', locale: c.locale, zone: zone?.includes('/') && !zone.startsWith('Etc/') ? zone : undefined,
        device: { type: c.device },
        network: line && { effective_type: line.effectiveType, save_data: line.saveData },
      },
    }),
  })
}

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

const proof = (c: Customer) => ({ 'X-Identity-Token': c.identityToken ?? '' })

export async function personalization(c: Customer): Promise<boolean> {
  const me = await call<{ preferences: Preferences }>(c, '/v1/me', { headers: proof(c) })
  return me.preferences.personalization !== 'off'
}

export async function personalize(c: Customer, on: boolean): Promise<void> {
  await call<Preferences>(c, '/v1/me/preferences', { method: 'PUT', headers: proof(c), body: JSON.stringify({ personalization: on ? 'on' : 'off' }) })
}
