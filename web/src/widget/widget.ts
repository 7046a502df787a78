// <rapport-adviser>: the adviser as a guest in another's page. One small script,
// its own shadow, no global, no font, no library.
//
//   <script src="https://…/widget.js" data-write-key="wk_…" data-user-id="…" data-identity-token="…" data-locale="zh-CN" async></script>
//
// puts a button into the corner of the page. A page that wants it in a place of its
// own loads the script without a key and writes <rapport-adviser inline write-key="…">.

import type { Answer, Device } from '../contract'
import { answerNodes } from './blocks'
import { h } from './nodes'
import { ask, personalization, personalize, Refused, told, type Customer, type Outcome, type Turn } from './service'
import style from './widget.css?inline'
import { fill, localeOf, wordsOf } from './words'

const script = document.currentScript as HTMLScriptElement | null
const origin = script?.src ? new URL(script.src).origin : location.origin

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')

/** The id of this browser: kept where the page may keep things, else for this page only. */
function anonymousId(): string {
  const key = 'rapport.anonymous'
  try {
    const kept = localStorage.getItem(key)
    if (kept) return kept
    const made = random()
    localStorage.setItem(key, made)
    return made
  } catch {
    return random()
  }
}

const sheet = new CSSStyleSheet()
sheet.replaceSync(style)

class Adviser extends HTMLElement {
  static observedAttributes = ['locale', 'brand', 'user-id', 'identity-token', 'write-key', 'anonymous-id']

