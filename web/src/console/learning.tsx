import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Failed } from './api'
import type { Candidate, Quality, Suggestion } from './explanation'
import { Section, Trouble, useTitle, Waiting } from './parts'
import { useSession } from './session'
import { useWords } from './words'

const once = (n: number, e: Error) => !(e instanceof Failed) && n < 2

/** Learning shows what is not understood yet, and what can be learned from it. */
export function Learning() {
  const { w } = useWords()
  useTitle(w.learning.title)
  return (
    <main id="content" className="page">
      <div className="page-head"><h1>{w.learning.title}</h1></div>
      <Suggested />
      <Candidates />
      <HowWell />
    </main>
  )
}

function Suggested() {
  const { w, say } = useWords()
  const { api } = useSession()
  const found = useQuery({ queryKey: ['suggestions', api.workspace], queryFn: () => api.suggestions(), retry: once, staleTime: 60_000 })
  return (
    <Section title={w.learning.suggested} note={found.data && say(w.learning.looked, { decisions: found.data.decisions, sentences: found.data.sentences })}>
      {found.error ? <Trouble error={found.error} /> : !found.data ? <Waiting />
        : found.data.items.length === 0 ? <p className="panel hint">{w.learning.noSuggested}</p>
        : found.data.items.map((s) => <OneSuggestion key={s.id} s={s} />)}
    </Section>
  )
}

function OneSuggestion({ s }: { s: Suggestion }) {
  const { w, say, date } = useWords()
  return (
    <article className="choice">
      <h3>{s.name}</h3>
      <p className="meta number">
        <span>{say(w.learning.count, { sentences: s.count, people: s.people })}</span>
        <span>{w.learning.last} {date(s.last)}</span>
        {s.near.length > 0 && <span>{w.learning.near} {s.near.map((n) => `${n.intent} × ${n.times}`).join(w.comma)}</span>}
      </p>
      <ul className="reasons">
        {s.examples.map((e) => <li key={e.decision + e.text} lang={e.lang}><Link to="/decisions/$id" params={{ id: e.decision }}>{e.text}</Link></li>)}
      </ul>
    </article>
  )
}

function Candidates() {
  const { w } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const key = ['candidates', api.workspace]
  const found = useQuery({ queryKey: key, queryFn: () => api.candidates(), retry: once })
  const judge = useMutation({ mutationFn: ({ id, intent }: { id: string; intent: string }) => api.judge(id, intent), onSettled: () => queries.invalidateQueries({ queryKey: key }) })
  const teach = useMutation({ mutationFn: () => api.teach() })
  const error = found.error ?? judge.error ?? teach.error
  return (
    <Section title={w.learning.waiting} note={<Button size="xs" variant="default" loading={teach.isPending} onClick={() => teach.mutate()}>{w.learning.teach}</Button>}>
      {error && <Trouble error={error} />}
      <p role="status">{teach.data && <span className="kept">{w.learning.taught.replace('{version}', String(teach.data.version))}</span>}</p>
      {found.data && (found.data.items.length === 0 ? <p className="panel hint">{w.learning.noWaiting}</p> : (
        <ul className="choice waits">
          {found.data.items.map((c) => <OneCandidate key={c.id} c={c} busy={judge.isPending} judge={(intent) => judge.mutate({ id: c.id, intent })} />)}
        </ul>
      ))}
    </Section>
  )
}

function OneCandidate({ c, busy, judge }: { c: Candidate; busy: boolean; judge(intent: string): void }) {
  const { w, say } = useWords()
  return (
    <li>
      <p><b lang={c.lang}>{c.text}</b></p>
      <p className="hint">{say(w.learning.by[c.by], { intent: c.proposed, taken: c.taken || w.none })} <Link to="/decisions/$id" params={{ id: c.decision }}>{w.learning.open}</Link></p>
      <p className="buttons">
        <Button size="xs" disabled={busy} onClick={() => judge(c.proposed)}>{say(w.learning.confirm, { intent: c.proposed })}</Button>
        <Button size="xs" variant="default" disabled={busy} onClick={() => judge('')}>{w.learning.discard}</Button>
      </p>
    </li>
  )
}

function HowWell() {
  const { w } = useWords()
  const { api } = useSession()
  const quality = useQuery({ queryKey: ['quality', api.workspace], queryFn: () => api.quality(), retry: once, enabled: false, staleTime: Infinity })
  return (
    <Section title={w.learning.quality} note={<Button size="xs" variant="default" loading={quality.isFetching} onClick={() => void quality.refetch()}>{w.learning.measure}</Button>}>
      {quality.error ? <Trouble error={quality.error} /> : quality.data ? <Told q={quality.data} /> : <p className="panel hint">{w.learning.measureHint}</p>}
    </Section>
  )
}

const percent = (x: number) => `${(100 * x).toFixed(1)} %`

function Told({ q }: { q: Quality }) {
  const { w, say } = useWords()
  const name = (intent: string) => (intent === '-' ? w.learning.outside : intent)
  return (
    <>
      <p>{say(w.learning.right, { share: percent(q.accuracy), folds: q.folds })}{q.embeddings && q.embeddings.weight > 0 && ` ${say(w.learning.joined, { model: q.embeddings.model, share: percent(q.embeddings.joined), alone: percent(q.embeddings.alone) })}`}</p>
      <div className="columns even">
        <div className="choice" tabIndex={0} role="group" aria-label={w.learning.weakest}><table className="terms told">
          <caption>{w.learning.weakest}</caption>
          <thead><tr><th scope="col">{w.learning.intent}</th><th scope="col" className="number">{w.learning.sentences}</th><th scope="col" className="number">{w.learning.precision}</th><th scope="col" className="number">{w.learning.recall}</th><th scope="col" className="number">F1</th></tr></thead>
          <tbody>{q.intents.slice(0, 12).map((i) => (
            <tr key={i.intent}><th scope="row">{name(i.intent)}</th><td className="number">{i.examples}</td><td className="number">{percent(i.precision)}</td><td className="number">{percent(i.recall)}</td><td className="number">{percent(i.f1)}</td></tr>
          ))}</tbody>
        </table></div>
        <div className="choice" tabIndex={0} role="group" aria-label={w.learning.confused}><table className="terms told">
          <caption>{w.learning.confused}</caption>
          <thead><tr><th scope="col">{w.learning.meant}</th><th scope="col">{w.learning.taken}</th><th scope="col" className="number">{w.learning.times}</th></tr></thead>
          <tbody>{q.confused.slice(0, 12).map((c) => (
            <tr key={`${c.meant} ${c.taken}`}><th scope="row">{name(c.meant)}<br /><span className="hint">{c.texts[0]}</span></th><td>{name(c.taken)}</td><td className="number">{c.count}</td></tr>
          ))}</tbody>
        </table></div>
      </div>
      {([['contradictions', q.contradictions], ['duplicates', q.duplicates]] as const).map(([kind, all]) => all.length > 0 && (
        <details key={kind}>
          <summary>{w.learning[kind]} <span className="count">{all.length}</span></summary>
          <ul className="choice">{all.slice(0, 50).map((r) => <li key={r.text}>{r.text} <span className="mono">{r.intents.map(name).join(w.comma)} × {r.times}</span></li>)}</ul>
        </details>
      ))}
    </>
  )
}
