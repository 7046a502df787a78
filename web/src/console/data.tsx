import { Button, NativeSelect } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { Section, Trouble, useTitle, Waiting } from './parts'
import type { DeadLetter, Source, Suggestion, Untranslated } from './plan'
import { useSession } from './session'
import { useWords } from './words'

/** Data shows where events and records come from, what could not be taken, and who may be one person. */
export function Data() {
  const { w, say } = useWords()
  const { api } = useSession()
  useTitle(w.data.title)
  const sources = useQuery({ queryKey: ['sources', api.workspace], queryFn: () => api.sources(), refetchInterval: 10_000 })
  const alike = useQuery({ queryKey: ['lookalikes', api.workspace, api.locale], queryFn: () => api.lookalikes() })
  const strange = useQuery({ queryKey: ['untranslated', api.workspace], queryFn: () => api.untranslated() })
  return (
    <main id="content" className="page">
      <div className="page-head"><h1>{w.data.title}</h1></div>
      <Section title={w.data.sources} note={w.data.sourcesNote}>
        {sources.error ? <Trouble error={sources.error} again={() => void sources.refetch()} /> : !sources.data ? <Waiting />
          : <ul className="ledger sources">{sources.data.items.map((s) => <SourceRow key={s.name} s={s} />)}</ul>}
      </Section>
      <Section title={w.data.states} note={w.data.statesNote}>
        {strange.error ? <Trouble error={strange.error} /> : !strange.data ? <Waiting />
          : strange.data.items.length === 0 ? <p className="panel hint">{w.data.noStates}</p>
          : <ul className="ledger sources">{strange.data.items.map((x) => <Strange key={`${x.source} ${x.kind} ${x.value}`} x={x} />)}</ul>}
      </Section>
      <Section title={w.data.alike} note={alike.data && alike.data.open > 0 ? say(w.data.open, { n: alike.data.open }) : undefined}>
        <p className="hint lead">{w.data.alikeLead}</p>
        {alike.error ? <Trouble error={alike.error} again={() => void alike.refetch()} /> : !alike.data ? <Waiting />
          : alike.data.items.length === 0 ? <p className="panel hint">{w.data.noAlike}</p>
          : <ul className="pairs">{alike.data.items.map((s) => <Pair key={s.id} s={s} />)}</ul>}
      </Section>
    </main>
  )
}

function SourceRow({ s }: { s: Source }) {
  const { w, say, date } = useWords()
  const [open, setOpen] = useState(false)
  const name = s.own ? w.data.own[s.name as keyof typeof w.data.own] ?? s.name : s.title || s.name
  return (
    <li>
      <p><b>{name}</b> <span className="state" data-state={s.status.state === 'ok' ? 'current' : s.status.state === 'failing' ? 'failing' : undefined}>{w.data.state[s.status.state]}</span><br /><span className="mono">{s.path ?? s.name}</span></p>
      <p>{say(w.data.accepted, { n: s.status.accepted })}<br /><span className="hint">{s.status.last_received_at ? say(w.data.last, { at: date(s.status.last_received_at) }) : w.data.never}</span></p>
      <p className="hint">{s.status.last_error && <>{s.status.last_error.message}<br /><time dateTime={s.status.last_error.at}>{date(s.status.last_error.at)}</time></>}</p>
      {s.status.dead_letters > 0
        ? <Button variant="default" size="sm" aria-expanded={open} onClick={() => setOpen(!open)}>{say(w.data.dead, { n: s.status.dead_letters })}</Button>
        : <span className="hint">{w.data.noDead}</span>}
      {open && <Dead source={s.name} />}
    </li>
  )
}

function Dead({ source }: { source: string }) {
  const { w, say } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const letters = useQuery({ queryKey: ['dead', api.workspace, source], queryFn: () => api.deadLetters(source) })
  const after = () => Promise.all([['dead', api.workspace, source], ['sources'], ['untranslated']].map((queryKey) => queries.invalidateQueries({ queryKey })))
  const again = useMutation({ mutationFn: () => api.playAgain(source), onSuccess: after })
  const away = useMutation({ mutationFn: (id: string) => api.throwAway(source, id), onSuccess: after })
  const error = letters.error ?? again.error ?? away.error
  return (
    <div className="dead">
      <div className="buttons"><Button loading={again.isPending} onClick={() => again.mutate()}>{w.data.play}</Button></div>
      <p role="status">{again.data && say(w.data.played, { taken: again.data.taken, left: again.data.left })}</p>
      {error && <Trouble error={error} />}
      <ol>{letters.data?.items.map((l) => <DeadRow key={l.id} l={l} busy={away.isPending} away={() => away.mutate(l.id)} />)}</ol>
    </div>
  )
}