  #root = this.attachShadow({ mode: 'open' })
  #conversation = random()
  #turns: Turn[] = []
  #log!: HTMLElement
  #panel!: HTMLElement
  #input!: HTMLTextAreaElement
  #launch: HTMLButtonElement | null = null
  #waiting = false
  #seen: IntersectionObserver | null = null
  #anonymous = ''

  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet]
    this.#draw()
  }

  attributeChangedCallback(_: string, before: string | null, after: string | null) {
    if (before !== after && this.isConnected) this.restart()
  }

  /** restart forgets the conversation on this page; the server's record stays. */
  restart() {
    this.#conversation = random()
    this.#turns = []
    this.#waiting = false
    this.#draw()
  }

  get #words() {
    return wordsOf(this.#customer.locale)
  }

  get #customer(): Customer {
    const of = (name: string) => this.getAttribute(name) ?? undefined
    return {
      endpoint: of('endpoint') ?? origin,
      writeKey: of('write-key') ?? '',
      userId: of('user-id'),
      identityToken: of('identity-token'),
      anonymousId: of('anonymous-id') ?? (this.#anonymous ||= anonymousId()),
      locale: localeOf(of('locale') || document.documentElement.lang || navigator.language),
      device: (of('device') as Device | undefined) ?? (matchMedia('(max-width: 640px)').matches ? 'mobile' : 'desktop'),
    }
  }

  #draw() {
    const words = this.#words
    const inline = this.hasAttribute('inline')
    const name = fill(words.title, { brand: this.getAttribute('brand') ?? '' }).trim()
    this.#seen?.disconnect()
    this.#seen = new IntersectionObserver((entries) => entries.forEach((e) => {
      if (e.intersectionRatio >= 0.5 || e.intersectionRect.height > 160) this.#shown(e.target as HTMLElement)
    }), { threshold: [0.1, 0.2, 0.5] })
    this.#log = h('div', { class: 'log', role: 'log', 'aria-label': words.log, tabindex: 0 })
    this.#input = h('textarea', { rows: 1, 'aria-label': words.placeholder, placeholder: words.placeholder, maxlength: 2000, enterkeyhint: 'send',
      oninput: () => this.#grow(),
      onkeydown: (e) => {
        const key = e as KeyboardEvent
        if (key.key === 'Enter' && !key.shiftKey && !key.isComposing) {
          key.preventDefault()
          this.#send()
        }
      } })
    const form = h('form', { class: 'ask', onsubmit: (e) => { e.preventDefault(); this.#send() } },
      this.#input, h('button', { type: 'submit', class: 'primary' }, words.send))
    this.#panel = h('section', { class: 'panel', role: inline ? 'region' : 'dialog', 'aria-label': name, id: 'panel', hidden: !inline,
      onkeydown: (e) => { if (!inline && (e as KeyboardEvent).key === 'Escape') this.#open(false) } },
      h('header', null, h('h2', null, name), !inline && h('button', { type: 'button', class: 'close', 'aria-label': words.close, onclick: () => this.#open(false) }, '✕')),
      this.#log, form, this.#foot())
    this.#launch = inline ? null : h('button', { type: 'button', class: 'launch', 'aria-expanded': 'false', 'aria-controls': 'panel', onclick: () => this.#open(this.#panel.hidden) }, words.launch)
    this.#root.replaceChildren(h('div', { class: inline ? 'frame inline' : 'frame', lang: this.#customer.locale }, this.#panel, this.#launch))
    this.#turn('adviser', h('p', { class: 'say' }, fill(words.greeting, { brand: this.getAttribute('brand') ?? '' })))
  }

  /** The switch is there for who is proven: it is their decision about their data. */
  #foot(): HTMLElement {
    const words = this.#words
    const customer = this.#customer
    const foot = h('footer', null, h('span', null, words.machine))
    if (!customer.identityToken) return foot
    const box = h('input', { type: 'checkbox', role: 'switch', checked: true, disabled: true, onchange: async () => {
      const on = box.checked
      try {
        await personalize(customer, on)
        this.#turn('adviser', h('p', { class: 'say' }, on ? words.personalOn : words.personalOff))
      } catch {
        box.checked = !on
        this.#turn('adviser', h('p', { class: 'say' }, words.failed))
      }
    } })
    personalization(customer).then((on) => { box.checked = on; box.disabled = false }, () => undefined)
    foot.prepend(h('label', null, box, words.personal))
    return foot
  }

  #open(open: boolean) {
    this.#panel.hidden = !open
    this.#launch?.setAttribute('aria-expanded', String(open))
    ;(open ? this.#input : this.#launch)?.focus()
  }

  #grow() {
    this.#input.style.height = 'auto'
    this.#input.style.height = `${Math.min(this.#input.scrollHeight, 132)}px`
  }

  #send() {
    const text = this.#input.value.trim()
    if (!text || this.#waiting) return
    this.#input.value = ''
    this.#grow()
    void this.ask(text)
  }

  /** ask says something as the customer and shows what comes back. */
  async ask(text: string): Promise<void> {
    if (this.#waiting) return
    this.#waiting = true
    const conversation = this.#conversation
    const words = this.#words
    this.#turn('customer', h('p', { class: 'say' }, text))
    const wait = this.#turn('adviser', h('p', { class: 'say wait' }, words.looking))
    const customer = this.#customer
    try {
      const answer = await ask(customer, conversation, text, this.#turns.slice(-20))
      if (conversation !== this.#conversation) return
      wait.remove()
      this.#turns.push({ role: 'user', text }, { role: 'agent', text: answer.blocks.map((b) => [b.title, b.text].filter(Boolean).join(' ')).join('\n') })
      this.#show(answer, customer)
      this.dispatchEvent(new CustomEvent('rapport-answer', { detail: answer, bubbles: true, composed: true }))
    } catch (cause) {
      if (conversation !== this.#conversation) return
      wait.replaceChildren(
        h('p', { class: 'say' }, (cause instanceof Refused && cause.message) || words.failed),
        h('div', { class: 'options' }, h('button', { type: 'button', onclick: () => { wait.previousElementSibling?.remove(); wait.remove(); void this.ask(text) } }, words.again)))
    } finally {
      if (conversation === this.#conversation) this.#waiting = false
    }
  }

  #show(answer: Answer, customer: Customer) {
    const tell = (outcome: Outcome, action?: string, more?: object) => {
      void told(customer, outcome, answer.id, action, more).then(() =>
        this.dispatchEvent(new CustomEvent('rapport-outcome', { detail: { outcome, decision: answer.id, action }, bubbles: true, composed: true })))
    }
    const nodes = answerNodes(answer, this.#words, {
      say: (text) => void this.ask(text),
      opened: (action) => tell('Opened', action),
      accepted: (action, fields) => tell('Accepted', action, Object.keys(fields).length ? { fields } : undefined),
      dismissed: (action) => tell('Dismissed', action),
    })
    const turn = this.#turn('adviser', ...nodes)
    turn.dataset['decision'] = answer.id
    this.#onShown.set(turn, () => tell('Decision Shown'))
    for (const node of nodes) {
      const action = node.dataset['action']
      if (action) this.#onShown.set(node, () => tell('Decision Shown', action))
    }
    for (const node of [turn, ...nodes]) if (this.#onShown.has(node)) this.#seen?.observe(node === turn ? (turn.firstElementChild ?? turn) : node)
  }

  #onShown = new WeakMap<Element, () => void>()

  // Seen by a person: half of it, or a hand's breadth of a long one, was in view.
  #shown(node: HTMLElement) {
    this.#seen?.unobserve(node)
    for (const seen of [node, node.parentElement]) {
      if (!seen) continue
      this.#onShown.get(seen)?.()
      this.#onShown.delete(seen)
    }
  }

  #turn(who: 'customer' | 'adviser', ...content: Node[]): HTMLElement {
    const turn = h('article', { class: `turn ${who}`, 'aria-label': this.#words[who] }, ...content)
    this.#log.append(turn)
    // A long answer is read from its beginning.
    const top = who === 'customer' ? this.#log.scrollHeight : (turn.previousElementSibling as HTMLElement | null)?.offsetTop ?? 0
    this.#log.scrollTo({ top: Math.max(0, top - 16) })
    return turn
  }
}

if (!customElements.get('rapport-adviser')) customElements.define('rapport-adviser', Adviser)

if (script?.dataset['writeKey']) {
  const guest = document.createElement('rapport-adviser')
  for (const [name, value] of Object.entries(script.dataset)) {
    if (value) guest.setAttribute(name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`), value)
  }
  const place = () => document.body.append(guest)
  if (document.body) place()
  else addEventListener('DOMContentLoaded', place)
}
