import { Button, NativeSelect, Textarea, TextInput, VisuallyHidden } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react'
import { Failed } from './api'
import { kindOf, later, monthsOn, stretches, weekday, weeks, type Stretch } from './days'
import { Section, Trouble, useTitle, Waiting } from './parts'
import type { Calendar, CalendarRead } from './plan'
import { useSession } from './session'
import { StrategyNav } from './strategies'
import { useWords } from './words'

/** What a calendar may be called, as the packs have it. */
const identifier = /^[a-z][a-z0-9_]{0,63}$/

/** What entries that are worked say, as the server has it when nobody says otherwise. */
const usualWorks = '班, workday'

const today = (): string => {
  const now = new Date()
  return `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, '0')}-${String(now.getDate()).padStart(2, '0')}`
}

/** Calendars shows the days off and make-up workdays that rules go by, and loads them from a file. */
export function Calendars() {
  const { w, say } = useWords()
  const { api } = useSession()
  const calendars = useQuery({ queryKey: ['calendars', api.workspace], queryFn: () => api.calendars(), retry: (n, e) => !(e instanceof Failed) && n < 2 })
  const [chosen, choose] = useState('')
  useTitle(w.calendars.title)
  const all = calendars.data?.items ?? []
  const shown = all.find((c) => c.id === chosen) ?? all[0]
  return (
    <main id="content" className="page">
      <StrategyNav here="calendars" />
      <div className="page-head"><h1>{w.calendars.title}</h1></div>
      <p className="lead">{w.calendars.lead}</p>
      {calendars.error ? <Trouble error={calendars.error} again={() => void calendars.refetch()} />
        : !calendars.data ? <Waiting />
        : (
          <>
            {all.length > 1 && (
              <div className="filters">
                <NativeSelect label={w.calendars.which} value={shown!.id} onChange={(e) => choose(e.currentTarget.value)} data={all.map((c) => ({ value: c.id, label: c.id }))} />
              </div>
            )}
            {shown ? <Shown key={shown.id} calendar={shown} title={say(w.calendars.named, { id: shown.id })} /> : <div className="nothing"><p><b>{w.calendars.none}</b></p><p className="hint">{w.calendars.noneLead}</p></div>}
            <Import all={all} loaded={choose} />
          </>
        )}
    </main>
  )
}

/** useDays writes days as their language does. */
function useDays() {
  const { w, locale, say } = useWords()
  const write = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, { timeZone: 'UTC', ...options })
    return (day: string) => format.format(new Date(`${day}T00:00:00Z`))
  }
  const whole = write({ year: 'numeric', month: 'long', day: 'numeric', weekday: 'long' })
  const short = write({ month: 'short', day: 'numeric' })
  const year = write({ year: 'numeric' })
  return {
    whole, short, year,
    month: write({ year: 'numeric', month: 'long' }),
    week: Array.from({ length: 7 }, (_, i) => ({ short: write({ weekday: locale === 'en' ? 'short' : 'narrow' })(later('2026-06-01', i)), long: write({ weekday: 'long' })(later('2026-06-01', i)) })),
    span: (s: Stretch) => (s.from === s.to ? `${short(s.from)} ${write({ weekday: 'short' })(s.from)}` : say(w.calendars.span, { from: short(s.from), to: short(s.to) })),
  }
}

function Shown({ calendar, title }: { calendar: Calendar; title: string }) {
  const { w, say } = useWords()
  const days = useDays()
  const all = stretches(calendar)
  const next = all.find((s) => s.kind === 'off' && s.to >= today())
  const [day, go] = useState(() => (next ? next.from : all.at(-1)?.from) ?? today())
  const focus = useRef(false)
  return (
    <Section title={title} note={<span className="hint">{say(w.calendars.counted, { off: calendar.days_off.length, work: calendar.workdays.length })}</span>}>
      <p className="next">{next ? (next.from <= today() ? say(w.calendars.now, { name: next.name || w.calendars.off, to: days.short(next.to) }) : say(next.days > 1 ? w.calendars.next : w.calendars.nextDay, { name: next.name || w.calendars.off, from: days.whole(next.from), days: next.days })) : w.calendars.past}</p>
      <div className="calendar">
        <Month calendar={calendar} day={day} go={go} focus={focus} />
        <Holidays all={all} go={(s) => { focus.current = true; go(s.from) }} here={day} />
      </div>
    </Section>
  )
}

/** Holidays lists what a calendar says, year by year; pressing one shows its month. */
function Holidays({ all, go, here }: { all: Stretch[]; go(s: Stretch): void; here: string }) {
  const { w, say } = useWords()
  const days = useDays()
  const years = [...new Set(all.map((s) => s.from.slice(0, 4)))]
  return (
    <div className="holidays" tabIndex={0} role="group" aria-label={w.calendars.list}>
      {years.map((y) => (
        <div key={y}>
          <h3>{days.year(`${y}-01-01`)}</h3>
          <ul>{all.filter((s) => s.from.startsWith(y)).map((s) => (
            <li key={s.from + s.kind}>
              <button type="button" onClick={() => go(s)} aria-current={here >= s.from && here <= s.to ? 'date' : undefined}>
                <Badge kind={s.kind} />
                <span><b>{s.name || (s.kind === 'off' ? w.calendars.off : w.calendars.madeUp)}</b><br /><span className="hint number">{days.span(s)}{s.days > 1 && <> · {say(w.calendars.days, { n: s.days })}</>}</span></span>
              </button>
            </li>
          ))}</ul>
        </div>
      ))}
    </div>
  )
}