function DeadRow({ l, busy, away }: { l: DeadLetter; busy: boolean; away(): void }) {
  const { w, date } = useWords()
  return (
    <li>
      <p>{l.message}{l.pointer && <> <span className="mono">{l.pointer}</span></>}</p>
      <p className="hint"><time dateTime={l.at}>{date(l.at)}</time></p>
      <details><summary>{w.data.body}</summary><pre tabIndex={0}>{l.body}</pre></details>
      <Button variant="subtle" size="compact-sm" disabled={busy} onClick={away}>{w.data.away}</Button>
    </li>
  )
}

function Strange({ x }: { x: Untranslated }) {
  const { w, say } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const known = useQuery({ queryKey: ['states', api.workspace], queryFn: () => api.states(), staleTime: Infinity })
  const [state, setState] = useState('')
  const resolve = useMutation({
    mutationFn: () => api.resolveState({ source: x.source, kind: x.kind, value: x.value, state }),
    onSuccess: () => Promise.all([['untranslated'], ['sources']].map((queryKey) => queries.invalidateQueries({ queryKey }))),
  })
  return (
    <li>
      <p><b>{say(w.data.quoted, { value: x.value })}</b><br /><span className="mono">{x.source} · {x.kind}</span></p>
      <p className="hint">{say(w.data.records, { n: x.count })}</p>
      <form className="resolve" onSubmit={(e) => { e.preventDefault(); resolve.mutate() }}>
        <NativeSelect aria-label={say(w.data.means, { value: x.value })} value={state} onChange={(e) => setState(e.currentTarget.value)} data={[{ value: '', label: w.data.choose }, ...(known.data?.states ?? [])]} />
        <Button type="submit" variant="default" size="sm" loading={resolve.isPending} disabled={!state}>{w.data.translate}</Button>
      </form>
      {resolve.error && <Trouble error={resolve.error} />}
    </li>
  )
}

function Pair({ s }: { s: Suggestion }) {
  const { w, say } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const settle = useMutation({
    mutationFn: (how: 'accept' | 'reject') => api.settleLookalike(s.id, how),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['lookalikes'] }),
  })
  const fields = [...new Set(s.people.flatMap((p) => Object.keys(p.card)))]
  return (
    <li className="panel">
      <p><b>{say(w.data.likely, { p: Math.min(100 * s.probability, 99.99).toFixed(s.probability > 0.99 ? 2 : 0) })}</b></p>
      <div className="scroll" tabIndex={0} role="group" aria-label={w.data.compared}>
        <table className="shifts">
          <thead><tr><td />{s.people.map((p) => <th key={p.id} scope="col"><Link to="/people/$id" params={{ id: p.id }}>{p.ids[0] ? `${p.ids[0].kind}:${p.ids[0].value}` : p.id}</Link></th>)}</tr></thead>
          <tbody>{fields.map((f) => <tr key={f}><th scope="row">{w.data.field[f as keyof typeof w.data.field] ?? f}</th>{s.people.map((p) => <td key={p.id}>{p.card[f] ?? w.data.blank}</td>)}</tr>)}</tbody>
        </table>
      </div>
      <ul className="hint why">{s.why.filter((x) => x.field !== 'prior').map((x, i) => <li key={i}>{x.text}</li>)}</ul>
      <div className="buttons">
        <Button loading={settle.isPending && settle.variables === 'accept'} disabled={settle.isPending} onClick={() => settle.mutate('accept')}>{w.data.accept}</Button>
        <Button variant="default" disabled={settle.isPending} onClick={() => settle.mutate('reject')}>{w.data.reject}</Button>
      </div>
      {settle.error && <Trouble error={settle.error} />}
    </li>
  )
}
