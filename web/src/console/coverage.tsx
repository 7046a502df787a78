import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo, useState, type ReactNode } from 'react'
import { Failed } from './api'
import type { Stage } from './explanation'
import { NatureBadge, Section, Trouble, useTitle, Waiting } from './parts'
import { passages, type Coverage, type LeftOut, type Loss, type NeedCoverage, type Passage, type Text } from './plan'
import { useSession } from './session'
import { bare, StrategyNav, useNote } from './strategies'
import { useWords } from './words'

export interface Reach { version?: number; days?: number }

const spans = [7, 30, 90] as const
/** How many rows a list shows before it is asked for the rest. */
const few = 8

/** CoveragePage tells how far a version reaches: who got nothing, which needs nothing serves, and which rules did it. */
export function CoveragePage() {
  const { w, say } = useWords()
  const { api } = useSession()
  const navigate = useNavigate()
  const { version, days = 30 } = useSearch({ strict: false }) as Reach
  const since = useMemo(() => new Date(Date.now() - days * 86_400_000).toISOString(), [days])
  const coverage = useQuery({ queryKey: ['coverage', api.workspace, version, days], queryFn: () => api.coverage({ ...(version ? { version } : {}), since }), retry: (n, e) => !(e instanceof Failed) && n < 2, staleTime: 60_000 })
  const versions = useQuery({ queryKey: ['strategies', api.workspace], queryFn: () => api.strategies() })
  useTitle(w.coverage.title)
  const told = useNote()
  const look = (r: Reach) => void navigate({ to: '/coverage', search: r as never })
  const c = coverage.data
  return (
    <main id="content" className="page">
      <StrategyNav here="coverage" />
      <div className="page-head"><h1>{w.coverage.title}</h1></div>
      <p className="lead">{w.coverage.lead}</p>
      <div className="filters">
        <NativeSelect label={w.coverage.under} value={version ?? ''} onChange={(e) => { const v = Number(e.currentTarget.value); look({ days, ...(v ? { version: v } : {}) }) }}
          data={[{ value: '', label: w.coverage.inForce }, ...(versions.data?.items ?? []).map((v) => ({ value: String(v.version), label: say(w.strategies.version, { n: v.version }) + (v.note ? ` · ${told(v.note)}` : '') }))]} />
        <NativeSelect label={w.coverage.past} value={days} onChange={(e) => look({ ...(version ? { version } : {}), days: Number(e.currentTarget.value) })} data={spans.map((n) => ({ value: String(n), label: say(w.coverage.days, { n }) }))} />
      </div>
      {coverage.error ? <Trouble error={coverage.error} again={() => void coverage.refetch()} />
        : !c ? <><Waiting /><p className="hint">{w.coverage.again}</p></>
        : c.decisions === 0 ? <div className="nothing"><p><b>{say(w.coverage.none, { n: days })}</b></p><p className="hint">{w.coverage.noneLead}</p></div>
        : <Told c={c} />}
    </main>
  )
}

function Told({ c }: { c: Coverage }) {
  const { w, say } = useWords()
  return (
    <>
      <p className="hint">{say(w.coverage.looked, { decisions: c.decisions, people: c.people, version: c.version })}{c.erased > 0 && <> {say(w.coverage.erased, { n: c.erased })}</>}</p>
      <People c={c} />
      <Needs c={c} />
      <Stages c={c} />
      <Actions c={c} />
    </>
  )
}

const share = (n: number, of: number): string => (of === 0 ? '0%' : `${((100 * n) / of).toFixed(n > 0 && n < of && (n / of < 0.1 || n / of > 0.9) ? 1 : 0)}%`)

/** Level is one line of a funnel: what it is, a bar as long as its part, the number. */
function Level({ name, n, of, tone, children }: { name: ReactNode; n: number; of: number; tone?: 'kept' | 'lost' | 'half'; children?: ReactNode }) {
  return (
    <div className="level" data-tone={tone}>
      <span className="level-name">{name}</span>
      <span className="level-bar" aria-hidden><i style={{ inlineSize: `${of ? (100 * n) / of : 0}%` }} /></span>
      <span className="number"><b>{n}</b> <span className="hint">{share(n, of)}</span></span>
      {children}
    </div>
  )
}

