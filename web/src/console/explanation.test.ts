import { expect, test } from 'vitest'
import type { Answer } from '../contract'
import { readExplanation } from './api'
import { addsUp, byStage, course, difference, together, type Rejection } from './explanation'

const term = (name: string, value: number) => ({ name, value, evidence: [] })

test('a score is the sum of its terms, to a billionth', () => {
  expect(addsUp(-0.6, [term('ln propensity', -0.9), term('ln value', 0.3)])).toBe(true)
  expect(addsUp(-0.6 + 1e-6, [term('ln propensity', -0.9), term('ln value', 0.3)])).toBe(false)
  expect(addsUp(0, [])).toBe(true)
})

test('an action counts once on its way, where it came furthest, and not at all as lost when it was given', () => {
  const r = (action: string, stage: Rejection['stage']): Rejection => ({ action, stage, rule: 'r', reason: '', evidence: [] })
  expect(course({ chosen: [{ action: 'given' }], rejected: [r('a', 'eligibility'), r('a', 'arbitration'), r('b', 'eligibility'), r('given', 'eligibility')] }))
    .toEqual({ considered: 3, lost: [['eligibility', 1], ['arbitration', 1]], given: 1 })
})

test('rejected candidates stand in the order of the stages', () => {
  const r = (action: string, stage: Rejection['stage']): Rejection => ({ action, stage, rule: 'r', reason: '', evidence: [] })
  expect(byStage([r('a', 'arbitration'), r('b', 'eligibility'), r('c', 'arbitration')]).map(([s, l]) => [s, l.map((x) => x.action)]))
    .toEqual([['eligibility', ['b']], ['arbitration', ['a', 'c']]])
})

test('what is rejected alike for several needs is one line', () => {
  const r = (action: string, need: string, reason: string): Rejection => ({ action, need, stage: 'eligibility', rule: 'r', reason, evidence: [] })
  expect(together([r('a', 'n1', 'x'), r('b', 'n1', 'x'), r('a', 'n2', 'x'), r('a', 'n3', 'y')]).map((l) => [l.of.action, l.needs]))
    .toEqual([['a', ['n1', 'n2']], ['b', ['n1']], ['a', ['n3']]])
})

test('a replay says what is lost and what comes in its place', () => {
  const offers = (...titles: string[]) => ({ actions: titles.map((t) => ({ action: t, title: t })) }) as Answer
  expect(difference(offers('换新机', '保修'), offers('保修', '检测'))).toEqual({ lost: ['换新机'], gained: ['检测'], kept: ['保修'] })
})

test('one action for another device is another offer', () => {
  const offer = (device: string) => ({ actions: [{ action: 'replace', title: device, group: { device } }] }) as unknown as Answer
  expect(difference(offer('手机'), offer('平板'))).toEqual({ lost: ['手机'], gained: ['平板'], kept: [] })
})

test('a seed of 64 bits is read to its last digit', () => {
  expect(readExplanation('{"draw":{"seed":9582205085769546813,"probabilities":[]}}').draw.seed).toBe('9582205085769546813')
})
