import { Button, NativeSelect, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { NatureBadge, Section, Trouble, useTitle, Waiting } from './parts'
import { placeOf, type Action, type Request, type Settings, type Version } from './plan'
import { useSession } from './session'
import { useWords } from './words'

/** StrategyNav leads between the pages that a strategist works on. */
export function StrategyNav({ here }: { here: 'strategies' | 'coverage' | 'calendars' }) {
  const { w } = useWords()
  return (
    <nav className="subnav" aria-label={w.strategies.pages}>
      <Link to="/strategies" aria-current={here === 'strategies' ? 'page' : undefined}>{w.strategies.versions}</Link>
      <Link to="/coverage" search={{} as never} aria-current={here === 'coverage' ? 'page' : undefined}>{w.coverage.title}</Link>
      <Link to="/calendars" aria-current={here === 'calendars' ? 'page' : undefined}>{w.calendars.title}</Link>
    </nav>
  )
}

/** Strategies lists the versions, what waits for approval, and the actions in force. */
export function Strategies() {
  const { w } = useWords()
  const { api } = useSession()
  const versions = useQuery({ queryKey: ['strategies', api.workspace], queryFn: () => api.strategies() })
  const actions = useQuery({ queryKey: ['actions', api.workspace], queryFn: () => api.actions() })
  const asked = useQuery({ queryKey: ['approvals', api.workspace], queryFn: () => api.approvals() })
  const error = versions.error ?? actions.error
  useTitle(w.strategies.title)
  return (
    <main id="content" className="page">
      <StrategyNav here="strategies" />
      <div className="page-head">
        <h1>{w.strategies.title}</h1>
        <Link to="/strategies/new" className="do">{w.strategies.draft}</Link>
      </div>
      {error ? <Trouble error={error} again={() => { void versions.refetch(); void actions.refetch() }} />
        : !versions.data || !actions.data ? <Waiting />
        : (
          <>
            {asked.data && <Asked all={asked.data.items.filter((r) => r.version > 0)} />}
            <Section title={w.strategies.versions}><ol className="ledger versions">{versions.data.items.map((v) => <Row key={v.version} v={v} />)}</ol></Section>
            <TwoApprovers />
            <Section title={w.strategies.actions} note={w.strategies.actionsNote}><Actions all={actions.data.items} /></Section>
          </>
        )}
    </main>
  )
}

function Row({ v }: { v: Version }) {
  const { w, say, date } = useWords()
  const told = useNote()
  return (
    <li>
      <p className="state-line"><Link to="/strategies/$v" params={{ v: String(v.version) }}>{say(w.strategies.version, { n: v.version })}</Link> <StateBadge v={v} /></p>
      <p>{v.note ? told(v.note) : <span className="hint">{w.strategies.noNote}</span>}</p>
      <p className="hint">{v.packs.join(' · ')}<br /><time dateTime={v.at}>{date(v.at)}</time></p>
    </li>
  )
}

/** StateBadge says in one word how a version stands. */
export function StateBadge({ v }: { v: Version }) {
  const { w, say } = useWords()
  const share = v.state === 'canary' && v.rollout?.share ? say(w.strategies.share, { share: Math.round(v.rollout.share * 100) }) : ''
  return <span className="state" data-state={v.current ? 'current' : v.state}>{v.current ? w.strategies.state.current : w.strategies.state[v.state]}{share && ` ${share}`}</span>
}

function Asked({ all }: { all: Request[] }) {
  const { w, say, date } = useWords()
  const name = useMemberName()
  if (all.length === 0) return null
  return (
    <Section title={w.strategies.waiting}>
      <ul className="ledger versions">
        {all.map((r) => (
          <li key={r.version}>
            <p><Link to="/strategies/$v" params={{ v: String(r.version) }}>{say(w.strategies.version, { n: r.version })}</Link></p>
            <p>{r.note ?? <span className="hint">{w.strategies.noNote}</span>}</p>
            <p className="hint">{say(w.strategies.askedBy, { who: name(r.by) })}<br /><time dateTime={r.at}>{date(r.at)}</time></p>
          </li>
        ))}
      </ul>
    </Section>
  )
}

/** useMemberName gives people's names, and words for those who have none. */
export function useMemberName() {
  const { w } = useWords()
  return (a: { id: string; name: string }) => (a.id === 'first' ? w.strategies.member.first : a.id === 'house' ? w.strategies.member.house : a.name)
}

/** useNote reads the note of a version: the house's own in the reader's language, everybody else's as they wrote it. */
export function useNote() {
  const { w, say } = useWords()
  return (note: string) => {
    const calendar = note.match(/^calendar ([a-z0-9_]+)$/)
    return note === 'first version' ? w.strategies.firstNote : calendar ? say(w.strategies.calendarNote, { id: calendar[1]! }) : note
  }
}

/** bare is a title whose blanks nobody has filled in: they are called by what would stand there, or left open. */
export const bare = (title: string, blanks: Record<string, string>): string => title.replace(/\{([^}]*)\}/g, (_, name: string) => blanks[name] ?? '…')

