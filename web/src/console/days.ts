// Days of a calendar: which are off, which are made up for, and how a month of them
// stands in weeks. A day is text, 2026-10-01; nothing here knows a time zone.

import type { Calendar } from './plan'

const utc = (day: string): Date => new Date(`${day}T00:00:00Z`)
const iso = (at: Date): string => at.toISOString().slice(0, 10)

/** later is the day so many days on; fewer than none goes back. */
export function later(day: string, days: number): string {
  const at = utc(day)
  at.setUTCDate(at.getUTCDate() + days)
  return iso(at)
}

/** monthsOn is the same day of another month, or that month's last. */
export function monthsOn(day: string, months: number): string {
  const first = utc(`${day.slice(0, 7)}-01`)
  first.setUTCMonth(first.getUTCMonth() + months)
  const last = new Date(first)
  last.setUTCMonth(last.getUTCMonth() + 1, 0)
  return `${iso(first).slice(0, 7)}-${String(Math.min(Number(day.slice(8)), last.getUTCDate())).padStart(2, '0')}`
}

/** weekday counts from Monday, 0, to Sunday, 6. */
export const weekday = (day: string): number => (utc(day).getUTCDay() + 6) % 7

/** weeks are the days of a month, 2026-10, in weeks from Monday; those of its neighbours are left empty. */
export function weeks(month: string): (string | null)[][] {
  const all: (string | null)[] = Array<null>(weekday(`${month}-01`)).fill(null)
  for (let day = `${month}-01`; day.startsWith(month); day = later(day, 1)) all.push(day)
  while (all.length % 7) all.push(null)
  return Array.from({ length: all.length / 7 }, (_, i) => all.slice(7 * i, 7 * i + 7))
}

export type Kind = 'off' | 'made_up' | 'weekend' | 'workday'

/** kindOf tells how a day stands in a calendar, as the server decides it: what is made up for wins. */
export function kindOf(day: string, c: { off: Set<string>; work: Set<string> }): Kind {
  if (c.work.has(day)) return 'made_up'
  if (c.off.has(day)) return 'off'
  return weekday(day) > 4 ? 'weekend' : 'workday'
}

export interface Stretch { kind: 'off' | 'made_up'; from: string; to: string; days: number; name: string }

/** stretches joins days off that follow each other, over a weekend as well, and tells each make-up workday; in order. */
export function stretches(c: Calendar): Stretch[] {
  const days = { off: new Set(c.days_off), work: new Set(c.workdays) }
  const out: Stretch[] = []
  let names: string[] = []
  for (const day of [...c.days_off].sort()) {
    const last = out.at(-1)
    let next = last && later(last.to, 1)
    while (next && next < day && kindOf(next, days) === 'weekend') next = later(next, 1)
    if (last && next === day) {
      last.to = day
      last.days = Math.round((utc(day).getTime() - utc(last.from).getTime()) / 86_400_000) + 1
      names.push(c.names[day] ?? '')
    } else {
      names = [c.names[day] ?? '']
      out.push({ kind: 'off', from: day, to: day, days: 1, name: '' })
    }
    out.at(-1)!.name = shared(names)
  }
  for (const day of c.workdays) out.push({ kind: 'made_up', from: day, to: day, days: 1, name: c.names[day] ?? '' })
  return out.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))
}

/** shared is what several names have in common from the start: the holiday, without its first and second day. */
export function shared(names: string[]): string {
  const all = [...new Set(names.filter(Boolean))]
  if (all.length < 2) return all[0] ?? ''
  let start = [...all[0]!]
  for (const name of all) {
    const runes = [...name]
    let n = 0
    while (n < start.length && start[n] === runes[n]) n++
    start = start.slice(0, n)
  }
  const text = start.join('').replace(/[\s(（第,，·\-–—:：]+$/u, '')
  return [...text].length > 1 ? text : all.slice(0, 2).join(' · ')
}
