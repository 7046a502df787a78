import { Button, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import type { Talk } from '../contract'
import { safeURL } from '../widget/nodes'
import { Failed, type Handover, type Line } from './api'
import { Section, Trouble, useTitle, Waiting } from './parts'
import { useSession } from './session'
import { useWords } from './words'

const kept = 'rapport.agent'

/** Name is what a customer is called, as far as they have said. */
export function Name({ person }: { person: string }) {
  const { api } = useSession()
  const known = useQuery({ queryKey: ['person', api.workspace, person], queryFn: () => api.person(person), staleTime: 300_000, retry: false })
  const name = known.data?.traits['name']?.value
  return typeof name === 'string' && name ? <b>{name}</b> : <span className="mono">{person}</span>
}

/** Desk is where people of the company take conversations, answer, and hand them back. */
export function Desk() {
  const { id } = useParams({ strict: false }) as { id?: string }
  const { w } = useWords()
  const { api } = useSession()
  const waiting = useQuery({ queryKey: ['queue', api.workspace, 'waiting'], queryFn: () => api.queue('waiting'), refetchInterval: 3000 })
  const taken = useQuery({ queryKey: ['queue', api.workspace, 'person'], queryFn: () => api.queue('person'), refetchInterval: 3000 })
  useTitle(w.desk.title)
  const all = [...(taken.data?.items ?? []), ...(waiting.data?.items ?? [])]
  return (
    <main id="content" className="page">
      <div className="page-head"><h1>{w.desk.title}</h1></div>
      <div className="columns" data-open={id ? '' : undefined}>
        <div className="queues">
          <Queue title={w.desk.taken} none={w.desk.noneTaken} list={taken.data?.items} error={taken.error} here={id} />
          <Queue title={w.desk.waiting} none={w.desk.noneWaiting} list={waiting.data?.items} error={waiting.error} here={id} />
        </div>
        {id ? <Held key={id} id={id} request={all.find((h) => h.conversation_id === id)} /> : <p className="panel hint choose">{w.desk.choose}</p>}
      </div>
    </main>
  )
}

function Queue({ title, none, list, error, here }: { title: string; none: string; list?: Handover[]; error: Error | null; here?: string }) {
  const { w, say } = useWords()
  return (
    <Section title={title} note={list?.length ? list.length : undefined}>
      {error ? <Trouble error={error} /> : !list ? <Waiting /> : list.length === 0 ? <p className="panel hint">{none}</p>
        : <ol className="ledger queue">{list.map((h) => (
            <li key={h.conversation_id} data-here={h.conversation_id === here ? '' : undefined}>
              <p>{h.person && <Name person={h.person} />}<span className="hint">{h.seconds < 60 ? w.desk.now : say(w.desk.minutes, { n: Math.floor(h.seconds / 60) })}{h.agent?.name && ` · ${h.agent.name}`}</span></p>
              <Link className="asked" to="/desk/$id" params={{ id: h.conversation_id }}>{h.brief?.needs.map((n) => n.text).filter(Boolean).join(w.comma) || w.desk.open}</Link>
            </li>
          ))}</ol>}
    </Section>
  )
}

function Held({ id, request }: { id: string; request?: Handover }) {
  const { w } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const talk = useQuery({ queryKey: ['talk', api.workspace, id], queryFn: () => api.conversation(id), refetchInterval: 2500, retry: (n, e) => !(e instanceof Failed) && n < 3 })
  const you = useQuery({ queryKey: ['settings', api.workspace], queryFn: () => api.settings(), staleTime: 300_000 })
  const me = you.data?.you
  const [named, setNamed] = useState<string | null>(() => localStorage.getItem(kept))
  const name = (named ?? (me && me.id !== 'first' ? me.name : '')).trim()
  const agent = { id: me && me.id !== 'first' ? me.id : name, name }
  const [text, setText] = useState('')
  const [solved, setSolved] = useState(true)
  const after = () => Promise.all([['talk', api.workspace, id], ['queue', api.workspace]].map((queryKey) => queries.invalidateQueries({ queryKey })))
  const accept = useMutation({ mutationFn: () => api.accept(id, agent), onSuccess: after })
  const reply = useMutation({ mutationFn: () => api.reply(id, text.trim(), agent), onSuccess: () => { setText(''); return after() } })
  const back = useMutation({ mutationFn: () => api.handBack(id, agent, solved), onSuccess: after })
  const phase = talk.data?.conversation.phase
  const error = talk.error ?? accept.error ?? reply.error ?? back.error
  return (
    <div className="held">
      <p className="back"><Link to="/desk">← {w.desk.back}</Link></p>
      {request?.brief && <Brief h={request} />}
      <Section title={w.desk.talk} note={phase && <State talk={talk.data!.conversation} />}>
        {talk.data ? <Lines lines={talk.data.messages} /> : !error && <Waiting />}
      </Section>
      {error && <Trouble error={error} />}
      {talk.data && (
        <div className="panel answering">
          <TextInput label={w.desk.name} description={w.desk.nameNote} value={named ?? (agent.name || '')} onChange={(e) => { setNamed(e.currentTarget.value); localStorage.setItem(kept, e.currentTarget.value) }} autoComplete="name" />
          {phase !== 'person' ? (
            <div className="buttons">
              <Button disabled={!name} loading={accept.isPending} onClick={() => accept.mutate()}>{w.desk.accept}</Button>
              <span className="hint">{w.desk.acceptNote}</span>
            </div>
          ) : (
            <>
              <form onSubmit={(e) => { e.preventDefault(); if (text.trim() && name) reply.mutate() }}>
                <Textarea label={w.desk.reply} autosize minRows={2} maxRows={8} value={text} onChange={(e) => setText(e.currentTarget.value)}
                  onKeyDown={(e) => { if (e.key === 'Enter' && (e.metaKey || e.ctrlKey)) e.currentTarget.form?.requestSubmit() }} />
                <div className="buttons"><Button type="submit" disabled={!text.trim() || !name} loading={reply.isPending}>{w.desk.send}</Button><span className="hint">{w.desk.keys}</span></div>
              </form>
              <div className="buttons returning">
                <label><input type="checkbox" checked={solved} onChange={(e) => setSolved(e.currentTarget.checked)} /> {w.desk.solved}</label>
                <Button variant="default" loading={back.isPending} onClick={() => back.mutate()}>{w.desk.return}</Button>
              </div>
            </>
          )}
          {request?.person && <p><Link to="/people/$id" params={{ id: request.person }}>{w.desk.person}</Link></p>}
        </div>
      )}
    </div>
  )
}

function State({ talk }: { talk: Talk }) {
  const { w, say } = useWords()
  return <span role="status">{talk.phase === 'person' ? say(w.desk.with, { name: talk.agent?.name || w.desk.colleague }) : talk.phase === 'waiting' ? w.desk.isWaiting : w.desk.withAdviser}</span>
}

function Brief({ h }: { h: Handover }) {
  const { w } = useWords()
  const b = h.brief!
  return (
    <Section title={w.desk.brief}>
      <dl className="facts">
        {b.needs.length > 0 && <div><dt>{w.desk.needs}</dt><dd><ul>{b.needs.map((n, i) => <li key={i}><b>{n.title || w.desk.unclear}</b>{n.text && <> {n.text}</>}</li>)}</ul></dd></div>}
        {b.facts.length > 0 && <div><dt>{w.desk.facts}</dt><dd><ul>{b.facts.map((f) => <li key={f.ref}>{f.summary}</li>)}</ul></dd></div>}
        {b.tried.length > 0 && <div><dt>{w.desk.tried}</dt><dd><ul>{b.tried.map((t) => <li key={t}>{t}</li>)}</ul></dd></div>}
        {b.attachments && b.attachments.length > 0 && <div><dt>{w.desk.sent}</dt><dd><Files files={b.attachments} /></dd></div>}
      </dl>
    </Section>
  )
}

function Files({ files }: { files: { kind: string; url?: string; name?: string }[] }) {
  return <ul>{files.map((f, i) => {
    const url = safeURL(f.url)
    return <li key={i}>📎 {url ? <a href={url} target="_blank" rel="noopener noreferrer">{f.name || f.kind}</a> : f.name || f.kind}</li>
  })}</ul>
}

function Lines({ lines }: { lines: Line[] }) {
  const { w, time } = useWords()
  const end = useRef<HTMLDivElement>(null)
  const last = lines.at(-1)?.id
  useEffect(() => { end.current?.scrollTo({ top: end.current.scrollHeight }) }, [last])
  return (
    <div className="talk" ref={end} tabIndex={0} role="log" aria-label={w.desk.talk}>
      {lines.map((l) => {
        const who = l.type === 'handover' ? 'note' : l.role === 'user' ? 'customer' : l.by === 'person' ? 'person' : 'adviser'
        const [first, ...rest] = l.text.split('\n')
        return (
          <article key={l.id} data-who={who}>
            {who !== 'note' && <p className="hint">{who === 'customer' ? w.desk.customer : who === 'person' ? l.agent?.name || w.desk.colleague : w.desk.adviser} · <time dateTime={l.at}>{time(l.at)}</time></p>}
            {who === 'adviser' && rest.length > 1 ? <details><summary>{first}</summary><p className="said">{rest.join('\n')}</p></details> : <p className="said">{l.text}</p>}
            {l.attachments && <Files files={l.attachments} />}
          </article>
        )
      })}
    </div>
  )
}
