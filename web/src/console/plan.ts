// Strategies as the API tells of them: versions, what they change, what they would have
// brought, who stands behind them. Types, and what a page works out of them.

import type { Nature } from '../contract'
import { stages as order, type Stage } from './explanation'

export interface Text { zh: string; en: string }
export interface Actor { id: string; name: string }
export type State = 'draft' | 'scheduled' | 'canary' | 'published' | 'superseded'

export interface Guardrail { metric: string; max?: number; min?: number; after: number }
export interface Rollout { phase: 'scheduled' | 'canary' | 'ended'; share?: number; guardrails?: Guardrail[]; at?: string; note?: string; since: string; reason?: string }

export interface Version {
  version: number
  base?: number
  packs: string[]
  files?: Record<string, string>
  state: State
  current: boolean
  at: string
  note?: string
  rollout?: Rollout
}

export interface FileText { path: string; text: string; own: boolean }
export interface Metric { id: string; title: Text }
export interface Difference { version: number; against: number; files: { path: string; change: 'added' | 'removed' | 'changed'; diff: string }[]; actions_added: string[]; actions_removed: string[] }
export interface Faults { valid: boolean; faults: { file: string; line: number; column: number; message: string; caret?: string }[] }

export interface Estimate { value: number; low: number; high: number; error: number }
export interface Value {
  reward: string
  title: Text
  lower_is_better?: boolean
  rounds: number
  effective: number
  tried: number
  not_yet: number
  enough: boolean
  missing?: 'rounds' | 'overlap' | 'trials'
  logged: Estimate
  ips: Estimate
  snips: Estimate
  dr: Estimate
}
export interface Simulation {
  version: number
  decisions: number
  changed: number
  people: number
  nothing_before: number
  nothing_after: number
  value: Value
  actions: { action: string; title: Text; nature: Nature; before: number; after: number; gained: number; lost: number }[]
  examples: { decision: string; at: string; enquiry?: string; before: string[]; after: string[] }[]
}

export interface Change { part: string; id?: string; title?: Text; how: 'added' | 'changed' | 'removed'; actions: string[] }
export interface Request { version: number; state: 'open' | 'approved' | 'rejected' | 'withdrawn'; by: Actor; at: string; note?: string; settled?: { by: Actor; at: string; note?: string } }
export interface Approval { version: number; two_approvers: boolean; needed: boolean; against: number; changes: Change[]; request?: Request; may_approve: Actor[]; you: boolean }
export interface Act { id: string; act: string; version?: number; by: Actor; at: string; note?: string }
export interface Settings { two_approvers: boolean; request?: Request; you: Actor & { roles: string[] } }
export interface Action { action: string; title: Text; nature: Nature; impact: 'minor' | 'major'; stopped?: { reason?: string; until?: string } }

export interface Publication { note?: string; canary?: number; at?: string; guardrails?: Guardrail[] }

/** The watched metrics that need no pack. */
export const watched = ['accept_rate', 'dismiss_rate', 'handover_rate', 'unanswered_rate'] as const
/** The rewards that need no pack. */
export const rewards = ['accepted', 'dismissed', 'resolved'] as const

export interface Line { kind: 'add' | 'del' | 'same' | 'gap'; text: string }

/** unified reads the lines of a unified difference, its head left out. */
export function unified(diff: string): Line[] {
  const lines: Line[] = []
  for (const line of diff.replace(/\n$/, '').split('\n')) {
    if (/^(diff |--- |\+\+\+ )/.test(line)) continue
    if (line.startsWith('@@')) { if (lines.length > 0) lines.push({ kind: 'gap', text: '⋯' }) }
    else if (line.startsWith('+')) lines.push({ kind: 'add', text: line.slice(1) })
    else if (line.startsWith('-')) lines.push({ kind: 'del', text: line.slice(1) })
    else if (!line.startsWith('\\')) lines.push({ kind: 'same', text: line.slice(1) })
  }
  return lines
}

/** scale places estimates beside each other: shares of the width between the least and the greatest. */
export function scale(all: Estimate[]): (x: number) => number {
  const low = Math.min(...all.map((e) => e.low), ...all.map((e) => e.value))
  const high = Math.max(...all.map((e) => e.high), ...all.map((e) => e.value))
  const width = high - low || 1
  return (x) => (x - low) / width
}

