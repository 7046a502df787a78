// One answer as nodes: each kind of block in its own shape, and under what is
// offered or stated the sentences and records it rests on.

import type { Action, Answer, Block, Card, Reason } from '../contract'
import { h, safeURL } from './nodes'
import type { Words } from './words'

/** What a reader can do with a block; the element turns it into enquiries and events. */
export interface Acts {
  say(text: string): void
  opened(action?: string): void
  accepted(action: string, fields: Record<string, string>): void
  dismissed(action: string): void
}

/** answerNodes gives one node a block, in the order of the answer. */
export function answerNodes(answer: Answer, words: Words, acts: Acts): HTMLElement[] {
  return answer.blocks.map((block) => {
    const action = answer.actions.find((a) => a.action === block.action)
    return h('section', { class: `block ${block.kind}`, 'data-action': block.action, 'data-nature': action?.nature }, ...parts(block, action, answer, words, acts))
  })
}

function parts(block: Block, action: Action | undefined, answer: Answer, words: Words, acts: Acts): (Node | null)[] {
  const title = block.title ? h('h3', null, block.title) : null
  const name = action && (words.nature as Record<string, string>)[action.nature]
  const badge = name ? h('p', { class: 'nature' }, name) : null
  const text = block.text ? h('p', { class: 'say' }, block.text, block.generated && h('span', { class: 'generated' }, block.generated)) : null
  const why = because(block.reasons ?? action?.reasons, block.evidence, answer, words, () => acts.opened(block.action))
  const source = block.source ? h('p', { class: 'source' }, block.source) : null
  switch (block.kind) {
    case 'table':
      return [title, table(block, words), text, why]
    case 'steps':
      return [title, text, h('ol', null, ...(block.steps ?? []).map((s) => h('li', null, s))), source, why]
    case 'cards':
      return [title, text, ...(block.cards ?? []).map((c) => card(c, answer, words, acts)), block.cards?.some((c) => c.reasons?.length) ? null : why]
    case 'voice':
    case 'video':
      return [title, text, media(block), why]
    case 'status':
      return [title, fields(block) ?? text, why]
    case 'clarify':
      return [title, text, options(block, acts)]
    case 'offer':
    case 'form':
    case 'handover':
      // A colleague who was asked already need not be asked again.
      return [badge, title, text, ...(block.action && !(block.kind === 'handover' && answer.conversation?.phase === 'waiting') ? choice(block, action, words, acts) : []), why]
    default:
      return [title, text, options(block, acts), source, why]
  }
}

function table(block: Block, words: Words): Node {
  const head = h('tr', null, h('td'), ...(block.columns ?? []).map((c) => h('th', { scope: 'col' }, c.title)))
  const rows = (block.rows ?? []).map((row) =>
    h('tr', { class: row.differs ? 'differs' : '' },
      h('th', { scope: 'row' }, row.label),
      ...row.cells.map((cell) =>
        h('td', { class: cell.best ? 'best' : cell.stated ? '' : 'unstated' }, cell.text, cell.best && h('span', { class: 'mark' }, words.better)))))
  return h('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': block.title ?? words.comparison }, h('table', null, h('thead', null, head), h('tbody', null, ...rows)))
}

function card(c: Card, answer: Answer, words: Words, acts: Acts): Node {
  const url = safeURL(c.url)
  const name = url ? h('a', { href: url, target: '_blank', rel: 'noopener', onclick: () => acts.opened() }, c.title) : c.title
  return h('article', { class: 'card' },
    h('h4', null, name), c.price && h('p', { class: 'price' }, c.price), c.text && h('p', { class: 'say' }, c.text),
    because(c.reasons, undefined, answer, words, () => acts.opened()))
}

function media(block: Block): Node | null {
  const url = safeURL(block.url)
  if (!url) return null
  return h(block.kind === 'voice' ? 'audio' : 'video', { src: url, controls: true, preload: 'none', 'aria-label': block.title })
}

function fields(block: Block): Node | null {
  if (!block.fields?.length) return null
  return h('dl', null, ...block.fields.flatMap((f) => [h('dt', null, f.label), h('dd', null, f.value ?? '')]))
}

function options(block: Block, acts: Acts): Node | null {
  if (!block.options?.length) return null
  return h('div', { class: 'options' }, ...block.options.map((o) => h('button', { type: 'button', onclick: () => acts.say(o.send) }, o.label)))
}

/** choice is a form: what is filled in stands there, what is missing is asked, one button agrees. */
function choice(block: Block, action: Action | undefined, words: Words, acts: Acts): Node[] {
  const known = (block.fields ?? []).filter((f) => f.value)
  const missing = (block.fields ?? []).filter((f) => !f.value)
  const form = h('form', { class: 'choice', onsubmit: (e) => {
    e.preventDefault()
    const given = Object.fromEntries(new FormData(form)) as Record<string, string> // text fields only
    done(words.noted)
    for (const f of known) given[f.name] ??= f.value!
    acts.accepted(block.action!, given)
  } })
  const done = (text: string) => {
    const note = h('p', { class: 'noted', role: 'status', tabindex: -1 }, text)
    form.replaceWith(note)
    note.focus()
  }
  if (known.length) form.append(fields({ ...block, fields: known })!)
  for (const f of missing) form.append(h('label', null, f.label, h('input', { name: f.name, required: true, autocomplete: 'off' })))
  const agree = words.accept[block.kind === 'form' ? 'form' : block.kind === 'handover' ? 'handover' : (action?.nature ?? 'service')]
  form.append(h('div', { class: 'buttons' },
    h('button', { type: 'submit', class: 'primary' }, agree),
    (action?.nature === 'goodwill' || action?.nature === 'sale') && h('button', { type: 'button', class: 'quiet', onclick: () => {
      done(words.declined)
      acts.dismissed(block.action!)
    } }, words.fewer)))
  return [form]
}

/** because is closed at first; each sentence stands above the records that make it true. */
function because(reasons: Reason[] | undefined, also: string[] | undefined, answer: Answer, words: Words, opened: () => void): Node | null {
  const record = (id: string) => {
    const e = answer.evidence[id]
    return e ? h('li', { 'data-ref': e.ref }, e.summary) : null
  }
  const list: Node[] = (reasons ?? []).map((r) => h('li', null, r.text, r.evidence.length > 0 && h('ul', { class: 'records' }, ...r.evidence.map(record))))
  if (!list.length) list.push(...(also ?? []).map(record).filter((n) => n !== null))
  if (!list.length) return null
  const details = h('details', { class: 'why', ontoggle: () => details.open && opened() },
    h('summary', null, reasons?.length ? words.why : words.basis), h('ul', null, ...list))
  return details
}
