import { Button, TextInput } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { Failed } from './api'
import { Records, Ref } from './evidence'
import type { Moment, Person, PersonRecord } from './explanation'
import { Section, Trouble, useTitle, Waiting } from './parts'
import { useSession } from './session'
import { bare } from './strategies'
import { known, useWords } from './words'

const once = (n: number, e: Error) => !(e instanceof Failed) && n < 2

/** People finds a person by any id, or by what was decided for them lately. */
export function People() {
  const { w, time } = useWords()
  const { api } = useSession()
  const navigate = useNavigate()
  const [id, setId] = useState('')
  useTitle(w.people.title)
  const recent = useQuery({ queryKey: ['decisions', api.workspace, 'recent'], queryFn: () => api.decisions({ limit: 200 }), retry: once })
  const seen = new Map<string, { at: string; asked: string; count: number; name?: string }>()
  for (const d of recent.data?.items ?? []) {
    const s = seen.get(d.person)
    if (s) s.count++
    else seen.set(d.person, { at: d.at, asked: d.decision?.enquiry ?? '', count: 1, ...(d.name ? { name: d.name } : {}) })
  }
  return (
    <main id="content" className="page">
      <div className="page-head"><h1>{w.people.title}</h1></div>
      <form className="filters" onSubmit={(e) => { e.preventDefault(); if (id.trim()) void navigate({ to: '/people/$id', params: { id: id.trim() } }) }}>
        <TextInput label={w.people.find} placeholder={w.people.hint} value={id} onChange={(e) => setId(e.currentTarget.value)} />
        <Button type="submit">{w.people.go}</Button>
      </form>
      <Section title={w.people.recent}>
        {recent.isPending ? <Waiting /> : recent.error ? <Trouble error={recent.error} />
          : seen.size === 0 ? <p className="hint">{w.people.noRecent}</p>
          : <ol className="ledger people">
              {[...seen].map(([person, s]) => (
                <li key={person}>
                  <time dateTime={s.at}>{time(s.at)}</time>
                  <Link className="asked" to="/people/$id" params={{ id: person }}>{s.name ? <b>{s.name}</b> : <span className="mono">{person}</span>}</Link>
                  <span className="hint">{s.asked}</span>
                </li>
              ))}
            </ol>}
      </Section>
    </main>
  )
}

/** PersonPage is everything known of one person, each fact with the records that prove it. */
export function PersonPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const { w } = useWords()
  const { api } = useSession()
  const person = useQuery({ queryKey: ['person', api.workspace, id], queryFn: () => api.person(id), retry: once })
  const called = person.data?.traits['name']?.value
  useTitle(typeof called === 'string' && called ? called : w.people.title)
  return (
    <main id="content" className="page">
      <p className="back"><Link to="/people">← {w.person.back}</Link></p>
      {person.error instanceof Failed && person.error.status === 404 ? <div className="nothing"><p><b>{w.person.unknown}</b></p><p className="hint">{w.person.unknownLead}</p><Link to="/" search={{ person: id } as never}>{w.person.decisions}</Link></div>
        : person.error ? <Trouble error={person.error} /> : person.data ? <Records><View p={person.data} /></Records> : <Waiting />}
    </main>
  )
}

function View({ p }: { p: Person }) {
  const { w, date, say, list } = useWords()
  const name = p.traits['name']?.value
  const kinds = [['orders', p.orders], ['cases', p.cases], ['assets', p.assets], ['holdings', p.holdings], ['enrolments', p.enrolments], ['contracts', p.contracts]] as const
  return (
    <>
      <h1>{typeof name === 'string' && name ? name : p.id}</h1>
      <p className="meta">
        <span className="mono">{p.id}</span>
        <span>{w.person.events} {p.events}</span>
        <span>{w.person.first} {date(p.first_seen)}</span>
        <span>{w.person.last} {date(p.last_seen)}</span>
        <span>{w.person.personalization} {w.person[p.preferences.personalization]}</span>
        <Link to="/" search={{ person: p.id } as never}>{w.person.decisions}</Link>
      </p>
      <div className="columns even">
        <div>
          <Section title={w.person.ids}><dl className="facts">{p.ids.map((k) => <div key={k.kind + k.value}><dt>{known(w.field, k.kind)}</dt><dd className="mono">{k.value}</dd></div>)}</dl></Section>
          <Section title={w.person.traits}>
            {Object.keys(p.traits).length === 0 ? <p className="hint">{w.none}</p> : (
              <dl className="facts">
                {Object.entries(p.traits).map(([key, t]) => (
                  <div key={key}><dt>{known(w.field, key)}</dt><dd>{t.evidence[0] ? <Ref of={t.evidence[0]}>{said(t.value, date)}</Ref> : said(t.value, date)}</dd></div>
                ))}
              </dl>
            )}
          </Section>
          {p.tags && p.tags.length > 0 && <Section title={w.person.tags}><p>{list(p.tags)}</p></Section>}
          <Section title={w.person.signals}>
            {p.signals.length === 0 ? <p className="hint">{w.none}</p> : (
              <ul className="signals">
                {p.signals.map((s, i) => (
                  <li key={i}>
                    <p><span className="nature" data-nature={s.holds ? 'right' : undefined}>{s.holds ? w.person.holds : w.person.holdsNot}</span><b>{s.title || s.signal}</b> <span className="number hint">{say(w.person.count, { count: s.count, needed: s.needed })}</span></p>
                    {s.group && <p className="hint">{Object.entries(s.group).filter(([, v], at, all) => all.findIndex(([, x]) => x === v) === at).map(([k, v]) => `${known(w.field, k)} ${v}`).join(' · ')}</p>}
                    <ul className="proofs">{s.events?.map((e, n) => <li key={e}><Ref of={e}>{say(w.person.record, { n: n + 1 })}</Ref></li>)}</ul>
                  </li>
                ))}
              </ul>
            )}
          </Section>
          {kinds.map(([key, records]) => records.length > 0 && <Section key={key} title={w.person[key]}>{records.map((r) => <RecordCard key={r.ref} r={r} person={p.id} />)}</Section>)}
        </div>
        <div>
          <Section title={w.person.contacts}><Contacts p={p} /></Section>
          <Section title={w.person.timeline}><Timeline id={p.id} /></Section>
        </div>
      </div>
    </>
  )
}