function Badge({ kind, quiet }: { kind: Stretch['kind']; quiet?: boolean }) {
  const { w } = useWords()
  return <i className="day-badge" data-kind={kind} aria-hidden={quiet} title={quiet ? undefined : kind === 'off' ? w.calendars.off : w.calendars.madeUp}>{kind === 'off' ? w.calendars.offShort : w.calendars.madeUpShort}</i>
}

/** Month shows the month of a day; the arrows go from day to day, Page Up and Page Down from month to month. */
function Month({ calendar, day, go, focus, marks }: { calendar: Calendar; day: string; go(day: string): void; focus: { current: boolean }; marks?: { added: Set<string>; removed: Set<string> } }) {
  const { w } = useWords()
  const days = useDays()
  const id = useId()
  const here = useRef<HTMLTableCellElement>(null)
  useEffect(() => {
    if (focus.current) here.current?.focus()
    focus.current = false
  }, [day, focus])
  const sets = { off: new Set(calendar.days_off), work: new Set(calendar.workdays) }
  const move = (to: string) => { focus.current = true; go(to) }
  const keys = (e: KeyboardEvent) => {
    const to = { ArrowLeft: () => later(day, -1), ArrowRight: () => later(day, 1), ArrowUp: () => later(day, -7), ArrowDown: () => later(day, 7), PageUp: () => monthsOn(day, -1), PageDown: () => monthsOn(day, 1), Home: () => later(day, -weekday(day)), End: () => later(day, 6 - weekday(day)) }[e.key]
    if (!to || e.altKey || e.ctrlKey || e.metaKey) return
    e.preventDefault()
    move(to())
  }
  const said = (d: string) => [days.whole(d), w.calendars.kind[kindOf(d, sets)], calendar.names[d], marks?.added.has(d) && w.calendars.isNew, marks?.removed.has(d) && w.calendars.isGone].filter(Boolean).join(w.comma)
  return (
    <div className="month">
      <div className="month-head">
        <h3 id={id} aria-live="polite">{days.month(day)}</h3>
        <div>
          <Button variant="default" size="compact-md" onClick={() => go(monthsOn(day, -1))} aria-label={w.calendars.before}>‹</Button>
          <Button variant="default" size="compact-md" onClick={() => go(today())}>{w.calendars.today}</Button>
          <Button variant="default" size="compact-md" onClick={() => go(monthsOn(day, 1))} aria-label={w.calendars.after}>›</Button>
        </div>
      </div>
      <table role="grid" aria-labelledby={id} onKeyDown={keys}>
        <thead><tr>{days.week.map((d, i) => <th key={i} scope="col" abbr={d.long}>{d.short}</th>)}</tr></thead>
        <tbody>{weeks(day.slice(0, 7)).map((week, i) => (
          <tr key={i}>{week.map((d, j) => {
            if (!d) return <td key={j} />
            const kind = kindOf(d, sets)
            return (
              <td key={d} ref={d === day ? here : undefined} tabIndex={d === day ? 0 : -1} aria-selected={d === day} aria-current={d === today() ? 'date' : undefined}
                data-kind={kind} data-new={marks?.added.has(d) ? '' : undefined} data-gone={marks?.removed.has(d) ? '' : undefined} title={calendar.names[d]} onClick={() => move(d)}>
                <VisuallyHidden>{said(d)}</VisuallyHidden>
                <span className="number" aria-hidden>{Number(d.slice(8))}</span>
                {(kind === 'off' || kind === 'made_up') && <Badge kind={kind} quiet />}
                {calendar.names[d] && <small aria-hidden>{calendar.names[d]}</small>}
              </td>
            )
          })}</tr>
        ))}</tbody>
      </table>
      <p className="legend hint">
        <span><Badge kind="off" /> {w.calendars.off}</span><span><Badge kind="made_up" /> {w.calendars.madeUp}</span>
        {marks && <><span><i data-new="" /> {w.calendars.isNew}</span><span><i data-gone="" /> {w.calendars.isGone}</span></>}
      </p>
    </div>
  )
}