function People({ c }: { c: Coverage }) {
  const { w } = useWords()
  const without = c.nothing + c.handed_over
  return (
    <Section title={w.coverage.people} id="people">
      <div className="columns even coverage">
        <div className="panel funnel">
          <Level name={w.coverage.came} n={c.people} of={c.people} />
          <Level name={w.coverage.served} n={c.people - without} of={c.people} tone="kept" />
          <Level name={w.coverage.handedOver} n={c.handed_over} of={c.people} tone="half" />
          <Level name={w.coverage.nothing} n={c.nothing} of={c.people} tone="lost" />
        </div>
        <div className="panel funnel">
          <h3>{w.coverage.lostAt}</h3>
          {c.lost.length === 0 ? <p className="kept">✓ {w.coverage.nobodyLost}</p>
            : c.lost.map((l) => <Level key={l.stage} name={l.stage ? w.stage[l.stage] : w.coverage.noCandidate} n={l.people} of={without} tone="lost"><small className="hint">{l.stage ? w.coverage.stopped[l.stage] : w.coverage.noCandidateLead}</small></Level>)}
        </div>
      </div>
      {c.left.length > 0 && <Left all={c.left} label={w.coverage.left} />}
    </Section>
  )
}

/** Left names decisions that left somebody without an answer or an offer. */
function Left({ all, label }: { all: LeftOut[]; label: string }) {
  const { w, date } = useWords()
  return (
    <details className="left"><summary>{label} <span className="count">{all.length}</span></summary>
      <ul className="ledger rows">{all.map((l) => (
        <li key={l.decision}>
          <p><Link to="/decisions/$id" params={{ id: l.decision }}>{l.enquiry || w.strategies.noEnquiry}</Link></p>
          <p className="hint">{l.stage ? w.stage[l.stage] : w.coverage.noCandidate}{l.handed_over && <> · {w.coverage.gotPerson}</>}</p>
          <p className="hint"><time dateTime={l.at}>{date(l.at)}</time></p>
        </li>
      ))}</ul>
    </details>
  )
}

/** useTitles gives the titles of actions and needs in the reader's language. */
function useTitles() {
  const { w, locale } = useWords()
  const of = (t: Partial<Text>) => bare((locale === 'en' ? t.en || t.zh : t.zh || t.en) ?? '', w.blank)
  return { of, need: (n: NeedCoverage) => of(n.title) || (n.intent ? n.intent + (n.subintent ? `/${n.subintent}` : '') : w.coverage.unclear) }
}

function Needs({ c }: { c: Coverage }) {
  const { w, say } = useWords()
  const [only, setOnly] = useState(() => c.needs.some((n) => n.no_eligible > 0))
  const [all, setAll] = useState(false)
  const lost = c.needs.filter((n) => n.no_eligible > 0).sort((a, b) => b.no_eligible - a.no_eligible)
  const rows = only ? lost : c.needs
  const shown = all ? rows : rows.slice(0, few)
  return (
    <Section title={w.coverage.needs} id="needs" note={
      <label className="check"><input type="checkbox" checked={only} onChange={(e) => setOnly(e.currentTarget.checked)} /> {say(w.coverage.onlyNone, { n: lost.length })}</label>
    }>
      <p className="hint lead">{w.coverage.needsLead}</p>
      {rows.length === 0 ? <p className="panel kept">✓ {only ? w.coverage.allServed : w.coverage.noNeeds}</p> : (
        <>
          <ul className="drills">{shown.map((n) => <Need key={`${n.intent}/${n.subintent ?? ''}`} n={n} c={c} />)}</ul>
          <p className="legend hint">{outcomes.map((o) => <span key={o}><i data-outcome={o} /> {w.coverage.outcome[o]}</span>)}</p>
          {rows.length > few && <p className="more"><button type="button" className="ref" aria-expanded={all} onClick={() => setAll(!all)}>{all ? w.coverage.fewer : say(w.coverage.more, { n: rows.length - few })}</button></p>}
        </>
      )}
    </Section>
  )
}