function Actions({ all }: { all: Action[] }) {
  const { w, say, locale, date } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const [stopping, setStopping] = useState<string | null>(null)
  const [reason, setReason] = useState('')
  const turn = useMutation({
    mutationFn: ({ action, why }: { action: string; why?: string }) => (why === undefined ? api.resume(action) : api.stop(action, why)),
    onSuccess: () => { setStopping(null); setReason(''); return queries.invalidateQueries({ queryKey: ['actions'] }) },
  })
  return (
    <>
      {turn.error && <Trouble error={turn.error} />}
      <ul className="ledger actions">
        {all.map((a) => (
          <li key={a.action} data-stopped={a.stopped ? '' : undefined}>
            <p>{bare(locale === 'en' ? a.title.en : a.title.zh, w.blank)} <NatureBadge nature={a.nature} />{a.impact === 'major' && <> <span className="nature" data-major>{w.strategies.major}</span></>}<br /><span className="mono">{a.action}</span></p>
            <p className="hint">{a.stopped ? <>{say(w.strategies.stoppedBecause, { reason: a.stopped.reason ?? '' })}{a.stopped.until && <><br />{say(w.strategies.until, { at: date(a.stopped.until) })}</>}</> : null}</p>
            {a.stopped
              ? <Button variant="default" size="sm" loading={turn.isPending && turn.variables.action === a.action} onClick={() => turn.mutate({ action: a.action })} aria-label={say(w.strategies.resumeOne, { action: a.action })}>{w.strategies.resume}</Button>
              : <Button variant="subtle" size="sm" onClick={() => { setStopping(stopping === a.action ? null : a.action); setReason('') }} aria-expanded={stopping === a.action} aria-label={say(w.strategies.stopOne, { action: a.action })}>{w.strategies.stop}</Button>}
            {stopping === a.action && (
              <form className="stopping" onSubmit={(e) => { e.preventDefault(); turn.mutate({ action: a.action, why: reason }) }}>
                <TextInput label={w.strategies.why} description={w.strategies.whyNote} value={reason} onChange={(e) => setReason(e.currentTarget.value)} required autoFocus />
                <Button type="submit" loading={turn.isPending} disabled={!reason.trim()}>{w.strategies.stopNow}</Button>
              </form>
            )}
          </li>
        ))}
      </ul>
    </>
  )
}

function TwoApprovers() {
  const { w, say } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const name = useMemberName()
  const settings = useQuery({ queryKey: ['settings', api.workspace], queryFn: () => api.settings() })
  const told = (s: Settings) => queries.setQueryData(['settings', api.workspace], s)
  const change = useMutation({ mutationFn: (on: boolean) => api.twoApprovers(on), onSuccess: told })
  const answer = useMutation({ mutationFn: (deed: 'approve' | 'reject') => api.settleSettings(deed), onSuccess: told })
  const s = settings.data
  if (!s) return null
  const owner = s.you.roles.includes('owner')
  const error = change.error ?? answer.error
  return (
    <Section title={w.strategies.two.title}>
      <div className="panel">
        <p>{s.two_approvers ? w.strategies.two.on : w.strategies.two.off}</p>
        <p className="hint">{say(w.strategies.two.you, { who: name(s.you) })}</p>
        {s.request && <p><b>{say(w.strategies.two.ending, { who: name(s.request.by) })}</b></p>}
        <div className="buttons">
          {owner && !s.two_approvers && <Button variant="default" loading={change.isPending} onClick={() => change.mutate(true)}>{w.strategies.two.turnOn}</Button>}
          {owner && s.two_approvers && !s.request && <Button variant="default" loading={change.isPending} onClick={() => change.mutate(false)}>{w.strategies.two.turnOff}</Button>}
          {s.request && s.request.by.id !== s.you.id && s.you.roles.includes('approver') && (
            <>
              <Button loading={answer.isPending} onClick={() => answer.mutate('approve')}>{w.strategies.two.agree}</Button>
              <Button variant="default" disabled={answer.isPending} onClick={() => answer.mutate('reject')}>{w.strategies.two.insist}</Button>
            </>
          )}
        </div>
        {error && <Trouble error={error} />}
      </div>
    </Section>
  )
}