/** Import reads an iCalendar file, shows what it would change, and only then loads it. */
function Import({ all, loaded }: { all: Calendar[]; loaded(id: string): void }) {
  const { w, say } = useWords()
  const { api } = useSession()
  const queries = useQueryClient()
  const [id, setId] = useState(all[0]?.id ?? 'cn')
  const [ics, setIcs] = useState('')
  const [file, setFile] = useState('')
  const [works, setWorks] = useState(usualWorks)
  const [over, setOver] = useState(false)
  const put = () => ({ ics, works: works.split(/[,，、\s]+/).filter(Boolean) })
  const read = useMutation({ mutationFn: () => api.readCalendar(id, put()) })
  const load = useMutation({
    mutationFn: () => api.loadCalendar(id, put()),
    onSuccess: () => {
      loaded(id)
      read.reset()
      setIcs('')
      setFile('')
      return Promise.all([['calendars'], ['strategies']].map((queryKey) => queries.invalidateQueries({ queryKey })))
    },
  })
  const change = (what: () => void) => { what(); read.reset(); load.reset() }
  const take = async (f: File | undefined) => {
    if (!f) return
    const text = await f.text()
    change(() => { setIcs(text); setFile(f.name) })
  }
  const wrongName = id !== '' && !identifier.test(id)
  return (
    <Section title={w.calendars.import} id="import">
      <p className="hint lead">{w.calendars.importLead}</p>
      <form className="panel importing" onSubmit={(e) => { e.preventDefault(); read.mutate() }}>
        <div className="drop" data-over={over ? '' : undefined}
          onDragOver={(e) => { e.preventDefault(); setOver(true) }} onDragLeave={() => setOver(false)}
          onDrop={(e) => { e.preventDefault(); setOver(false); void take(e.dataTransfer.files[0]) }}>
          <label className="file"><input type="file" accept=".ics,text/calendar" onChange={(e) => { void take(e.currentTarget.files?.[0]); e.currentTarget.value = '' }} /><span>{w.calendars.file}</span></label>
          <p className="hint" role="status">{file ? say(w.calendars.taken, { file }) : w.calendars.drop}</p>
        </div>
        <details><summary>{w.calendars.paste}</summary><Textarea className="code" aria-label={w.calendars.paste} value={ics} onChange={(e) => { const text = e.currentTarget.value; change(() => { setIcs(text); setFile('') }) }} rows={8} spellCheck={false} placeholder={'BEGIN:VCALENDAR\n…'} /></details>
        <div className="pair">
          <TextInput label={w.calendars.id} description={w.calendars.idNote} value={id} onChange={(e) => { const text = e.currentTarget.value; change(() => setId(text)) }} required maxLength={64} error={wrongName ? w.calendars.idWrong : undefined} list="calendar-ids" />
          <TextInput label={w.calendars.works} description={w.calendars.worksNote} value={works} onChange={(e) => { const text = e.currentTarget.value; change(() => setWorks(text)) }} />
        </div>
        <datalist id="calendar-ids">{all.map((c) => <option key={c.id} value={c.id} />)}</datalist>
        <div className="buttons"><Button type="submit" variant={read.data ? 'default' : 'filled'} loading={read.isPending} disabled={!ics.trim() || !id || wrongName}>{w.calendars.read}</Button></div>
        <div role="status">
          {read.error && <Trouble error={read.error} />}
          {load.data && <p className="kept">✓ {load.data.changed ? say(w.calendars.loaded, { id: load.data.id, version: load.data.version }) : w.calendars.unchanged} {load.data.changed && <Link to="/strategies/$v" params={{ v: String(load.data.version) }}>{say(w.strategies.version, { n: load.data.version })}</Link>}</p>}
        </div>
        {load.error && <><Trouble error={load.error} /><Link to="/strategies">{w.calendars.toStrategies}</Link></>}
      </form>
      {read.data && <Preview key={read.submittedAt} read={read.data} load={() => load.mutate()} busy={load.isPending} />}
    </Section>
  )
}

function Preview({ read, load, busy }: { read: CalendarRead; load(): void; busy: boolean }) {
  const { w, say } = useWords()
  const all = stretches(read)
  const first = [...read.added, ...read.removed].sort()[0] ?? all[0]!.from
  const [day, go] = useState(first)
  const focus = useRef(false)
  const same = read.added.length + read.removed.length === 0
  const head = useRef<HTMLHeadingElement>(null)
  useEffect(() => head.current?.focus(), [])
  return (
    <div className="preview">
      <h3 ref={head} tabIndex={-1}>{read.new ? say(w.calendars.previewNew, { id: read.id, off: read.days_off.length, work: read.workdays.length })
        : same ? w.calendars.previewSame : say(w.calendars.previewChange, { id: read.id, added: read.added.length, removed: read.removed.length })}</h3>
      <div className="calendar">
        <Month calendar={read} day={day} go={go} focus={focus} {...(read.new ? {} : { marks: { added: new Set(read.added), removed: new Set(read.removed) } })} />
        <Holidays all={all} go={(s) => { focus.current = true; go(s.from) }} here={day} />
      </div>
      {read.workdays.length === 0 && <p className="hint">{w.calendars.noWorks}</p>}
      <div className="buttons"><Button loading={busy} onClick={load}>{w.calendars.load}</Button><span className="hint">{w.calendars.loadNote}</span></div>
    </div>
  )
}
