import type { Need } from './contract'

/** A stretch of the enquiry and the needs whose words it is. */
export interface Stretch { text: string; needs: string[] }

/**
 * stretches cuts an enquiry where a need's span begins or ends. Spans count runes
 * (code points), JavaScript strings count UTF-16 units: an emoji is one and two.
 */
export function stretches(text: string, needs: Pick<Need, 'id' | 'span'>[]): Stretch[] {
  const runes = [...text]
  const spans = needs.filter((n) => n.span).map((n) => ({ id: n.id, from: n.span![0], to: Math.min(n.span![1], runes.length) }))
  const cuts = [...new Set([0, runes.length, ...spans.flatMap((s) => [s.from, s.to])])].sort((a, b) => a - b)
  const out: Stretch[] = []
  for (let i = 0; i + 1 < cuts.length; i++) {
    const from = cuts[i]!
    const to = cuts[i + 1]!
    out.push({ text: runes.slice(from, to).join(''), needs: spans.filter((s) => s.from <= from && to <= s.to).map((s) => s.id) })
  }
  return out
}
