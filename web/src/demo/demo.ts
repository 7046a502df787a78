// The demo: a small shop with the real widget in it. One chooses who one is, asks,
// and sees beside the answer what was understood and every record it rests on.

import type { Action, Answer, Device, Evidence, Locale } from '../contract'
import { demo as en } from '../messages/en.json'
import { demo as zh } from '../messages/zh-CN.json'
import { stretches } from '../spans'
import { h } from '../widget/nodes'
import { fill, localeOf } from '../widget/words'

interface Text { zh: string; en: string }
interface Customer {
  id: string
  name: Text
  story: Text
  user_id?: string
  identity_token?: string
  enquiries: { zh: string[]; en: string[] }
}
interface Stories { workspace: string; workspaces: string[]; write_key: string; customers: Customer[] }
interface Shop { name: string; brand: string; goods: { picture: string; name: string; price: string }[] }
interface Adviser extends HTMLElement { ask(text: string): Promise<void>; restart(): void }
type Theme = 'light' | 'dark'

const page = document.getElementById('page')!
const query = new URLSearchParams(location.search)
const narrow = matchMedia('(max-width: 720px)')

let locale: Locale = localeOf(query.get('lang') ?? navigator.language)
let device: Device = query.get('device') === 'mobile' || query.get('device') !== 'desktop' && narrow.matches ? 'mobile' : 'desktop'
let theme: Theme = keptTheme() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
let workspace = query.get('workspace') ?? 'electronics'
let stories: Stories | null = null
let customer: Customer | undefined
let answer: Answer | null = null
let outcomes: string[] = []
// A visitor is new each time the page is opened.
const visitor = `visitor-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`

function keptTheme(): Theme | null {
  const asked = query.get('theme') ?? localStorage.getItem('rapport.theme')
  return asked === 'light' || asked === 'dark' ? asked : null
}

const words = () => (locale === 'en' ? en : zh)
// A workspace that is not one of ours is called by its id.
const shopOf = (id: string): Shop => (words().shops as Record<string, Shop>)[id] ?? { name: id, brand: id, goods: [] }
const inWords = (t: Text) => (locale === 'en' ? t.en : t.zh)

/** choice is a group of radio buttons drawn as one control. */
function choice<T extends string>(name: string, label: string, now: T, options: [T, string][], pick: (v: T) => void): HTMLElement {
  return h('fieldset', { class: `switch ${name}` }, h('legend', null, label), ...options.map(([value, text]) =>
    h('label', null, h('input', { type: 'radio', name, value, checked: value === now, onchange: () => pick(value) }), h('span', null, text))))
}

const adviser = document.createElement('rapport-adviser') as Adviser
adviser.setAttribute('inline', '')
const proof = h('aside', { class: 'proof' })
const stage = h('div', { class: 'stage', id: 'adviser' }, adviser)
const rail = h('section', { class: 'rail' })

function draw() {
  const w = words()
  const { brand } = shopOf(workspace)
  document.documentElement.lang = locale
  document.documentElement.dataset['theme'] = theme
  document.title = fill(w.title, { brand })
  stage.dataset['device'] = device
  adviser.setAttribute('locale', locale)
  adviser.setAttribute('device', device)
  adviser.setAttribute('brand', brand)
  page.replaceChildren(
    h('a', { class: 'skip', href: '#adviser' }, w.skip),
    h('header', { class: 'top' },
      h('p', { class: 'brand' }, brand),
      h('div', { class: 'controls' },
        stories && choice('workspace', w.shop, workspace, stories.workspaces.map((id) => [id, shopOf(id).name]), (v) => void enter(v)),
        choice('lang', w.language, locale, [['zh-CN', '中文'], ['en', 'English']], (v) => { locale = v; forget(); draw() }),
        choice('theme', w.theme.label, theme, [['light', w.theme.light], ['dark', w.theme.dark]], (v) => {
          theme = v
          localStorage.setItem('rapport.theme', v)
          document.documentElement.dataset['theme'] = v
        }))),
    h('main', null,
      h('div', { class: 'lead' }, h('h1', null, w.lead), h('p', null, w.sub)),
      h('div', { class: 'floor' },
        rail,
        h('section', { class: 'middle', 'aria-label': w.adviser },
          choice('device', w.device, device, [['mobile', w.mobile], ['desktop', w.desktop]], (v) => {
            device = v
            stage.dataset['device'] = v
            adviser.setAttribute('device', v)
          }),
          stage),
        proof),
      shelf()))
  drawRail()
  drawProof()
}

function drawRail(pressed = false) {
  const w = words()
  if (!stories) {
    rail.replaceChildren(h('p', { class: 'hint', role: 'status' }, w.loading))
    return
  }
  const asks = customer ? (locale === 'en' ? customer.enquiries.en : customer.enquiries.zh) : []
  rail.replaceChildren(
    h('fieldset', { class: 'people' }, h('legend', null, w.who), ...stories.customers.map((c) =>
      h('label', null,
        h('input', { type: 'radio', name: 'customer', value: c.id, checked: c === customer, onchange: () => { become(c); drawRail(true) } }),
        h('span', { class: 'person' }, h('b', null, inWords(c.name)), h('span', null, inWords(c.story)))))),
    h('div', { class: 'asks' }, h('h2', null, w.ask), ...asks.map((text) =>
      h('button', { type: 'button', onclick: () => {
        void adviser.ask(text)
        if (narrow.matches) stage.scrollIntoView({ behavior: 'smooth', block: 'start' })
      } }, text))))
  const chosen = rail.querySelector<HTMLInputElement>('input:checked')
  if (pressed) chosen?.focus({ preventScroll: true })
  // On a phone the customers stand in a row that scrolls.
  const row = rail.querySelector('.people')!
  if (chosen) row.scrollLeft = chosen.parentElement!.offsetLeft - (row as HTMLElement).offsetLeft - 16
}

