// <rapport-adviser>: the adviser as a guest in another's page. One small script,
// its own shadow, no global, no font, no library.
//
//   <script src="https://…/widget.js" data-write-key="wk_…" data-user-id="…" data-identity-token="…" data-locale="zh-CN" async></script>
//
// puts a button into the corner of the page. With data-upload="https://…", an address of the
// company's own that takes a file (multipart, "file") and answers {"url":"…"}, customers can
// send photos and voice messages. A page that wants it in a place of its
// own loads the script without a key and writes <rapport-adviser inline write-key="…">.

import type { Answer, Attachment, Device, Spoken, Talk } from '../contract'
import { answerNodes } from './blocks'
import { h } from './nodes'
import { attempt, follow, forget, keep, kept, open, personalization, personalize, read, Refused, say, talk, told, upload, type Customer, type Outcome } from './service'
import style from './widget.css?inline'
import { fill, localeOf, wordsOf } from './words'

const script = document.currentScript as HTMLScriptElement | null
const origin = script?.src ? new URL(script.src).origin : location.origin

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')

/** The id of this browser: kept where the page may keep things, else for this page only. */
function anonymousId(): string {
  const key = 'rapport.anonymous'
  const made = random()
  return attempt(() => {
    const kept = localStorage.getItem(key)
    if (!kept) localStorage.setItem(key, made)
    return kept
  }) || made
}

const sheet = new CSSStyleSheet()
sheet.replaceSync(style)

type Who = 'customer' | 'adviser' | 'person' | 'note'

class Adviser extends HTMLElement {
  static observedAttributes = ['locale', 'brand', 'user-id', 'identity-token', 'write-key', 'anonymous-id', 'upload']