const outcomes = ['answered', 'partly', 'clarified', 'handover', 'unanswered'] as const

function Need({ n, c }: { n: NeedCoverage; c: Coverage }) {
  const { w, say } = useWords()
  const titles = useTitles()
  const actions = new Map(c.actions.map((a) => [a.action, a]))
  return (
    <li>
      <details>
        <summary>
          <span><b>{titles.need(n)}</b>{n.intent && <span className="mono">{n.intent}{n.subintent && `/${n.subintent}`}</span>}</span>
          <span className="mix" role="img" aria-label={outcomes.filter((o) => n[o] > 0).map((o) => `${w.coverage.outcome[o]} ${n[o]}`).join(w.comma)}>{outcomes.map((o) => n[o] > 0 && <i key={o} data-outcome={o} style={{ flexGrow: n[o] }} />)}</span>
          <span className="number">{say(w.coverage.asked, { n: n.asked })}<br />{n.no_eligible > 0 ? <b className="lost">{say(w.coverage.noEligible, { n: n.no_eligible })}</b> : <span className="hint">{w.coverage.eligible}</span>}</span>
        </summary>
        <div className="drill">
          {n.lost.length > 0 ? <Rules version={c.version} rules={n.lost.map((l) => ({ ...l, title: actions.get(l.action)?.title ?? { zh: l.action, en: l.action } }))} />
            : <p>{n.intent === '' ? w.coverage.unclearLead : n.no_eligible > 0 ? w.coverage.noRule : w.coverage.nothingStopped} {n.intent === '' ? <Link to="/learning">{w.coverage.toLearning}</Link> : n.no_eligible > 0 && <Link to="/strategies/new" search={{ from: c.version } as never}>{w.coverage.write}</Link>}</p>}
          {n.examples.length > 0 && <Left all={n.examples} label={w.coverage.examples} />}
        </div>
      </details>
    </li>
  )
}

/** Rules are what stopped candidates, most first, each with the way to where it is written. */
function Rules({ version, rules }: { version: number; rules: (Loss & { action: string; title: Text })[] }) {
  const { w, say } = useWords()
  const titles = useTitles()
  const most = Math.max(...rules.map((r) => r.times))
  const [all, setAll] = useState(false)
  return (
    <>
      <ul className="rules">{(all ? rules : rules.slice(0, few)).map((r) => (
        <li key={`${r.action} ${r.stage} ${r.rule}`}>
          <p><b>{titles.of(r.title) || r.action}</b> <span className="state">{w.stage[r.stage]}</span><br /><span className="hint">{titles.of(r.reason) || r.rule}</span></p>
          <span className="level-bar" aria-hidden><i style={{ inlineSize: `${(100 * r.times) / most}%` }} /></span>
          <span className="number">{say(w.coverage.times, { n: r.times })}</span>
          <Link className="to-rule" to="/strategies/new" search={{ from: version, action: r.action, rule: r.rule } as never} aria-label={say(w.coverage.openRule, { action: r.action, rule: r.rule })}>{w.coverage.toRule}</Link>
        </li>
      ))}</ul>
      {rules.length > few && <p className="more"><button type="button" className="ref" aria-expanded={all} onClick={() => setAll(!all)}>{all ? w.coverage.fewer : say(w.coverage.more, { n: rules.length - few })}</button></p>}
    </>
  )
}

