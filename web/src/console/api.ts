// The console speaks to the public API like any other program: with the session
// that a login link opened (then each request names its workspace), or with a
// secret key that this tab keeps for itself.

import type { Answer, Attachment, Locale, Problem, Spoken, Talk } from '../contract'
import type { Act, Action, Approval, Calendar, CalendarLoaded, CalendarRead, Coverage, DeadLetter, Difference, Faults, FileText, Metric, Publication, Request, Settings, Simulation, Source, Suggestion, Untranslated, Version } from './plan'
import type { Candidate, Explanation, Moment, Opened, Page, Person, Quality, Replayed, Suggestions, Summary, Variation, Workspace } from './explanation'

const keptKey = 'rapport.key'

export interface Agent { id: string; name: string }
/** One entry of a conversation as a colleague reads it. */
export type Line = Spoken & { at: string }
/** A conversation that waits for a person, or is with one. */
export interface Handover {
  conversation_id: string
  state: 'waiting' | 'person'
  seconds: number
  person?: string
  agent?: { name?: string }
  brief?: { needs: { title: string; text: string }[]; facts: { summary: string; ref: string }[]; tried: string[]; attachments?: Attachment[] }
}

export class Failed extends Error {
  constructor(readonly status: number, message: string, readonly code = '', readonly faults: string[] = []) {
    super(message)
  }
}

export const credentials = {
  get key() { return sessionStorage.getItem(keptKey) },
  keep(key: string) { sessionStorage.setItem(keptKey, key) },
  forget() { sessionStorage.removeItem(keptKey) },
}

export class Api {
  constructor(readonly workspace: string, readonly locale: Locale) {}

