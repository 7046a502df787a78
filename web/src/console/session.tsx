import { Button, PasswordInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useContext, useMemo, useState, type ReactNode } from 'react'
import { Api, credentials, Failed } from './api'
import type { Workspace } from './explanation'
import { Trouble, useTitle, Waiting } from './parts'
import { useWords } from './words'

const keptWorkspace = 'rapport.workspace'

interface Session {
  api: Api
  workspaces: Workspace[]
  enter(workspace: string): void
  leave(): void
}

const Context = createContext<Session | null>(null)

/** SignedIn shows its children to who may see a workspace, and the door to everybody else. */
export function SignedIn({ children }: { children: ReactNode }) {
  const { locale } = useWords()
  const queries = useQueryClient()
  const [key, setKey] = useState(credentials.key)
  const [wanted, setWanted] = useState(() => new URLSearchParams(location.search).get('workspace') ?? sessionStorage.getItem(keptWorkspace) ?? '')
  const workspaces = useQuery({
    queryKey: ['workspaces', key],
    queryFn: () => new Api('', locale).workspaces(),
    retry: (n, e) => !(e instanceof Failed) && n < 3,
    staleTime: 60_000,
  })
  const all = workspaces.data?.items
  const workspace = all?.find((x) => x.id === wanted)?.id ?? all?.[0]?.id ?? ''
  const session = useMemo<Session>(() => ({
    api: new Api(workspace, locale),
    workspaces: all ?? [],
    enter: (id) => { sessionStorage.setItem(keptWorkspace, id); setWanted(id) },
    leave: () => void new Api('', locale).signOut().finally(() => { setKey(null); queries.clear(); location.assign('/console/') }),
  }), [workspace, locale, all, queries])

  if (workspaces.isPending) return <Waiting />
  if (workspaces.error instanceof Failed && [400, 401, 403].includes(workspaces.error.status)) {
    return <Door wrong={key !== null} knock={(k) => { credentials.keep(k); setKey(k) }} />
  }
  if (workspaces.error) return <Trouble error={workspaces.error} again={() => void workspaces.refetch()} />
  return <Context value={session}>{children}</Context>
}

export function useSession(): Session {
  const session = useContext(Context)
  if (!session) throw new Error('a component outside <SignedIn>')
  return session
}

function Door({ wrong, knock }: { wrong: boolean; knock(key: string): void }) {
  const { w } = useWords()
  const [key, setKey] = useState('')
  useTitle(w.login.title)
  return (
    <main className="door" id="content">
      <h1>{w.login.title}</h1>
      <p>{w.login.link}</p>
      <form onSubmit={(e) => { e.preventDefault(); if (key.trim()) knock(key.trim()) }}>
        <p>{w.login.or}</p>
        <PasswordInput label={w.login.key} value={key} onChange={(e) => setKey(e.currentTarget.value)} autoComplete="off" size="md"
          error={wrong ? w.login.wrong : undefined} placeholder="sk_…" visibilityToggleButtonProps={{ 'aria-label': w.login.key }} />
        <Button type="submit" size="md" mt="md">{w.login.enter}</Button>
      </form>
    </main>
  )
}