function Stages({ c }: { c: Coverage }) {
  const { w, say } = useWords()
  const p = useMemo(() => passages(c.actions), [c])
  return (
    <Section title={w.coverage.stages} id="stages">
      <p className="hint lead">{w.coverage.stagesLead}</p>
      <ol className="drills">
        <li className="drill-plain"><Level name={w.coverage.candidates} n={p.entered} of={p.entered} /></li>
        {p.stages.map((s) => <StageRow key={s.stage} s={s} of={p.entered} version={c.version} />)}
        <li className="drill-plain"><Level name={<b>{w.coverage.chosen}</b>} n={p.chosen} of={p.entered} tone="kept" /></li>
      </ol>
      {p.entered > 0 && <p className="hint lead after">{say(w.coverage.oneIn, { share: share(p.chosen, p.entered) })}</p>}
    </Section>
  )
}

function StageRow({ s, of, version }: { s: Passage; of: number; version: number }) {
  const { w, say } = useWords()
  const bar = (
    <>
      <span className="level-name">{w.stage[s.stage as Stage]}<small className="hint">{w.coverage.stopped[s.stage as Stage]}</small></span>
      <span className="level-bar" aria-hidden><i style={{ inlineSize: `${of ? (100 * (s.entered - s.stopped)) / of : 0}%` }} /><u style={{ inlineSize: `${of ? (100 * s.stopped) / of : 0}%` }} /></span>
      <span className="number">{s.stopped > 0 ? <b className="lost">−{s.stopped}</b> : <span className="hint">±0</span>}<span className="hint"> → {s.entered - s.stopped}</span></span>
    </>
  )
  if (s.stopped === 0) return <li className="drill-plain"><div className="level" data-stage={s.stage}>{bar}</div></li>
  return <li><details><summary className="level" data-stage={s.stage}>{bar}</summary><div className="drill"><p className="hint">{say(w.coverage.rulesOf, { stage: w.stage[s.stage as Stage], n: s.rules.length })}</p><Rules version={version} rules={s.rules} /></div></details></li>
}

function Actions({ c }: { c: Coverage }) {
  const { w, say } = useWords()
  const titles = useTitles()
  const [all, setAll] = useState(false)
  const tried = c.actions.filter((a) => a.considered > 0).sort((a, b) => a.chosen / a.considered - b.chosen / b.considered || b.considered - a.considered)
  const never = c.actions.filter((a) => a.considered === 0)
  return (
    <Section title={w.coverage.actions} id="actions">
      <p className="hint lead">{w.coverage.actionsLead}</p>
      <ul className="drills">{(all ? tried : tried.slice(0, few)).map((a) => (
        <li key={a.action}>
          <details>
            <summary>
              <span><b>{titles.of(a.title)}</b> <NatureBadge nature={a.nature} /><span className="mono">{a.action}</span></span>
              <span className="level-bar" aria-hidden><i style={{ inlineSize: `${(100 * a.chosen) / Math.max(a.considered, a.chosen)}%` }} /></span>
              <span className="number">{say(w.coverage.chosenOf, { chosen: a.chosen, considered: a.considered })}<br /><span className="hint">{a.lost[0] ? `${w.stage[a.lost[0].stage]}${w.colon}${titles.of(a.lost[0].reason) || a.lost[0].rule}` : w.coverage.neverStopped}</span></span>
            </summary>
            <div className="drill">{a.lost.length > 0 ? <Rules version={c.version} rules={a.lost.map((l) => ({ ...l, action: a.action, title: a.title }))} /> : <p className="hint">{w.coverage.neverStopped}</p>}</div>
          </details>
        </li>
      ))}</ul>
      {tried.length > few && <p className="more"><button type="button" className="ref" aria-expanded={all} onClick={() => setAll(!all)}>{all ? w.coverage.fewer : say(w.coverage.more, { n: tried.length - few })}</button></p>}
      {never.length > 0 && <details className="left"><summary>{w.coverage.never} <span className="count">{never.length}</span></summary><ul className="panel never">{never.map((a) => <li key={a.action}>{titles.of(a.title)} <span className="mono">{a.action}</span></li>)}</ul></details>}
    </Section>
  )
}