  async #call<T>(path: string, init: RequestInit = {}, read?: (text: string) => T): Promise<T> {
    const headers: Record<string, string> = { 'Accept-Language': this.locale }
    if (credentials.key) headers['Authorization'] = `Bearer ${credentials.key}`
    else if (this.workspace) headers['X-Workspace'] = this.workspace
    if (init.body) headers['Content-Type'] = 'application/json'
    const response = await fetch(path, { ...init, headers })
    const text = await response.text()
    if (!response.ok) {
      let problem: Problem = {}
      try { problem = JSON.parse(text) as Problem } catch { /* a proxy's own page */ }
      throw new Failed(response.status, problem.title ?? response.statusText, problem.code, problem.errors?.map((e) => e.message))
    }
    return read ? read(text) : (JSON.parse(text) as T)
  }

  workspaces = () => this.#call<Page<Workspace>>('/v1/workspaces')

  decisions(filter: { person?: string; action?: string; limit?: number }) {
    const q = new URLSearchParams({ limit: String(filter.limit ?? 50), names: 'true' })
    if (filter.person) q.set('person', filter.person)
    if (filter.action) q.set('action', filter.action)
    return this.#call<Page<Summary>>(`/v1/decisions?${q}`)
  }

  decision = (id: string) => this.#call<Answer>(`/v1/decisions/${encodeURIComponent(id)}`)

  explanation = (id: string) =>
    this.#call<Explanation>(`/v1/decisions/${encodeURIComponent(id)}/explanation`, {}, readExplanation)

  replay = (id: string, variation: Variation) =>
    this.#call<Replayed>(`/v1/decisions/${encodeURIComponent(id)}/replay`, { method: 'POST', body: JSON.stringify(variation) })

  open = (ref: string) => this.#call<Opened>(`/v1/refs/${encodeURIComponent(ref)}`)
  person = (id: string) => this.#call<Person>(`/v1/people/${encodeURIComponent(id)}`)

  timeline = (id: string, cursor?: string) =>
    this.#call<Page<Moment>>(`/v1/people/${encodeURIComponent(id)}/timeline?limit=30${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`)

  #change = <T>(method: string, path: string, body: unknown) => this.#call<T>(path, { method, body: JSON.stringify(body) })

  strategies = () => this.#call<Page<Version>>('/v1/strategies?limit=100')
  strategy = (v: number) => this.#call<Version>(`/v1/strategies/${v}`)
  files = (v: number) => this.#call<Page<FileText>>(`/v1/strategies/${v}/files`)
  metricsOf = (v: number) => this.#call<Page<Metric>>(`/v1/strategies/${v}/metrics`)
  draft = (draft: { base: number; files: Record<string, string>; note?: string }) => this.#change<Version>('POST', '/v1/strategies', draft)
  validate = (v: number) => this.#call<Faults>(`/v1/strategies/${v}/validate`, { method: 'POST' })
  difference = (v: number) => this.#call<Difference>(`/v1/strategies/${v}/diff`)
  simulate = (v: number, how: { reward: string }) => this.#change<Simulation>('POST', `/v1/strategies/${v}/simulate`, how)
  publish = (v: number, p: Publication) => this.#change<Version>('POST', `/v1/strategies/${v}/publish`, p)
  rollback = (v: number, note: string) => this.#change<Version>('POST', `/v1/strategies/${v}/rollback`, note ? { note } : {})
  approval = (v: number) => this.#call<Approval>(`/v1/strategies/${v}/approval`)
  approvals = () => this.#call<Page<Request>>('/v1/approvals')
  settle = (v: number, deed: 'approval' | 'approve' | 'reject' | 'withdraw', note: string) => this.#change<Approval>('POST', `/v1/strategies/${v}/${deed}`, note ? { note } : {})
  audit = (v: number) => this.#call<Page<Act>>(`/v1/audit?version=${v}&limit=100`)
  actions = () => this.#call<Page<Action>>('/v1/actions')
  stop = (action: string, reason: string) => this.#change<Action>('POST', `/v1/actions/${encodeURIComponent(action)}/stop`, { reason })
  resume = (action: string) => this.#change<Action>('POST', `/v1/actions/${encodeURIComponent(action)}/resume`, {})
  settings = () => this.#call<Settings>('/v1/settings')
  twoApprovers = (on: boolean) => this.#change<Settings>('PUT', '/v1/settings', { two_approvers: on })
  settleSettings = (deed: 'approve' | 'reject') => this.#change<Settings>('POST', `/v1/settings/${deed}`, {})

  calendars = () => this.#call<Page<Calendar>>('/v1/calendars')
  readCalendar = (id: string, calendar: { ics: string; works?: string[] }) => this.#change<CalendarRead>('POST', `/v1/calendars/${encodeURIComponent(id)}/read`, calendar)
  loadCalendar = (id: string, calendar: { ics: string; works?: string[] }) => this.#change<CalendarLoaded>('PUT', `/v1/calendars/${encodeURIComponent(id)}`, calendar)
  coverage(of: { version?: number; since?: string }) {
    const q = new URLSearchParams()
    if (of.version) q.set('version', String(of.version))
    if (of.since) q.set('since', of.since)
    return this.#call<Coverage>(`/v1/coverage?${q}`)
  }

  suggestions = () => this.#call<Suggestions>('/v1/intent-suggestions')
  candidates = () => this.#call<Page<Candidate>>('/v1/training-candidates?limit=100')
  judge = (id: string, intent: string) => this.#call<object>(`/v1/training-candidates/${encodeURIComponent(id)}`, { method: 'POST', body: JSON.stringify({ intent }) })
  teach = () => this.#call<{ version: number }>('/v1/classifier', { method: 'POST' })
  quality = () => this.#call<Quality>('/v1/classifier')

  queue = (state: 'waiting' | 'person') => this.#call<Page<Handover>>(`/v1/handovers?state=${state}&limit=100`)
  conversation = (id: string) => this.#call<{ conversation: Talk; messages: Line[] }>(`/v1/conversations/${encodeURIComponent(id)}`)
  #desk = (id: string, deed: string, body: object) => this.#change<unknown>('POST', `/v1/conversations/${encodeURIComponent(id)}/${deed}`, body)
  accept = (id: string, agent: Agent) => this.#desk(id, 'accept', { agent })
  reply = (id: string, text: string, agent: Agent) => this.#desk(id, 'messages', { role: 'agent', text, agent })
  handBack = (id: string, agent: Agent, solved: boolean) => this.#desk(id, 'return', { agent, solved })

  sources = () => this.#call<Page<Source>>('/v1/sources')
  deadLetters = (source: string) => this.#call<Page<DeadLetter>>(`/v1/sources/${encodeURIComponent(source)}/dead-letters`)
  playAgain = (source: string) => this.#change<{ taken: number; left: number }>('POST', `/v1/sources/${encodeURIComponent(source)}/dead-letters/replay`, {})
  throwAway = (source: string, id: string) => this.#call<void>(`/v1/sources/${encodeURIComponent(source)}/dead-letters/${encodeURIComponent(id)}`, { method: 'DELETE' }, () => undefined)
  states = () => this.#call<{ states: string[] }>('/v1/states')
  untranslated = () => this.#call<Page<Untranslated>>('/v1/states/untranslated')
  resolveState = (word: { source: string; kind: string; value: string; state: string }) => this.#change<{ applied: number }>('POST', '/v1/states/resolve', word)
  lookalikes = () => this.#call<Page<Suggestion> & { open: number }>('/v1/people/suggestions?limit=20')
  settleLookalike = (id: string, how: 'accept' | 'reject') => this.#call<unknown>(`/v1/people/suggestions/${encodeURIComponent(id)}/${how}`, { method: 'POST' })

  async signOut() {
    if (credentials.key) credentials.forget()
    else await fetch('/console/logout', { method: 'POST' })
  }
}

/** The seed of a draw has 64 bits; it is kept as the text it came as. */
export const readExplanation = (text: string): Explanation =>
  JSON.parse(text.replace(/("draw":\{"seed":)(\d+)/, '$1"$2"')) as Explanation
