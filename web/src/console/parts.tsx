// Small parts that several pages share.

import { Button, Loader } from '@mantine/core'
import { useEffect, useRef, type ReactNode } from 'react'
import type { Answer, Nature } from '../contract'
import { stretches } from '../spans'
import { answerNodes } from '../widget/blocks'
import widgetStyle from '../widget/widget.css?inline'
import { wordsOf } from '../widget/words'
import { Failed } from './api'
import { useWords } from './words'

export function Waiting() {
  const { w } = useWords()
  return <p className="waiting" role="status"><Loader size="sm" aria-hidden /> {w.loading}</p>
}

export function Trouble({ error, again }: { error: Error; again?: () => void }) {
  const { w, say } = useWords()
  return (
    <div className="trouble" role="alert">
      <p>{error instanceof Failed && (error.status === 403 || error.faults.length > 0) ? error.message : say(w.failed, { reason: error instanceof Failed ? error.message : w.offline })}</p>
      {error instanceof Failed && error.faults.length > 0 && <ul>{error.faults.map((f, i) => <li key={i}>{f}</li>)}</ul>}
      {again && <Button variant="default" size="sm" onClick={again}>{w.retry}</Button>}
    </div>
  )
}

/** useTitle names the page in the browser's tab, its own name first. */
export function useTitle(title: string | undefined) {
  const { w } = useWords()
  useEffect(() => { document.title = title ? `${title} · ${w.title}` : w.title }, [title, w])
}

export function Section({ title, note, children, id }: { title: string; note?: ReactNode; children: ReactNode; id?: string }) {
  const key = id ?? title
  return (
    <section className="section" aria-labelledby={`h-${key}`}>
      <div className="section-head"><h2 id={`h-${key}`} tabIndex={-1}>{title}</h2>{note && <div className="note">{note}</div>}</div>
      {children}
    </section>
  )
}

export function NatureBadge({ nature }: { nature?: Nature }) {
  const { w } = useWords()
  return nature ? <span className="nature" data-nature={nature}>{w.nature[nature]}</span> : null
}

/** Enquiry is what was asked, each need's own words marked and numbered. */
export function Enquiry({ answer }: { answer: Answer }) {
  return (
    <>
      {stretches(answer.enquiry ?? '', answer.needs).map((s, i) =>
        s.needs.length ? <mark key={i} data-need={s.needs.join(' ')}>{s.text}<sup>{s.needs.map((n) => n.replace(/^n/, '')).join(' ')}</sup></mark> : <span key={i}>{s.text}</span>)}
    </>
  )
}

const sheet = new CSSStyleSheet()
sheet.replaceSync(widgetStyle)

/** AsSeen shows an answer with the widget's own code and style, nothing to press. */
export function AsSeen({ answer, label }: { answer: Answer; label: string }) {
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [sheet]
    const nothing = () => undefined
    const nodes = answerNodes(answer, wordsOf(answer.locale), { say: nothing, opened: nothing, accepted: nothing, dismissed: nothing })
    const turn = document.createElement('div')
    turn.className = 'turn adviser'
    turn.lang = answer.locale
    turn.append(...nodes)
    turn.querySelectorAll<HTMLButtonElement | HTMLInputElement>('button, input').forEach((x) => { x.disabled = true })
    root.replaceChildren(turn)
  }, [answer])
  return <div className="seen" ref={host} role="group" aria-label={label} />
}

/** signed writes a number with its sign, as wide as its neighbours. */
export const signed = (x: number): string => (x < 0 ? '−' : x > 0 ? '+' : '±') + Math.abs(x).toFixed(3)
export const plain = (x: number): string => (x < 0 ? '−' : '') + Math.abs(x).toFixed(3)