/** Where events and records come from, and what could not be taken. */
export interface Source {
  name: string
  own: boolean
  title?: string
  path?: string
  status: { state: 'waiting' | 'ok' | 'failing' | 'paused'; accepted: number; last_received_at: string | null; dead_letters: number; untranslated: number; last_error: { at: string; message: string } | null }
}
export interface DeadLetter { id: string; at: string; message: string; pointer?: string; body: string }
export interface Untranslated { source: string; kind: string; value: string; count: number }
/** Two persons who look like one. */
export interface Suggestion {
  id: string
  probability: number
  people: { id: string; ids: { kind: string; value: string }[]; card: Record<string, string> }[]
  why: { field: string; bits: number; text: string }[]
}

/** Days off and make-up workdays of the strategy in force; weekends are off anyway. */
export interface Calendar { id: string; days_off: string[]; workdays: string[]; names: Record<string, string> }
/** What loading a calendar would bring. */
export interface CalendarRead extends Calendar { new: boolean; added: string[]; removed: string[] }
export interface CalendarLoaded extends Calendar { version: number; changed: boolean }

/** How far a version reaches: whom and what it leaves out, and which rules did it. */
export interface Coverage {
  version: number
  decisions: number
  erased: number
  people: number
  nothing: number
  handed_over: number
  lost: { stage: Stage | ''; people: number }[]
  left: LeftOut[]
  needs: NeedCoverage[]
  actions: ActionCoverage[]
}
export interface LeftOut { decision: string; person: string; at: string; enquiry?: string; stage: Stage | ''; handed_over: boolean }
export interface Loss { stage: Stage; rule: string; times: number; reason: Text }
export interface NeedCoverage {
  intent: string
  subintent?: string
  title: Text
  asked: number
  answered: number
  partly: number
  clarified: number
  handover: number
  unanswered: number
  no_action: number
  no_eligible: number
  lost: (Loss & { action: string })[]
  examples: LeftOut[]
}
export interface ActionCoverage { action: string; title: Text; nature: Nature; considered: number; chosen: number; lost: Loss[] }

/** One stage of the way from candidate to offer: how many came to it, and which rules stopped how many. */
export interface Passage { stage: Stage; entered: number; stopped: number; rules: (Loss & { action: string; title: Text; nature: Nature })[] }

/** passages follows the candidates through the stages; who is left after the last was chosen. */
export function passages(actions: ActionCoverage[]): { entered: number; chosen: number; stages: Passage[] } {
  const chosen = actions.reduce((n, a) => n + a.chosen, 0)
  const all = actions.flatMap((a) => a.lost.map((l) => ({ ...l, action: a.action, title: a.title, nature: a.nature })))
  const entered = chosen + all.reduce((n, l) => n + l.times, 0)
  let left = entered
  return {
    entered, chosen,
    stages: order.map((stage) => {
      const rules = all.filter((l) => l.stage === stage).sort((a, b) => b.times - a.times || a.action.localeCompare(b.action))
      const stopped = rules.reduce((n, l) => n + l.times, 0)
      const p = { stage, entered: left, stopped, rules }
      left -= stopped
      return p
    }),
  }
}

/** placeOf finds where a rule stands: the file of its action and the line, from 0; the action's own where the rule is nobody's. */
export function placeOf(files: FileText[], action: string, rule: string): { path: string; line: number } | undefined {
  const named = (id: string) => new RegExp(`(?:^|[\\s{,-])id:\\s*["']?${id.replace(/[^\w]/g, '\\$&')}["']?\\s*(?:[,}#]|$)`)
  for (const f of [...files].reverse()) { // a later pack's word counts
    const lines = f.text.split('\n')
    for (let at = 0; at < lines.length; at++) {
      if (!/^\s*- /.test(lines[at]!) || !named(action).test(lines[at]!)) continue
      const depth = lines[at]!.search(/\S/)
      let end = at + 1
      while (end < lines.length && (!/[^\s]/.test(lines[end]!) || /^\s*#/.test(lines[end]!) || lines[end]!.search(/\S/) > depth)) end++
      const own = lines.slice(at, end)
      if (!own.some((l) => /^\s*(- *\{.*)?nature:|[{,]\s*nature:/.test(l))) continue // a signal or a tag of that name
      const line = own.findIndex((l, i) => i > 0 && named(rule).test(l))
      return { path: f.path, line: line < 0 ? at : at + line }
    }
  }
  return undefined
}