  #root = this.attachShadow({ mode: 'open' })
  // One visit: its end is the end of the stream and of everything asked in it.
  #visit = new AbortController()
  #conversation: Promise<string> | null = null
  #known = new Set<string>() // decisions that stand in the log
  #heard: Spoken[] = [] // while an answer is on its way
  #log!: HTMLElement
  #panel!: HTMLElement
  #input!: HTMLTextAreaElement
  #launch: HTMLButtonElement | null = null
  #state!: HTMLElement
  #machine!: HTMLElement
  #queue: ReturnType<typeof setTimeout> | undefined
  #waiting = false
  #seen: IntersectionObserver | null = null
  #anonymous = ''

  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet]
    this.#arrive()
  }

  disconnectedCallback() {
    this.#visit.abort()
  }

  attributeChangedCallback(_: string, before: string | null, after: string | null) {
    if (before !== after && this.isConnected) this.#arrive()
  }

  /** restart begins a new conversation on this page; the server's record of what was said stays. */
  restart() {
    forget(this.#customer)
    this.#arrive()
  }

  // Who comes back to a page goes on where they were.
  #arrive() {
    this.#visit.abort()
    const visit = this.#visit = new AbortController()
    this.#conversation = null
    this.#known.clear()
    this.#heard = []
    this.#waiting = false
    this.#draw()
    // Attributes are set one after the other; only who is there in the end is met.
    queueMicrotask(() => { if (!visit.signal.aborted && !this.#panel.hidden) this.#meet() })
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
      onpaste: (e) => this.#given(e, (e as ClipboardEvent).clipboardData),
      onkeydown: (e) => {
        const key = e as KeyboardEvent
        if (key.key === 'Enter' && !key.shiftKey && !key.isComposing) {
          key.preventDefault()
          this.#send()
        }
      } })
    this.#state = h('p', { class: 'state', role: 'status', hidden: true })
    const file = this.getAttribute('upload') ? h('input', { type: 'file', hidden: true, accept: 'image/*,audio/*,video/*,application/pdf', onchange: () => {
      this.#send([...file!.files!])
      file!.value = ''
    } }) : null
    const form = h('form', { class: 'ask', onsubmit: (e) => { e.preventDefault(); this.#send() } },
      file, file && h('button', { type: 'button', class: 'attach', 'aria-label': words.attach, title: words.attach, onclick: () => file.click() }, '+'),
      this.#input, h('button', { type: 'submit', class: 'primary' }, words.send))
    this.#panel = h('section', { class: 'panel', role: inline ? 'region' : 'dialog', 'aria-label': name, id: 'panel', hidden: !inline,
      ondragover: (e) => e.preventDefault(), ondrop: (e) => this.#given(e, (e as DragEvent).dataTransfer),
      onkeydown: (e) => { if (!inline && (e as KeyboardEvent).key === 'Escape') this.#open(false) } },
      h('header', null, h('h2', null, name), !inline && h('button', { type: 'button', class: 'close', 'aria-label': words.close, onclick: () => this.#open(false) }, '✕')),
      this.#state, this.#log, form, this.#foot())
    this.#launch = inline ? null : h('button', { type: 'button', class: 'launch', 'aria-expanded': 'false', 'aria-controls': 'panel', onclick: () => this.#open(this.#panel.hidden) }, words.launch)
    this.#root.replaceChildren(h('div', { class: inline ? 'inline' : 'float', lang: this.#customer.locale }, this.#panel, this.#launch))
  }

  /** meet welcomes, and takes up what the customer left open. */
  #meet() {
    if (this.#log.firstChild || !this.#customer.writeKey) return
    const welcome = this.#say('adviser', fill(this.#words.greeting, { brand: this.getAttribute('brand') ?? '' }))
    // Who cannot be reached now is tried again when the customer speaks.
    this.#begin(welcome).catch(() => undefined)
  }

  /** resume shows again what was said before the page was left, and gives the last entry;
   * null: there is nothing to go on with. */
  async #resume(customer: Customer, id: string, visit: AbortSignal, welcome?: Element): Promise<string | null> {
    try {
      const { conversation, messages } = await read(customer, id)
      if (visit.aborted || !messages.length) return null
      welcome?.remove()
      const now = [...this.#log.children] // said while it was read
      for (const s of messages) this.#tell(s)
      this.#log.append(...now)
      this.#log.scrollTop = this.#log.scrollHeight
      this.#stand(conversation)
      return messages.at(-1)!.id
    } catch (cause) {
      if (cause instanceof Refused && cause.final) return null // of another time, or forgotten
      throw cause
    }
  }

  #begin(welcome?: Element): Promise<string> {
    const visit = this.#visit.signal
    const customer = this.#customer
    return this.#conversation ??= this.#enter(customer, visit, welcome).catch((cause: unknown) => {
      if (!visit.aborted) this.#conversation = null
      throw cause
    })
  }

  async #enter(customer: Customer, visit: AbortSignal, welcome?: Element): Promise<string> {
    const before = kept(customer)
    let last = before && await this.#resume(customer, before, visit, welcome)
    let id = before!
    if (!last && !visit.aborted) {
      const opened = await open(customer)
      id = opened.id
      if (visit.aborted) return id
      keep(customer, id)
      if (opened.greeting) {
        const turn = this.#show(opened.greeting, customer)
        welcome?.replaceWith(turn)
      }
      last = 'none'
    }
    if (!visit.aborted) void follow(customer, id, visit, (s) => this.#hear(s), last!)
    return id
  }

  // What is heard while an answer is on its way may be that answer; it is looked at after it.
  #hear(s: Spoken) {
    if (this.#waiting) {
      this.#heard.push(s)
      return
    }
    if (s.role === 'user' || !this.#tell(s)) return
    if (s.type === 'handover') this.#stand({ phase: s.state!, agent: s.agent }, 0)
    if (this.#panel.hidden) this.#launch!.textContent = this.#words.news
  }

  /** tell puts an entry into the log, and says whether it was not there yet. */
  #tell(s: Spoken): boolean {
    if (this.#known.has(s.id) || s.decision && this.#known.has(s.decision.id)) return false
    this.#known.add(s.id)
    if (s.type === 'handover') {
      if (s.state !== 'waiting') this.#say('note', s.text)
    } else if (s.role === 'user') {
      this.#own(s.text, s.attachments?.map((a) => a.name ?? a.kind))
    } else if (s.by === 'person') {
      this.#say('person', s.text).prepend(h('p', { class: 'name' }, s.agent?.name ?? this.#words.colleague))
    } else if (s.decision) {
      this.#show(s.decision, this.#customer, true)
    } else {
      this.#say('adviser', s.text)
    }
    return true
  }

  /** stand tells who has the word; who waits is told their place as the queue moves. */
  #stand(t: Talk, after = 10_000) {
    const words = this.#words
    clearTimeout(this.#queue)
    this.#queue = undefined
    this.#state.hidden = t.phase === 'adviser'
    this.#machine.hidden = t.phase === 'person'
    if (t.phase === 'person') this.#state.textContent = fill(words.with, { name: t.agent?.name ?? words.colleague })
    if (t.phase !== 'waiting') return
    const n = t.ahead ?? 0
    this.#state.textContent = words.asked + (n ? fill(n > 1 ? words.ahead : words.one, { n }) : words.first) + (t.minutes ? fill(words.minutes, { n: t.minutes }) : '')
    const visit = this.#visit.signal
    const wait = this.#queue = setTimeout(async () => {
      const now = await this.#begin().then((id) => talk(this.#customer, id)).catch(() => t)
      if (!visit.aborted && wait === this.#queue) this.#stand(now)
    }, after)
  }

  /** The switch is there for who is proven: it is their decision about their data. */
  #foot(): HTMLElement {
    const words = this.#words
    const customer = this.#customer
    const foot = h('footer', null, this.#machine = h('span', null, words.machine))
    if (!customer.identityToken) return foot
    const box = h('input', { type: 'checkbox', role: 'switch', checked: true, disabled: true, onchange: async () => {
      const on = box.checked
      try {
        await personalize(customer, on)
        this.#say('adviser', on ? words.personalOn : words.personalOff)
      } catch {
        box.checked = !on
        this.#say('adviser', words.failed)
      }
    } })
    const visit = this.#visit.signal
    queueMicrotask(() => {
      if (!visit.aborted) personalization(customer).then((on) => { box.checked = on; box.disabled = false }, () => undefined)
    })
    foot.prepend(h('label', null, box, words.personal))
    return foot
  }

  #open(open: boolean) {
    this.#panel.hidden = !open
    this.#launch!.setAttribute('aria-expanded', String(open))
    this.#launch!.textContent = this.#words.launch
    if (open) this.#meet()
    ;(open ? this.#input : this.#launch!).focus()
  }

  #grow() {
    this.#input.style.height = 'auto'
    this.#input.style.height = `${Math.min(this.#input.scrollHeight, 132)}px`
  }

  /** given takes files that were pasted or dropped; where nobody takes files it says so, and the words stay. */
  #given(e: Event, data: DataTransfer | null) {
    const files = [...(data?.files ?? [])]
    if (!files.length) return
    e.preventDefault()
    if (this.getAttribute('upload')) this.#send(files)
    else this.#say('note', this.#words.noFiles)
  }

  #send(files: File[] = []) {
    const text = this.#input.value.trim()
    if (!text && !files.length || this.#waiting) return
    this.#input.value = ''
    this.#grow()
    void this.ask(text, random(), files)
  }

  /** ask says something as the customer and shows what comes back. What was uploaded by an
   * attempt that failed is not uploaded again. */
  async ask(text: string, messageId = random(), files: File[] = [], sent: Attachment[] = []): Promise<void> {
    if (this.#waiting) return
    this.#waiting = true
    const visit = this.#visit.signal
    const words = this.#words
    this.#own(text, [...sent, ...files].map((f) => f.name ?? ''))
    const wait = this.#say('adviser', words.looking)
    wait.firstElementChild!.classList.add('wait')
    const customer = this.#customer
    try {
      const id = await this.#begin()
      while (files.length) {
        sent.push(await upload(customer, this.getAttribute('upload')!, files[0]!))
        files.shift()
      }
      const answer = await say(customer, id, text, messageId, sent)
      if (visit.aborted) return
      wait.remove()
      if (answer.conversation) this.#stand(answer.conversation)
      if (answer.id) this.#show(answer, customer) // else a person has the word
    } catch (cause) {
      if (visit.aborted) return
      wait.replaceChildren(
        h('p', { class: 'say' }, (cause instanceof Refused && cause.message) || words.failed),
        h('div', { class: 'options' }, h('button', { type: 'button', onclick: () => { wait.previousElementSibling?.remove(); wait.remove(); void this.ask(text, messageId, files, sent) } }, words.again)))
    } finally {
      if (!visit.aborted) {
        this.#waiting = false
        this.#heard.splice(0).forEach((s) => this.#hear(s))
      }
    }
  }

  /** show puts an answer into the log. That a message nobody asked for was shown, the server has noted. */
  #show(answer: Answer, customer: Customer, noted = false): HTMLElement {
    this.#known.add(answer.id)
    const tell = (outcome: Outcome, action?: string, more?: object) => {
      void told(customer, outcome, answer.id, action, more).then(() => this.#emit('outcome', { outcome, decision: answer.id, action }))
    }
    const nodes = answerNodes(answer, wordsOf(answer.locale), {
      say: (text) => void this.ask(text),
      opened: (action) => tell('Opened', action),
      accepted: (action, fields) => tell('Accepted', action, Object.keys(fields).length ? { fields } : undefined),
      dismissed: (action) => tell('Dismissed', action),
    })
    const turn = this.#turn('adviser', ...nodes)
    turn.dataset['decision'] = answer.id
    turn.lang = answer.locale
    this.#emit('answer', answer)
    if (noted) return turn
    this.#onShown.set(turn, () => tell('Decision Shown'))
    for (const node of nodes) {
      const action = node.dataset['action']
      if (action) this.#onShown.set(node, () => tell('Decision Shown', action))
    }
    for (const node of [turn, ...nodes]) if (this.#onShown.has(node)) this.#seen?.observe(node === turn ? (turn.firstElementChild ?? turn) : node)
    return turn
  }

  #emit(name: string, detail: object) {
    this.dispatchEvent(new CustomEvent(`rapport-${name}`, { detail, bubbles: true, composed: true }))
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

  #say(who: Who, text: string): HTMLElement {
    return this.#turn(who, h('p', { class: 'say' }, text))
  }

  #own(text: string, files: string[] = []): HTMLElement {
    return this.#turn('customer', ...[text, ...files.map((f) => `📎 ${f}`)].filter(Boolean).map((t) => h('p', { class: 'say' }, t)))
  }

  #turn(who: Who, ...content: Node[]): HTMLElement {
    const turn = h('article', { class: `turn ${who}`, 'aria-label': (this.#words as Partial<Record<Who, string>>)[who] }, ...content)
    this.#log.append(turn)
    // A long answer is read from its beginning.
    const top = who === 'customer' ? this.#log.scrollHeight : (turn.previousElementSibling as HTMLElement | null)?.offsetTop ?? 0
    this.#log.scrollTop = top - 16
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