/** spoken are the words that an event carries: what was said, or what was reported. */
function spoken(m: Moment): string {
  const p = (m.properties ?? {}) as Record<string, unknown>
  const words = [p['message_body'], p['text']].find((x) => typeof x === 'string' && x) as string | undefined
  const first = words?.split('\n')[0] ?? ''
  return first.length > 80 ? `${first.slice(0, 79)}…` : first
}

/** said writes a field of a record: times as dates, money as money, what is nested in one line. */
function said(v: unknown, date: (at: string) => string, field = (k: string) => k): string {
  if (typeof v === 'string') return /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(v) ? date(v) : v
  if (Array.isArray(v)) return v.map((x) => said(x, date, field)).join('\n')
  if (v && typeof v === 'object') {
    const m = v as Record<string, unknown>
    if (typeof m['amount'] === 'number' && typeof m['currency'] === 'string') return `${(m['amount'] / 100).toFixed(2)} ${m['currency']}`
    const own = m[document.documentElement.lang === 'en' ? 'en' : 'zh']
    if (typeof own === 'string' && Object.keys(m).every((k) => k === 'zh' || k === 'en')) return own
    return Object.entries(m).map(([k, x]) => `${field(k)} ${said(x, date, field)}`).join(' · ')
  }
  return JSON.stringify(v)
}

function RecordCard({ r, person }: { r: PersonRecord; person: string }) {
  const { w, date } = useWords()
  const value = (k: string, v: unknown) => (typeof v === 'string' && ['status', 'state', 'kind'].includes(k) ? known(w.value, v) : said(v, date, (f) => known(w.field, f)))
  return (
    <article className="choice">
      <h3><Ref of={`${r.ref};${person}`}>{r.id}</Ref><time className="hint" dateTime={r.updated_at}>{date(r.updated_at)}</time></h3>
      <dl className="facts">{Object.entries(r.fields).map(([k, v]) => <div key={k}><dt>{known(w.field, k)}</dt><dd className="number">{value(k, v)}</dd></div>)}</dl>
    </article>
  )
}

function Contacts({ p }: { p: Person }) {
  const { w, time, locale } = useWords()
  const { api } = useSession()
  const actions = useQuery({ queryKey: ['actions', api.workspace], queryFn: () => api.actions(), retry: once, staleTime: 60_000 })
  const titles = new Map(actions.data?.items.map((a) => [a.action, bare(locale === 'en' ? a.title.en : a.title.zh, w.blank)]))
  if (p.contact_history.length === 0) return <p className="hint">{w.none}</p>
  const steps = [['shown', 'shown_at'], ['opened', 'opened_at'], ['accepted', 'accepted_at'], ['dismissed', 'dismissed_at'], ['resolved', 'resolved_at']] as const
  return (
    <ul className="signals">
      {p.contact_history.slice(0, 20).map((c, i) => (
        <li key={i}>
          <p><Link to="/decisions/$id" params={{ id: c.decision_id }}>{c.action ? titles.get(c.action) ?? c.action : w.person.whole}</Link></p>
          <p className="hint number">{steps.flatMap(([name, at]) => (c[at] ? [`${w.person[name]} ${time(c[at])}`] : [])).join(' · ')}</p>
        </li>
      ))}
    </ul>
  )
}

function Timeline({ id }: { id: string }) {
  const { w, time } = useWords()
  const { api } = useSession()
  const pages = useInfiniteQuery({
    queryKey: ['timeline', api.workspace, id],
    queryFn: ({ pageParam }) => api.timeline(id, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    retry: once,
  })
  if (pages.isPending) return <Waiting />
  if (pages.error) return <Trouble error={pages.error} />
  return (
    <>
      <ol className="timeline">
        {pages.data.pages.flatMap((page) => page.items).map((m) => (
          <li key={m.ref}>
            <time dateTime={m.at}>{time(m.at)}</time>
            <span><Ref of={m.ref}>{known(w.event, m.event || m.kind)}{m.subject ? ` ${m.subject}` : ''}</Ref>{(m.occasion || spoken(m)) && <span className="hint spoken">{m.occasion || spoken(m)}</span>}</span>
            {!m.verified && <span className="hint">{w.person.unverified}</span>}
          </li>
        ))}
      </ol>
      {pages.hasNextPage && <Button variant="subtle" size="compact-sm" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>{w.person.more}</Button>}
    </>
  )
}