function become(c: Customer) {
  customer = c
  forget()
  const set = (name: string, value: string | undefined) => (value ? adviser.setAttribute(name, value) : adviser.removeAttribute(name))
  adviser.setAttribute('write-key', stories!.write_key)
  set('user-id', c.user_id)
  set('identity-token', c.identity_token)
  set('anonymous-id', c.user_id ? undefined : visitor)
}

function forget() {
  answer = null
  outcomes = []
  drawProof()
}

const evidenceOf = (ids: string[]): Evidence[] => ids.map((id) => answer!.evidence[id]).filter((e) => e !== undefined)

function drawProof() {
  const w = words()
  proof.setAttribute('aria-label', w.proof)
  if (!answer) {
    proof.replaceChildren(h('h2', null, w.proof), h('p', { class: 'hint' }, w.proofEmpty))
    return
  }
  const a = answer
  proof.replaceChildren(
    h('h2', null, w.proof),
    a.enquiry ? h('p', { class: 'heard' }, ...stretches(a.enquiry, a.needs).map((s) => (s.needs.length ? h('mark', null, s.text) : s.text))) : '',
    h('h3', null, w.heard),
    h('ul', { class: 'needs' }, ...a.needs.map((n) => h('li', null,
      h('b', null, n.title ?? n.intent),
      h('span', null, `${w.origin[n.origin]} · ${w.status[n.status]}`)))),
    h('h3', null, w.choices),
    a.actions.length ? h('ul', { class: 'actions' }, ...a.actions.map(actionNode)) : h('p', { class: 'hint' }, w.none),
    h('h3', null, w.records),
    Object.keys(a.evidence).length
      ? h('ul', { class: 'records' }, ...Object.values(a.evidence).map((e) => h('li', null, e.summary)))
      : h('p', { class: 'hint' }, w.noRecords),
    h('p', { class: 'trace' },
      a.person.personalized ? w.personalOn : w.personalOff, outcomes.length > 0 && ` · ${w.outcomes}：${outcomes.join('、')}`.replace(locale === 'en' ? /[：、]/g : /$^/, (c) => (c === '：' ? ': ' : ', '))),
    h('a', { href: `/console/decisions/${encodeURIComponent(a.id)}?workspace=${encodeURIComponent(stories!.workspace)}` }, w.console))
}

function actionNode(a: Action): HTMLElement {
  const w = words()
  const chance = a.probability >= 1 ? w.certain : fill(w.chance, { p: a.probability.toFixed(2) })
  return h('li', null,
    h('p', null, h('span', { class: `nature ${a.nature}` }, w.nature[a.nature]), h('b', null, a.title), h('span', { class: 'chance' }, chance)),
    a.reasons.length
      ? h('details', null, h('summary', null, w.why), h('ul', null, ...a.reasons.map((r) =>
          h('li', null, r.text, h('ul', { class: 'records' }, ...evidenceOf(r.evidence).map((e) => h('li', null, e.summary)))))))
      : h('p', { class: 'hint' }, w.noReason))
}

function shelf(): HTMLElement {
  return h('section', { class: 'shelf' }, h('h2', null, words().shelf), h('ul', null, ...shopOf(workspace).goods.map((g) =>
    h('li', null, picture(g.picture), h('b', null, g.name), h('span', null, g.price)))))
}

function picture(id: string): SVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 96 72')
  svg.setAttribute('aria-hidden', 'true')
  svg.append(document.createElementNS('http://www.w3.org/2000/svg', 'use'))
  svg.firstElementChild!.setAttribute('href', `#${id}`)
  return svg
}

adviser.addEventListener('rapport-answer', (e) => {
  answer = (e as CustomEvent<Answer>).detail
  outcomes = []
  drawProof()
})
adviser.addEventListener('rapport-outcome', (e) => {
  const { outcome, decision } = (e as CustomEvent<{ outcome: keyof typeof en.outcome; decision: string }>).detail
  const name = words().outcome[outcome]
  if (decision !== answer?.id || outcomes.includes(name)) return
  outcomes.push(name)
  drawProof()
})

/** enter goes into the shop of a workspace and is its first customer, or the one that was asked for. */
async function enter(id: string, wanted?: string | null) {
  const there = page.dataset['ready'] !== undefined
  delete page.dataset['ready']
  try {
    const response = await fetch(`/demo/stories.json?workspace=${encodeURIComponent(id)}`)
    if (!response.ok) throw new Error(response.statusText)
    const found = (await response.json()) as Stories
    if (there && id !== page.querySelector<HTMLInputElement>('[name=workspace]:checked')?.value) return // another was pressed meanwhile
    stories = found
    workspace = id
    const first = stories.customers.find((c) => c.id === wanted) ?? stories.customers[0]
    if (first) become(first)
    draw()
    if (there) page.querySelector<HTMLElement>('[name=workspace]:checked')?.focus({ preventScroll: true })
    page.dataset['ready'] = ''
  } catch {
    rail.replaceChildren(h('p', { class: 'hint', role: 'alert' }, words().unavailable))
  }
}

draw()
await enter(workspace, query.get('customer'))
