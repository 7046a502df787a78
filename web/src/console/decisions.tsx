import { Autocomplete, Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Failed } from './api'
import type { Summary } from './explanation'
import { Enquiry, NatureBadge, Trouble, useTitle, Waiting } from './parts'
import { useSession } from './session'
import { useWords } from './words'

export interface Filter { person?: string; action?: string }

/** Decisions is the ledger as it grows: newest first, asked for again every two seconds. */
export function Decisions() {
  const { w } = useWords()
  const { api } = useSession()
  const filter = useSearch({ strict: false }) as Filter
  const [live, setLive] = useState(true)
  useTitle(w.decisions.title)
  const list = useQuery({
    queryKey: ['decisions', api.workspace, filter.person, filter.action],
    queryFn: () => api.decisions(filter),
    refetchInterval: live ? 2000 : false,
    retry: (n, e) => !(e instanceof Failed) && n < 3,
  })
  const items = list.data?.items ?? []
  return (
    <main id="content" className="page">
      <div className="page-head">
        <h1>{w.decisions.title}</h1>
        <p className="live" data-live={live && !list.error ? '' : undefined}>
          <span>{live ? w.decisions.live : w.decisions.paused}</span>
          <Button variant="subtle" size="compact-sm" onClick={() => setLive(!live)}>{live ? w.decisions.pause : w.decisions.resume}</Button>
        </p>
      </div>
      <Filters filter={filter} actions={[...new Set(items.flatMap((i) => i.actions))].sort()} />
      {list.isPending ? <Waiting />
        : list.error instanceof Failed && list.error.status === 404 && filter.person ? <p className="hint">{w.decisions.unknownPerson}</p>
        : list.error && !list.data ? <Trouble error={list.error} again={() => void list.refetch()} />
        : items.length === 0 ? <Nothing filtered={Boolean(filter.person ?? filter.action)} />
        : <List items={items} />}
    </main>
  )
}

function Filters({ filter, actions }: { filter: Filter; actions: string[] }) {
  const { w } = useWords()
  const navigate = useNavigate()
  const [person, setPerson] = useState(filter.person ?? '')
  const [action, setAction] = useState(filter.action ?? '')
  useEffect(() => { setPerson(filter.person ?? ''); setAction(filter.action ?? '') }, [filter.person, filter.action])
  const apply = (f: Filter) => void navigate({ to: '/', search: { person: f.person?.trim() || undefined, action: f.action?.trim() || undefined } as never })
  return (
    <form className="filters" onSubmit={(e) => { e.preventDefault(); apply({ person, action }) }}>
      <TextInput label={w.decisions.person} placeholder={w.decisions.personHint} value={person} onChange={(e) => setPerson(e.currentTarget.value)} onBlur={() => person !== (filter.person ?? '') && apply({ person, action })} />
      <Autocomplete label={w.decisions.action} placeholder={w.decisions.actionHint} data={actions} value={action} onChange={setAction}
        onOptionSubmit={(value) => apply({ person, action: value })} />
      {(filter.person || filter.action) && <Button variant="subtle" onClick={() => apply({})}>{w.decisions.clear}</Button>}
      <button type="submit" hidden />
    </form>
  )
}

function Nothing({ filtered }: { filtered: boolean }) {
  const { w } = useWords()
  if (filtered) return <p className="hint">{w.decisions.emptyFiltered}</p>
  return <div className="nothing"><p>{w.decisions.empty}</p><Button component="a" href="/demo/" variant="default">{w.decisions.demo}</Button></div>
}

function List({ items }: { items: Summary[] }) {
  const { w, time, say } = useWords()
  const navigate = useNavigate()
  const of = (person: string) => void navigate({ to: '/', search: { person } as never })
  return (
    <ol className="ledger" aria-label={w.decisions.title}>
      {items.map((item) => (
        <li key={item.id}>
          <div>
            <time dateTime={item.at}>{time(item.at)}</time>
            <button type="button" className={item.name ? 'who' : 'who mono'} title={item.person} onClick={() => of(item.person)}>{item.name ?? item.person.slice(0, 12)}</button>
          </div>
          <Link className="asked" to="/decisions/$id" params={{ id: item.id }}>
            {!item.decision ? w.decisions.erased
              : item.decision.enquiry ? <Enquiry answer={item.decision} />
              : say(w.decisions.noEnquiry, { placement: item.placement ?? w.none })}
          </Link>
          <ul className="chosen">
            {item.decision?.actions.map((a, i) => <li key={i}><NatureBadge nature={a.nature} />{a.title}</li>)}
            {item.decision?.actions.length === 0 && <li className="hint">{w.decisions.noAction}</li>}
          </ul>
        </li>
      ))}
    </ol>
  )
}
