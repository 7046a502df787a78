import { Button, Modal } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { createContext, useContext, useState, type ReactNode } from 'react'
import type { Evidence } from '../contract'
import { Trouble, Waiting } from './parts'
import { useSession } from './session'
import { useWords } from './words'

const Context = createContext<(ref: string) => void>(() => undefined)

/** useOpen opens a ref onto its raw record. */
export const useOpen = () => useContext(Context)

/** Records lets every ref inside it open; a record that was made from events leads on to them. */
export function Records({ children }: { children: ReactNode }) {
  const { w } = useWords()
  const [trail, setTrail] = useState<string[]>([])
  const ref = trail.at(-1)
  return (
    <Context value={(r) => setTrail((t) => [...t, r])}>
      {children}
      <Modal opened={ref !== undefined} onClose={() => setTrail([])} title={w.evidence.raw} size="lg" closeButtonProps={{ 'aria-label': w.close }}>
        {ref && <Record of={ref} />}
        {trail.length > 1 && <Button variant="subtle" size="compact-sm" mt="md" onClick={() => setTrail((t) => t.slice(0, -1))}>← {trail.at(-2)}</Button>}
      </Modal>
    </Context>
  )
}

function Record({ of }: { of: string }) {
  const { w, date } = useWords()
  const { api } = useSession()
  const record = useQuery({ queryKey: ['ref', api.workspace, of, api.locale], queryFn: () => api.open(of), retry: false })
  if (record.isPending) return <Waiting />
  if (record.error) return <><p className="mono">{of}</p><Trouble error={record.error} /></>
  const r = record.data
  return (
    <div className="record">
      <p className="summary">{r.summary}</p>
      <p className="meta"><span>{kindOf(w.kind, r.kind)}</span><span>{date(r.at)}</span></p>
      <p className="mono">{r.ref}</p>
      {r.events && r.events.length > 0 && (
        <>
          <h3>{w.evidence.events}</h3>
          <ul className="refs">{r.events.map((e) => <li key={e}><Ref of={e} /></li>)}</ul>
        </>
      )}
      <pre tabIndex={0} aria-label={w.evidence.raw}>{JSON.stringify(r.data, null, 2)}</pre>
    </div>
  )
}

const kindOf = (kinds: Record<string, string>, kind: string) => kinds[kind] ?? kind

export function Ref({ of, children }: { of: string; children?: ReactNode }) {
  const open = useOpen()
  return <button type="button" className={children ? 'ref' : 'ref mono'} onClick={() => open(of)}>{children ?? of}</button>
}

/** Cited names records by the short names of an answer's table. */
export function Cited({ ids, table }: { ids: string[] | null | undefined; table: Record<string, Evidence> }) {
  const open = useOpen()
  const { w } = useWords()
  if (!ids?.length) return null
  return (
    <span className="cited">
      {ids.map((id) => {
        const e = table[id]
        return e ? <button key={id} type="button" className="chip" title={e.summary} aria-label={`${id.replace(/^ev/, '')}${w.colon}${e.summary}`} onClick={() => open(e.ref)}>{id.replace(/^ev/, '')}</button> : null
      })}
    </span>
  )
}

export function EvidenceTable({ table, without, busy }: { table: Record<string, Evidence>; without?: (e: Evidence) => void; busy?: boolean }) {
  const { w, date } = useWords()
  const rows = Object.entries(table)
  if (rows.length === 0) return <p className="hint">{w.evidence.none}</p>
  return (
    <ol className="evidence">
      {rows.map(([id, e]) => (
        <li key={id} id={id}>
          <span className="chip" aria-hidden>{id.replace(/^ev/, '')}</span>
          <span className="kind">{kindOf(w.kind, e.kind)}</span>
          <Ref of={e.ref}>{e.summary}</Ref>
          <time dateTime={e.at}>{date(e.at)}</time>
          {without && <Button variant="subtle" size="compact-sm" disabled={busy} onClick={() => without(e)} aria-label={`${w.evidence.without}${w.colon}${e.summary}`}>{w.evidence.without}</Button>}
        </li>
      ))}
    </ol>
  )
}