/** NewDraft changes one file of a version, or adds one, and keeps that as a draft. */
export function NewDraft() {
  const { w, say } = useWords()
  const { api } = useSession()
  const navigate = useNavigate()
  const { from, action, rule } = useSearch({ strict: false }) as { from?: number; action?: string; rule?: string }
  const versions = useQuery({ queryKey: ['strategies', api.workspace], queryFn: () => api.strategies() })
  const base = from ?? versions.data?.items.find((v) => v.current)?.version
  const files = useQuery({ queryKey: ['files', api.workspace, base], queryFn: () => api.files(base!), enabled: base !== undefined })
  const [path, setPath] = useState('')
  const [fresh, setFresh] = useState('own/rules.yaml')
  const [text, setText] = useState('')
  const [note, setNote] = useState('')
  const all = files.data?.items ?? []
  const old = all.find((f) => f.path === path)
  useEffect(() => { setText(old?.text ?? '') }, [old])
  useTitle(base ? say(w.strategies.draftOf, { n: base }) : w.strategies.draft)
  // A rule that somebody came for is shown where it stands.
  const area = useRef<HTMLTextAreaElement>(null)
  const place = action && files.data ? placeOf(files.data.items, action, rule ?? '') : undefined
  const shown = useRef(false)
  useEffect(() => { if (place && !shown.current) setPath(place.path) }, [place?.path])
  useEffect(() => {
    if (!place || shown.current || path !== place.path || text === '' || !area.current) return
    shown.current = true
    const lines = text.split('\n')
    const start = lines.slice(0, place.line).join('\n').length + (place.line > 0 ? 1 : 0)
    area.current.focus()
    area.current.setSelectionRange(start, start + (lines[place.line]?.length ?? 0))
    area.current.scrollTop = Math.max(0, (area.current.scrollHeight / lines.length) * (place.line - 6))
  })
  const keep = useMutation({
    mutationFn: () => api.draft({ base: base!, files: { [path || fresh.trim()]: text }, ...(note.trim() ? { note: note.trim() } : {}) }),
    onSuccess: (v) => navigate({ to: '/strategies/$v', params: { v: String(v.version) } }),
  })
  const error = versions.error ?? files.error
  return (
    <main id="content" className="page">
      <p className="back"><Link to="/strategies">← {w.strategies.back}</Link></p>
      <h1>{base ? say(w.strategies.draftOf, { n: base }) : w.strategies.draft}</h1>
      <p className="hint">{w.strategies.draftLead}</p>
      {error ? <Trouble error={error} /> : !files.data ? <Waiting /> : (
        <form className="draft" onSubmit={(e) => { e.preventDefault(); keep.mutate() }}>
          <NativeSelect label={w.strategies.file} value={path} onChange={(e) => setPath(e.currentTarget.value)}
            data={[{ value: '', label: w.strategies.newFile }, ...all.map((f) => ({ value: f.path, label: f.own ? `${f.path} · ${w.strategies.own}` : f.path }))]} />
          {path === '' && <TextInput label={w.strategies.path} value={fresh} onChange={(e) => setFresh(e.currentTarget.value)} required />}
          {place && path === place.path && <p className="hint" role="status">{say(rule && place.line >= 0 ? w.strategies.here : w.strategies.hereAction, { rule: rule ?? '', action: action ?? '', line: place.line + 1 })}</p>}
          <Textarea className="code" ref={area} label={w.strategies.content} value={text} onChange={(e) => setText(e.currentTarget.value)} spellCheck={false} rows={24} required />
          <TextInput label={w.strategies.note} description={w.strategies.noteHint} value={note} onChange={(e) => setNote(e.currentTarget.value)} maxLength={2000} />
          {keep.error && <Trouble error={keep.error} />}
          <div className="buttons"><Button type="submit" loading={keep.isPending} disabled={text === (old?.text ?? '')}>{w.strategies.keep}</Button></div>
        </form>
      )}
    </main>
  )
}
