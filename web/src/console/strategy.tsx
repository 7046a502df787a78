import { Button, NativeSelect, NumberInput, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { NatureBadge, Section, Trouble, useTitle, Waiting } from './parts'
import { rewards, scale, unified, watched, type Approval, type Difference, type Estimate, type Faults, type Guardrail, type Publication, type Simulation, type Value, type Version } from './plan'
import { bare, StateBadge, useMemberName, useNote } from './strategies'
import { useSession } from './session'
import { useWords } from './words'

/** StrategyPage shows one version: what it changes, what it would have brought, how it comes into force. */
export function StrategyPage() {
  const { w, say } = useWords()
  const { api } = useSession()
  const { v } = useParams({ strict: false }) as { v: string }
  const number = Number(v)
  useTitle(say(w.strategies.version, { n: v }))
  const version = useQuery({ queryKey: ['strategy', api.workspace, number], queryFn: () => api.strategy(number), retry: 1 })
  return (
    <main id="content" className="page">
      <p className="back"><Link to="/strategies">← {w.strategies.back}</Link></p>
      {version.error ? <Trouble error={version.error} again={() => void version.refetch()} /> : version.data ? <One key={number} v={version.data} /> : <Waiting />}
    </main>
  )
}

function One({ v }: { v: Version }) {
  const { w, say, date } = useWords()
  const told = useNote()
  const { api } = useSession()
  const open = v.state === 'draft' || v.state === 'scheduled' || v.state === 'canary'
  const faults = useQuery({ queryKey: ['faults', api.workspace, v.version], queryFn: () => api.validate(v.version), enabled: open, staleTime: Infinity })
  const approval = useQuery({ queryKey: ['approval', api.workspace, v.version], queryFn: () => api.approval(v.version), enabled: !open || (faults.data?.valid ?? false), retry: false })
  const diff = useQuery({ queryKey: ['diff', api.workspace, v.version], queryFn: () => api.difference(v.version), enabled: !v.current, retry: 1 })
  return (
    <>
      <h1 className="state-line">{say(w.strategies.version, { n: v.version })} <StateBadge v={v} /></h1>
      <p className="meta">
        <span>{v.packs.join(' · ')}</span>
        {v.base ? <span>{say(w.strategies.basedOn, { n: v.base })}</span> : null}
        <span><time dateTime={v.at}>{date(v.at)}</time></span>
      </p>
      {v.note && <p>{told(v.note)}</p>}
      {v.rollout && <RolloutLine v={v} />}
      <div className="columns wide">
        <div className="main">
          {faults.data && <Section title={w.strategies.check}><Checked faults={faults.data} /></Section>}
          {!v.current && <Section title={w.strategies.diff} note={diff.data ? say(w.strategies.against, { n: diff.data.against }) : undefined}>{diff.error ? <Trouble error={diff.error} /> : diff.data ? <Diff d={diff.data} /> : <Waiting />}</Section>}
          {(!open || faults.data?.valid) && <Simulate v={v} />}
        </div>
        <div className="side">
          {approval.data && (approval.data.two_approvers || approval.data.changes.length > 0) && open && <Approving a={approval.data} />}
          <Section title={w.strategies.force}>
            {v.current ? <p className="panel hint">{w.strategies.inForce}</p>
              : open ? <Publish v={v} blocked={!(faults.data?.valid ?? false)} needed={approval.data?.needed ?? false} />
              : <Rollback v={v} />}
          </Section>
          <Section title={w.strategies.history}><History version={v.version} /></Section>
        </div>
      </div>
    </>
  )
}

function RolloutLine({ v }: { v: Version }) {
  const { w, say, date } = useWords()
  const r = v.rollout!
  const named = (metric: string) => w.strategies.metric[metric as keyof typeof w.strategies.metric] ?? metric
  if (r.phase === 'ended') return r.reason && v.state !== 'published' ? <p className="hint">{say(w.strategies.ended, { reason: r.reason })}</p> : null
  return (
    <div className="hint">
      <p>{r.phase === 'scheduled' ? say(w.strategies.scheduledFor, { at: date(r.at) }) : say(w.strategies.canaryOf, { share: Math.round((r.share ?? 0) * 100) })}</p>
      {r.guardrails?.map((g, i) => <p key={i}>{g.max === undefined ? say(w.strategies.guardMin, { metric: named(g.metric), x: g.min ?? 0, after: g.after }) : say(w.strategies.guardMax, { metric: named(g.metric), x: g.max, after: g.after })}</p>)}
    </div>
  )
}

function Checked({ faults }: { faults: Faults }) {
  const { w } = useWords()
  if (faults.valid) return <p className="panel kept">✓ {w.strategies.inOrder}</p>
  return (
    <ul className="faults">
      {faults.faults.map((f, i) => (
        <li key={i}><p><b>{f.file}:{f.line}:{f.column}</b> {f.message}</p>{f.caret && <pre>{f.caret}</pre>}</li>
      ))}
    </ul>
  )
}

function Diff({ d }: { d: Difference }) {
  const { w, say } = useWords()
  if (d.files.length === 0) return <p className="panel hint">{w.strategies.same}</p>
  return (
    <div className="diffs">
      {d.actions_added.length > 0 && <p>{say(w.strategies.added, { actions: d.actions_added.join(w.comma) })}</p>}
      {d.actions_removed.length > 0 && <p>{say(w.strategies.removed, { actions: d.actions_removed.join(w.comma) })}</p>}
      {d.files.map((f) => (
        <details key={f.path} open={d.files.length < 4}>
          <summary>{f.path} <span className="count">{w.strategies.how[f.change]}</span></summary>
          <div className="unified" role="figure" aria-label={f.path} tabIndex={0}>
            {unified(f.diff).map((l, i) => <div key={i} data-line={l.kind}><span aria-hidden>{l.kind === 'add' ? '+' : l.kind === 'del' ? '−' : ' '}</span><code>{l.text || ' '}</code></div>)}
          </div>
        </details>
      ))}
    </div>
  )
}

function Simulate({ v }: { v: Version }) {
  const { w, say, locale } = useWords()
  const { api } = useSession()
  const metrics = useQuery({ queryKey: ['metrics-of', api.workspace, v.version], queryFn: () => api.metricsOf(v.version), retry: false })
  const [reward, setReward] = useState<string>('accepted')
  const run = useMutation({ mutationFn: () => api.simulate(v.version, { reward }) })
  const own = metrics.data?.items ?? []
  return (
    <Section title={w.strategies.simulate} id="simulate">
      <p className="hint">{w.strategies.simulateLead}</p>
      <form className="filters" onSubmit={(e) => { e.preventDefault(); run.mutate() }}>
        <NativeSelect label={w.strategies.reward} value={reward} onChange={(e) => setReward(e.currentTarget.value)}
          data={[...rewards.map((r) => ({ value: r as string, label: w.strategies.rewards[r] })), ...own.map((m) => ({ value: m.id, label: locale === 'en' ? m.title.en : m.title.zh }))]} />
        <Button type="submit" variant="default" loading={run.isPending}>{w.strategies.simulateGo}</Button>
      </form>
      <div role="status">
        {run.error && <Trouble error={run.error} />}
        {run.data && <Simulated s={run.data} />}
        {run.isPending && <p className="hint">{say(w.strategies.simulating, { n: v.version })}</p>}
      </div>
    </Section>
  )
}

function Simulated({ s }: { s: Simulation }) {
  const { w, say, locale, date } = useWords()
  return (
    <div className="simulated">
      <p>{say(w.strategies.changes, { changed: s.changed, decisions: s.decisions, people: s.people })} {say(w.strategies.nothing, { before: s.nothing_before, after: s.nothing_after })}</p>
      <ValueOf value={s.value} />
      {s.actions.length > 0 && (
        <div className="panel scroll" tabIndex={0} role="group" aria-label={w.strategies.byAction}>
          <table className="shifts">
            <caption>{w.strategies.byAction}</caption>
            <thead><tr><th scope="col">{w.decisions.action}</th><th scope="col" className="number">{w.strategies.before}</th><th scope="col" className="number">{w.strategies.after}</th><th scope="col" className="number">{w.strategies.gained}</th><th scope="col" className="number">{w.strategies.lost}</th></tr></thead>
            <tbody>{s.actions.map((a) => (
              <tr key={a.action}><th scope="row">{bare(locale === 'en' ? a.title.en : a.title.zh, w.blank)} <NatureBadge nature={a.nature} /></th><td className="number">{a.before}</td><td className="number">{a.after}</td><td className="number">{a.gained || ''}</td><td className="number">{a.lost || ''}</td></tr>
            ))}</tbody>
          </table>
        </div>
      )}
      {s.examples.length > 0 && (
        <details>
          <summary>{w.strategies.examples} <span className="count">{s.examples.length}</span></summary>
          <ul className="ledger versions">{s.examples.map((x) => (
            <li key={x.decision}>
              <p><Link to="/decisions/$id" params={{ id: x.decision }}>{x.enquiry || w.strategies.noEnquiry}</Link></p>
              <p><del>{x.before.join(w.comma) || w.none}</del><br />{x.after.join(w.comma) || w.none}</p>
              <p className="hint"><time dateTime={x.at}>{date(x.at)}</time></p>
            </li>
          ))}</ul>
        </details>
      )}
    </div>
  )
}

const digits = (x: number) => (Math.abs(x) >= 10 ? x.toFixed(1) : x.toFixed(3))

/** ValueOf draws what a version would have brought beside what was brought, or says why nobody can tell. */
function ValueOf({ value: v }: { value: Value }) {
  const { w, say, locale } = useWords()
  const title = locale === 'en' ? v.title.en : v.title.zh
  if (!v.enough) {
    return (
      <div className="panel value">
        <p><b>{say(w.strategies.unknown, { what: title })}</b></p>
        <p className="hint">{say(w.strategies.missing[v.missing ?? 'rounds'], { rounds: v.rounds, effective: Math.round(v.effective), untried: Math.round(100 * (1 - v.tried)), waiting: v.not_yet })}</p>
      </div>
    )
  }
  const rows: [string, Estimate][] = [[w.strategies.asItWas, v.logged], ['IPS', v.ips], ['SNIPS', v.snips], ['DR', v.dr]]
  const at = scale(rows.map(([, e]) => e))
  return (
    <div className="panel value">
      <p><b>{title}</b>{v.lower_is_better && <span className="hint"> · {w.strategies.lower}</span>}</p>
      <dl className="estimates">
        {rows.map(([name, e]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="number">{digits(e.value)}</dd>
            <dd className="span" aria-hidden><i style={{ insetInlineStart: `${100 * at(e.low)}%`, width: `${Math.max(100 * (at(e.high) - at(e.low)), 0.5)}%` }} /><b style={{ insetInlineStart: `${100 * at(e.value)}%` }} /></dd>
            <dd className="number hint">{say(w.strategies.interval, { low: digits(e.low), high: digits(e.high) })}</dd>
          </div>
        ))}
      </dl>
      <p className="hint">{say(w.strategies.worth, { rounds: v.rounds, effective: Math.round(v.effective), tried: Math.round(100 * v.tried) })}</p>
    </div>
  )
}

function useRefresh(version: number) {
  const queries = useQueryClient()
  const { api } = useSession()
  return () => Promise.all([['strategy', api.workspace, version], ['strategies'], ['approval'], ['approvals'], ['audit'], ['actions'], ['diff']].map((queryKey) => queries.invalidateQueries({ queryKey })))
}

function Approving({ a }: { a: Approval }) {
  const { w, say, date, locale, list } = useWords()
  const { api } = useSession()
  const refresh = useRefresh(a.version)
  const name = useMemberName()
  const [note, setNote] = useState('')
  const act = useMutation({ mutationFn: (deed: 'approval' | 'approve' | 'reject' | 'withdraw') => api.settle(a.version, deed, note.trim()), onSuccess: () => { setNote(''); return refresh() } })
  const r = a.request
  const open = r?.state === 'open'
  const settings = useQuery({ queryKey: ['settings', api.workspace], queryFn: () => api.settings() })
  const mine = open && settings.data?.you.id === r.by.id
  return (
    <Section title={w.strategies.approval} id="approval">
      <div className="panel approving">
        {a.changes.length === 0 ? <p>{w.strategies.noMajor}</p> : (
          <>
            <p>{a.two_approvers ? w.strategies.majorChanges : w.strategies.majorChangesOff}</p>
            <ul className="changes">{a.changes.map((c, i) => {
              const part = w.strategies.part[c.part as keyof typeof w.strategies.part] ?? c.part
              const title = bare((locale === 'en' ? c.title?.en : c.title?.zh) || c.id || '', w.blank)
              return <li key={i}><b>{w.strategies.how[c.how]}</b> {part}{title ? <> {say(w.strategies.quoted, { name: title })}</> : null}<br /><span className="mono">{c.actions.join(w.comma)}</span></li>
            })}</ul>
          </>
        )}
        {a.two_approvers && r && (
          <div className="request" data-request={r.state}>
            <p><b>{w.strategies.request[r.state]}</b></p>
            <p>{say(w.strategies.askedBy, { who: name(r.by) })} · <time dateTime={r.at}>{date(r.at)}</time>{r.note && <><br />{r.note}</>}</p>
            {r.settled && <p>{name(r.settled.by)} · <time dateTime={r.settled.at}>{date(r.settled.at)}</time>{r.settled.note && <><br />{r.settled.note}</>}</p>}
          </div>
        )}
        {a.needed && <p className="hint">{a.may_approve.length > 0 ? say(w.strategies.may, { who: list(a.may_approve.map(name)) }) : w.strategies.mayNobody}</p>}
        {a.needed && (a.you || mine || !open) && <TextInput label={w.strategies.note} value={note} onChange={(e) => setNote(e.currentTarget.value)} maxLength={2000} {...(a.you ? { description: w.strategies.rejectNote } : {})} />}
        <div className="buttons">
          {a.needed && !open && <Button loading={act.isPending} onClick={() => act.mutate('approval')}>{w.strategies.ask}</Button>}
          {a.you && open && <Button loading={act.isPending && act.variables === 'approve'} disabled={act.isPending} onClick={() => act.mutate('approve')}>{w.strategies.approve}</Button>}
          {a.you && open && <Button variant="default" disabled={act.isPending || !note.trim()} onClick={() => act.mutate('reject')}>{w.strategies.reject}</Button>}
          {mine && <Button variant="subtle" disabled={act.isPending} onClick={() => act.mutate('withdraw')}>{w.strategies.withdraw}</Button>}
        </div>
        {act.error && <Trouble error={act.error} />}
      </div>
    </Section>
  )
}

type Way = 'all' | 'share' | 'later'

function Publish({ v, blocked, needed }: { v: Version; blocked: boolean; needed: boolean }) {
  const { w, say, locale } = useWords()
  const { api } = useSession()
  const refresh = useRefresh(v.version)
  const metrics = useQuery({ queryKey: ['metrics-of', api.workspace, v.version], queryFn: () => api.metricsOf(v.version), enabled: !blocked, retry: false })
  const [way, setWay] = useState<Way>('all')
  const [note, setNote] = useState('')
  const [share, setShare] = useState<number | string>(5)
  const [at, setAt] = useState('')
  const [metric, setMetric] = useState('')
  const [bound, setBound] = useState<'max' | 'min'>('max')
  const [limit, setLimit] = useState<number | string>(0.3)
  const [after, setAfter] = useState<number | string>(100)
  const publish = useMutation({
    mutationFn: () => {
      const p: Publication = {}
      if (note.trim()) p.note = note.trim()
      if (way === 'share') {
        p.canary = Number(share) / 100
        if (metric) p.guardrails = [{ metric, [bound]: Number(limit), after: Number(after) } as Guardrail]
      }
      if (way === 'later') p.at = new Date(at).toISOString()
      return api.publish(v.version, p)
    },
    onSuccess: refresh,
  })
  const canary = v.state === 'canary'
  const back = useQuery({ queryKey: ['strategies', api.workspace], queryFn: () => api.strategies(), enabled: canary })
  const inForce = back.data?.items.find((x) => x.current)?.version
  const drop = useMutation({ mutationFn: () => api.rollback(inForce!, note.trim()), onSuccess: refresh })
  const choices: [Way, ReactNode][] = [['all', canary ? w.strategies.promote : w.strategies.toAll], ['share', w.strategies.toShare], ['later', w.strategies.toLater]]
  return (
    <form className="panel publish" onSubmit={(e) => { e.preventDefault(); publish.mutate() }}>
      <fieldset>
        <legend>{w.strategies.way}</legend>
        {choices.map(([value, label]) => (
          <label key={value}><input type="radio" name="way" value={value} checked={way === value} onChange={() => setWay(value)} /> {label}</label>
        ))}
      </fieldset>
      {way === 'share' && (
        <>
          <NumberInput label={w.strategies.percent} value={share} onChange={setShare} min={0.1} max={99} suffix=" %" hideControls required />
          <NativeSelect label={w.strategies.guardrail} value={metric} onChange={(e) => setMetric(e.currentTarget.value)}
            data={[{ value: '', label: w.strategies.noGuardrail }, ...watched.map((m) => ({ value: m as string, label: w.strategies.metric[m] })), ...(metrics.data?.items ?? []).map((m) => ({ value: m.id, label: locale === 'en' ? m.title.en : m.title.zh }))]} />
          {metric && (
            <div className="triple">
              <NativeSelect label={w.strategies.endsIf} value={bound} onChange={(e) => setBound(e.currentTarget.value as 'max' | 'min')} data={[{ value: 'max', label: w.strategies.above }, { value: 'min', label: w.strategies.below }]} />
              <NumberInput label={w.strategies.limit} value={limit} onChange={setLimit} hideControls required />
              <NumberInput label={w.strategies.looks} value={after} onChange={setAfter} min={1} hideControls required />
            </div>
          )}
        </>
      )}
      {way === 'later' && <TextInput type="datetime-local" label={w.strategies.when} value={at} onChange={(e) => setAt(e.currentTarget.value)} required />}
      <Textarea label={w.strategies.note} description={w.strategies.noteHint} value={note} onChange={(e) => setNote(e.currentTarget.value)} autosize={false} rows={2} maxLength={2000} />
      {needed && <p className="hint">{w.strategies.needsApproval}</p>}
      <div className="buttons">
        <Button type="submit" loading={publish.isPending} disabled={blocked || needed || drop.isPending}>{canary && way === 'all' ? w.strategies.promote : w.strategies.publish}</Button>
        {canary && inForce !== undefined && <Button variant="default" loading={drop.isPending} disabled={publish.isPending} onClick={() => drop.mutate()}>{say(w.strategies.dropCanary, { n: inForce })}</Button>}
        <Link className="do plain" to="/strategies/new" search={{ from: v.version } as never}>{w.strategies.editOn}</Link>
      </div>
      {(publish.error ?? drop.error) && <Trouble error={(publish.error ?? drop.error)!} />}
    </form>
  )
}

function Rollback({ v }: { v: Version }) {
  const { w } = useWords()
  const { api } = useSession()
  const refresh = useRefresh(v.version)
  const [note, setNote] = useState('')
  const [sure, setSure] = useState(false)
  const back = useMutation({ mutationFn: () => api.rollback(v.version, note.trim()), onSuccess: refresh })
  return (
    <div className="panel publish">
      <p>{w.strategies.rollbackLead}</p>
      {sure && <Textarea label={w.strategies.note} value={note} onChange={(e) => setNote(e.currentTarget.value)} rows={2} maxLength={2000} autoFocus />}
      <div className="buttons">
        {sure ? (
          <>
            <Button loading={back.isPending} onClick={() => back.mutate()}>{w.strategies.rollbackSure}</Button>
            <Button variant="subtle" onClick={() => setSure(false)}>{w.strategies.cancel}</Button>
          </>
        ) : <Button variant="default" onClick={() => setSure(true)}>{w.strategies.rollback}</Button>}
      </div>
      {back.error && <Trouble error={back.error} />}
    </div>
  )
}

function History({ version }: { version: number }) {
  const { w, date } = useWords()
  const told = useNote()
  const { api } = useSession()
  const name = useMemberName()
  const acts = useQuery({ queryKey: ['audit', api.workspace, version], queryFn: () => api.audit(version) })
  if (acts.error) return <Trouble error={acts.error} />
  if (!acts.data) return <Waiting />
  if (acts.data.items.length === 0) return <p className="panel hint">{w.strategies.noHistory}</p>
  return (
    <ol className="panel history">
      {acts.data.items.map((a) => (
        <li key={a.id}>
          <p><b>{w.strategies.act[a.act as keyof typeof w.strategies.act] ?? a.act}</b> · {name(a.by)}</p>
          {a.note && <p>{told(a.note)}</p>}
          <p className="hint"><time dateTime={a.at}>{date(a.at)}</time></p>
        </li>
      ))}
    </ol>
  )
}
