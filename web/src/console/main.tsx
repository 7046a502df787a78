// The console: operators read what was decided, for whom, and the whole of why.

import '@mantine/core/styles/baseline.css'
import '@mantine/core/styles/default-css-variables.css'
import '@mantine/core/styles/global.css'
import '@mantine/core/styles/ScrollArea.css'
import '@mantine/core/styles/UnstyledButton.css'
import '@mantine/core/styles/VisuallyHidden.css'
import '@mantine/core/styles/Paper.css'
import '@mantine/core/styles/Popover.css'
import '@mantine/core/styles/CloseButton.css'
import '@mantine/core/styles/Group.css'
import '@mantine/core/styles/Loader.css'
import '@mantine/core/styles/Overlay.css'
import '@mantine/core/styles/ModalBase.css'
import '@mantine/core/styles/Modal.css'
import '@mantine/core/styles/Input.css'
import '@mantine/core/styles/InlineInput.css'
import '@mantine/core/styles/PasswordInput.css'
import '@mantine/core/styles/Combobox.css'
import '@mantine/core/styles/ActionIcon.css'
import '@mantine/core/styles/Button.css'
import './console.css'
import { MantineProvider, NativeSelect, useMantineColorScheme, type MantineColorScheme } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, Link, Outlet, RouterProvider, useLocation, useNavigate } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import type { Locale } from '../contract'
import { Calendars } from './calendars'
import { CoveragePage, type Reach } from './coverage'
import { Data } from './data'
import { DecisionPage } from './decision'
import { Desk } from './desk'
import { Decisions, type Filter } from './decisions'
import { Learning } from './learning'
import { People, PersonPage } from './people'
import { SignedIn, useSession } from './session'
import { NewDraft, Strategies } from './strategies'
import { StrategyPage } from './strategy'
import { theme, variables } from './theme'
import { Speaking, useWords } from './words'

function Shell() {
  const { w } = useWords()
  return (
    <>
      <a className="skip" href="#content">{w.skip}</a>
      <SignedIn>
        <Header />
        <Outlet />
      </SignedIn>
    </>
  )
}

function Header() {
  const { w, locale, speak } = useWords()
  const { workspaces, api, enter, leave } = useSession()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const navigate = useNavigate()
  const path = useLocation().pathname
  const here = /^\/(coverage|calendars)/.test(path) ? 'strategies' : ['desk', 'people', 'learning', 'strategies', 'data'].find((p) => path.startsWith(`/${p}`)) ?? ''
  return (
    <header className="top">
      <p className="brand">
        <svg viewBox="0 0 32 22" width="32" height="22" aria-hidden><circle cx="11.5" cy="11" r="9" /><circle cx="20.5" cy="11" r="9" /></svg>
        {w.product}
      </p>
      <nav aria-label={w.nav.label}>
        <Link to="/" className="tab" data-here={here === '' ? '' : undefined}>{w.nav.decisions}</Link>
        <Link to="/desk" className="tab" data-here={here === 'desk' ? '' : undefined}>{w.nav.desk}</Link>
        <Link to="/people" className="tab" data-here={here === 'people' ? '' : undefined}>{w.nav.people}</Link>
        <Link to="/strategies" className="tab" data-here={here === 'strategies' ? '' : undefined}>{w.nav.strategies}</Link>
        <Link to="/learning" className="tab" data-here={here === 'learning' ? '' : undefined}>{w.nav.learning}</Link>
        <Link to="/data" className="tab" data-here={here === 'data' ? '' : undefined}>{w.nav.data}</Link>
      </nav>
      <div className="tools">
        <NativeSelect aria-label={w.workspace} value={api.workspace} data={workspaces.map((x) => ({ value: x.id, label: x.name || x.id }))}
          onChange={(e) => { enter(e.currentTarget.value); void navigate({ to: '/', search: {} as never }) }} />
        <NativeSelect aria-label={w.language} value={locale} data={[{ value: 'zh-CN', label: '中文' }, { value: 'en', label: 'English' }]} onChange={(e) => speak(e.currentTarget.value as Locale)} />
        <NativeSelect aria-label={w.theme.label} value={colorScheme} data={[{ value: 'auto', label: w.theme.auto }, { value: 'light', label: w.theme.light }, { value: 'dark', label: w.theme.dark }]} onChange={(e) => setColorScheme(e.currentTarget.value as MantineColorScheme)} />
        <button type="button" className="out" onClick={leave}>{w.signOut}</button>
      </div>
    </header>
  )
}

const text = (v: unknown): string | undefined => (typeof v === 'string' && v ? v : undefined)
const root = createRootRoute({ component: Shell, notFoundComponent: Decisions })
const router = createRouter({
  basepath: '/console',
  routeTree: root.addChildren([
    createRoute({ getParentRoute: () => root, path: '/', component: Decisions, validateSearch: (s): Filter => ({ person: text(s['person']), action: text(s['action']) }) }),
    createRoute({ getParentRoute: () => root, path: '/decisions/$id', component: DecisionPage }),
    createRoute({ getParentRoute: () => root, path: '/desk', component: Desk }),
    createRoute({ getParentRoute: () => root, path: '/desk/$id', component: Desk }),
    createRoute({ getParentRoute: () => root, path: '/learning', component: Learning }),
    createRoute({ getParentRoute: () => root, path: '/people', component: People }),
    createRoute({ getParentRoute: () => root, path: '/people/$id', component: PersonPage }),
    createRoute({ getParentRoute: () => root, path: '/strategies', component: Strategies }),
    createRoute({ getParentRoute: () => root, path: '/data', component: Data }),
    createRoute({ getParentRoute: () => root, path: '/calendars', component: Calendars }),
    createRoute({ getParentRoute: () => root, path: '/coverage', component: CoveragePage, validateSearch: (s): Reach => ({ ...(Number(s['version']) > 0 ? { version: Number(s['version']) } : {}), ...(Number(s['days']) > 0 ? { days: Number(s['days']) } : {}) }) }),
    createRoute({ getParentRoute: () => root, path: '/strategies/new', component: NewDraft, validateSearch: (s): { from?: number; action?: string; rule?: string } => ({ ...(Number(s['from']) > 0 ? { from: Number(s['from']) } : {}), ...(text(s['action']) ? { action: text(s['action'])!, rule: text(s['rule']) ?? '' } : {}) }) }),
    createRoute({ getParentRoute: () => root, path: '/strategies/$v', component: StrategyPage }),
  ]),
})

const queries = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false } } })

createRoot(document.getElementById('console')!).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <Speaking>
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </Speaking>
    </MantineProvider>
  </StrictMode>,
)
