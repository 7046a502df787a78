// The operator's side of the contract: why a decision came out as it did, and who
// a person is. Types only, and the arithmetic a reader can check.

import type { Answer, Evidence, Nature, Reason } from '../contract'

export interface Term { name: string; value: number; evidence: string[] }

export interface Choice {
  action: string
  title: string
  nature: Nature
  need: string
  score: number
  terms: Term[]
  parts?: Term[]
  propensity: number | null
  probability: number
  position: number
  reasons: Reason[]
}

export const stages = ['eligibility', 'applicability', 'suitability', 'contact_policy', 'budget', 'consent', 'arbitration'] as const
export type Stage = (typeof stages)[number]

export interface Rejection {
  action: string
  title?: string
  nature?: Nature
  need?: string
  group?: Record<string, string>
  stage: Stage
  rule: string
  reason: string
  missing?: string[]
  evidence: string[]
  score?: number
}

export interface Chance { action: string; group?: Record<string, string>; probability: number }

export interface Explanation {
  decision: string
  /** What each need is called, in the reader's language. */
  needs: { id: string; title: string }[]
  procedure: string[]
  chosen: Choice[]
  rejected: Rejection[]
  /** The seed has 64 bits, more than a number holds: it is read as text. */
  draw: { seed: string; probabilities: Chance[] | null; positions?: { position: number; chances: Chance[]; taken: string }[] }
  counterfactuals: { change: string; outcome: string }[]
  inputs: {
    scene: { channel?: string; locale?: string; device?: { type?: string }; network?: { effective_type?: string; save_data?: boolean } }
    placement?: string
    conversation?: string
    proven: boolean
    personal: boolean
    log_position: number
    catalogue_version: number
    strategy_version: number
    model_versions: Record<string, string>
    profile_digest: string
  }
  evidence: Record<string, Evidence>
}

export interface Summary {
  id: string
  at: string
  person: string
  /** What they are called, where that is known. */
  name?: string
  strategy: number
  arm?: string
  placement?: string
  actions: string[]
  decision?: Answer
}

export interface Page<T> { items: T[]; next_cursor: string | null }
export interface Variation { without?: string[]; personalization?: 'on' | 'off' }
export interface Replayed { identical: boolean; changed?: string[]; decision: Answer }
export interface Opened extends Evidence { data: unknown; events?: string[] }
export interface Workspace { id: string; name: string }

export interface PersonRecord { id: string; ref: string; fields: Record<string, unknown>; updated_at: string; evidence: string[] }
export interface Person {
  id: string
  ids: { kind: string; value: string }[]
  traits: Record<string, { value: unknown; at: string; verified: boolean; evidence: string[] }>
  tags: string[] | null
  signals: { signal: string; title?: string; group?: Record<string, string>; holds: boolean; count: number; needed: number; events: string[] | null }[]
  orders: PersonRecord[]
  cases: PersonRecord[]
  assets: PersonRecord[]
  holdings: PersonRecord[]
  enrolments: PersonRecord[]
  contracts: PersonRecord[]
  preferences: { personalization: 'on' | 'off'; blocked_tags: string[] | null }
  consent: Record<string, boolean>
  contact_history: { decision_id: string; action?: string; shown_at?: string; opened_at?: string; accepted_at?: string; dismissed_at?: string; resolved_at?: string; evidence: string[] }[]
  events: number
  first_seen: string | null
  last_seen: string | null
}
export interface Suggestion { id: string; name: string; words: string[]; examples: { text: string; lang: string; decision: string }[]; count: number; people: number; first: string; last: string; near: { intent: string; times: number }[] }
export interface Suggestions { decisions: number; sentences: number; items: Suggestion[] }
export interface Candidate { id: string; text: string; lang: string; taken: string; proposed: string; by: 'model' | 'customer'; decision: string }
export interface Quality {
  folds: number
  accuracy: number
  intents: { intent: string; examples: number; precision: number; recall: number; f1: number }[]
  confused: { meant: string; taken: string; count: number; texts: string[] }[]
  duplicates: { text: string; times: number; intents: string[] }[]
  contradictions: { text: string; times: number; intents: string[] }[]
  embeddings?: { model: string; weight: number; alone: number; joined: number }
}
export interface Moment { ref: string; at: string; kind: string; event: string; subject?: string; verified: boolean; properties: unknown; decision_id?: string; occasion?: string }

export const sum = (terms: Term[]): number => terms.reduce((total, t) => total + t.value, 0)

/** addsUp holds a score to the sum of its terms as the house promises it. */
export const addsUp = (score: number, terms: Term[]): boolean => Math.abs(score - sum(terms)) <= 1e-9

/** together joins what was rejected alike for several needs into one line with all their ids. */
export function together(rejected: Rejection[]): { of: Rejection; needs: string[] }[] {
  const lines = new Map<string, { of: Rejection; needs: string[] }>()
  for (const r of rejected) {
    const key = JSON.stringify([r.action, r.stage, r.rule, r.reason, r.group, r.missing, r.evidence, r.score])
    const line = lines.get(key) ?? { of: r, needs: [] }
    if (r.need) line.needs.push(r.need)
    lines.set(key, line)
  }
  return [...lines.values()]
}

/** byStage keeps the order in which candidates are tried; stages that stopped nobody are left out. */
export function byStage(rejected: Rejection[]): [Stage, Rejection[]][] {
  return stages.map((stage) => [stage, rejected.filter((r) => r.stage === stage)] as [Stage, Rejection[]]).filter(([, list]) => list.length > 0)
}

export interface Course { considered: number; lost: [Stage, number][]; given: number }

/** course counts actions from candidate to offer: each once, at the furthest stage that any need took it to. */
export function course(why: { chosen: { action: string }[]; rejected: Rejection[] }): Course {
  const given = new Set(why.chosen.map((c) => c.action))
  const furthest = new Map<string, number>()
  for (const r of why.rejected) {
    if (!given.has(r.action)) furthest.set(r.action, Math.max(furthest.get(r.action) ?? 0, stages.indexOf(r.stage)))
  }
  const lost = stages.map((stage, i) => [stage, [...furthest.values()].filter((f) => f === i).length] as [Stage, number]).filter(([, n]) => n > 0)
  return { considered: given.size + furthest.size, lost, given: given.size }
}

export interface Difference { lost: string[]; gained: string[]; kept: string[] }

/** difference compares what two answers offer, by the titles the customer reads. */
export function difference(before: Answer, after: Answer): Difference {
  const of = (a: Answer) => a.actions.map((x) => [x.action + JSON.stringify((x as { group?: object }).group ?? {}), x.title] as const)
  const was = new Map(of(before))
  const is = new Map(of(after))
  return {
    lost: [...was].filter(([k]) => !is.has(k)).map(([, t]) => t),
    gained: [...is].filter(([k]) => !was.has(k)).map(([, t]) => t),
    kept: [...is].filter(([k]) => was.has(k)).map(([, t]) => t),
  }
}
