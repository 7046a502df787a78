import { expect, test } from 'vitest'
import type { Answer, Block, Nature } from '../contract'
import { answerNodes, type Acts } from './blocks'
import { wordsOf } from './words'

const words = wordsOf('zh-CN')

function show(block: Partial<Block>, nature?: Nature) {
  const done: unknown[][] = []
  const acts: Acts = {
    say: (text) => done.push(['say', text]),
    opened: (action) => done.push(['opened', action]),
    accepted: (action, fields) => done.push(['accepted', action, fields]),
    dismissed: (action) => done.push(['dismissed', action]),
  }
  const answer = {
    id: 'dec_1', blocks: [{ id: 'b1', kind: 'text', ...block }],
    actions: block.action ? [{ action: block.action, nature: nature ?? 'service', title: '', reasons: [] }] : [],
    evidence: { ev1: { kind: 'event', ref: 'evt_1', at: '', summary: '9 月 3 日报修' }, ev2: { kind: 'event', ref: 'evt_2', at: '', summary: '11 月 2 日报修' } },
  } as unknown as Answer
  const node = answerNodes(answer, words, acts)[0]!
  document.body.replaceChildren(node)
  return { node, done }
}

const press = (node: Element, text: string) => [...node.querySelectorAll('button')].find((b) => b.textContent === text)!.click()

test('a table compares: headings to both sides, the better value said in words, the unstated said too', () => {
  const { node } = show({
    kind: 'table', title: '主要不同', columns: [{ id: 'A', title: 'A 型' }, { id: 'B', title: 'B 型' }],
    rows: [{ attribute: 'noise', label: '噪音', differs: true, cells: [{ text: '没有写明', stated: false }, { text: '48 dB', stated: true, best: true }] }],
  })
  expect([...node.querySelectorAll('th')].map((x) => x.getAttribute('scope'))).toEqual(['col', 'col', 'row'])
  expect(node.querySelector('.best')!.textContent).toBe('48 dB更好')
  expect(node.querySelector('.unstated')!.textContent).toBe('没有写明')
})

test('steps are an ordered list with their source', () => {
  const { node } = show({ kind: 'steps', steps: ['关阀', '转下旧滤芯'], source: '出自《换滤芯》' })
  expect([...node.querySelectorAll('ol li')].map((x) => x.textContent)).toEqual(['关阀', '转下旧滤芯'])
  expect(node.textContent).toContain('出自《换滤芯》')
})

test('a reason stands above the records that make it true, closed at first', () => {
  const { node, done } = show({ kind: 'offer', action: 'replace', title: '换新机', reasons: [{ text: '两次报修同一问题', evidence: ['ev1', 'ev2'] }] }, 'right')
  const why = node.querySelector('details')!
  expect(why.open).toBe(false)
  expect([...why.querySelectorAll('.records li')].map((x) => x.getAttribute('data-ref'))).toEqual(['evt_1', 'evt_2'])
  why.open = true
  why.dispatchEvent(new Event('toggle'))
  expect(done).toEqual([['opened', 'replace']])
})

test('a form shows what is filled in and asks only for the rest', () => {
  const { node, done } = show({ kind: 'form', action: 'replace', fields: [{ name: 'device', label: '设备', value: 'SN-1' }, { name: 'pickup', label: '取件时间' }] }, 'right')
  expect([...node.querySelectorAll('input')].map((i) => i.name)).toEqual(['pickup'])
  node.querySelector('input')!.value = '明天上午'
  press(node, '确认')
  expect(done).toEqual([['accepted', 'replace', { device: 'SN-1', pickup: '明天上午' }]])
  expect(node.querySelector('[role=status]')!.textContent).toBe('已记下您的选择。')
  expect(node.querySelector('form')).toBeNull()
})

test('goodwill and sales can be declined; a right and a service are not pushed away', () => {
  const declines = (nature: Nature) => show({ kind: 'offer', action: 'x' }, nature).node.textContent!.includes('以后少发')
  expect([declines('goodwill'), declines('sale'), declines('right'), declines('service')]).toEqual([true, true, false, false])
  const { node, done } = show({ kind: 'offer', action: 'plan' }, 'sale')
  press(node, '不用了，这类消息以后少发')
  expect(done).toEqual([['dismissed', 'plan']])
})

test('a clarification is two readings as buttons that say their sentence', () => {
  const { node, done } = show({ kind: 'clarify', text: '您说的是哪一种？', options: [{ label: '退货退款', send: '我想退掉它' }, { label: '都不是', send: '都不是，我换个说法' }] })
  press(node, '退货退款')
  expect(done).toEqual([['say', '我想退掉它']])
})

test('voice and video are fetched only when they are played', () => {
  for (const kind of ['voice', 'video'] as const) {
    const media = show({ kind, title: '听指引', url: 'https://media.example/1' }).node.querySelector('audio, video')!
    expect(media.getAttribute('preload')).toBe('none')
    expect(media.hasAttribute('autoplay')).toBe(false)
  }
})

test('a status is a list of facts; a hand-over brings a person', () => {
  const { node } = show({ kind: 'status', title: '服务单 R1', fields: [{ name: 'status', label: '状态', value: '检测中' }] })
  expect(node.querySelector('dl')!.textContent).toBe('状态检测中')
  const call = show({ kind: 'handover', action: 'person', text: '我想请一位同事来帮您。' })
  press(call.node, '请人来帮我')
  expect(call.done).toEqual([['accepted', 'person', {}]])
})

test('words of a model are marked as such, ours are not', () => {
  expect(show({ text: '您好，我没太听明白。', generated: 'AI 生成' }).node.querySelector('.say .generated')!.textContent).toBe('AI 生成')
  expect(show({ text: '我没太听明白。' }).node.querySelector('.generated')).toBeNull()
})

test('whatever a catalogue or a customer wrote stays text, and addresses only show or play', () => {
  const evil = '<img src=x onerror=alert(1)>'
  const { node } = show({ kind: 'cards', title: evil, text: evil, cards: [{ id: '1', title: evil, url: 'javascript:alert(1)', reasons: [{ text: evil, evidence: [] }] }] })
  expect(node.querySelector('img')).toBeNull()
  expect(node.querySelector('a')).toBeNull()
  for (const url of ['javascript:alert(1)', 'data:text/html,x', '//evil.example/a']) {
    expect(show({ kind: 'voice', url }).node.querySelector('audio')).toBeNull()
  }
})

test('both languages have words for everything a block can ask', () => {
  expect(Object.keys(wordsOf('en').accept).sort()).toEqual(['form', 'goodwill', 'handover', 'right', 'sale', 'service'])
})
