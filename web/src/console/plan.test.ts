import { expect, test } from 'vitest'
import { passages, placeOf, scale, unified, type ActionCoverage } from './plan'

test('a unified difference is read line by line', () => {
  const diff = 'diff a b\n--- a\n+++ b\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n@@ -9,1 +9,2 @@\n nine\n+ten\n\\ No newline at end of file\n'
  expect(unified(diff)).toEqual([
    { kind: 'same', text: 'one' }, { kind: 'del', text: 'two' }, { kind: 'add', text: 'zwei' }, { kind: 'same', text: 'three' },
    { kind: 'gap', text: '⋯' }, { kind: 'same', text: 'nine' }, { kind: 'add', text: 'ten' },
  ])
})

test('estimates stand on one scale, also when they are one number', () => {
  const at = scale([{ value: 2, low: 1, high: 3, error: 1 }, { value: 4, low: 3, high: 5, error: 1 }])
  expect([at(1), at(3), at(5)]).toEqual([0, 0.5, 1])
  expect(scale([{ value: 1, low: 1, high: 1, error: 0 }])(1)).toBe(0)
})

const why = { zh: '', en: '' }
const coverage = (action: string, chosen: number, lost: ActionCoverage['lost']): ActionCoverage => ({ action, title: why, nature: 'service', considered: 0, chosen, lost })

test('candidates are followed through the stages until who is left was chosen', () => {
  const p = passages([
    coverage('a', 3, [{ stage: 'arbitration', rule: 'draw', times: 2, reason: why }, { stage: 'eligibility', rule: 'club', times: 4, reason: why }]),
    coverage('b', 1, [{ stage: 'eligibility', rule: 'club', times: 5, reason: why }]),
  ])
  expect([p.entered, p.chosen]).toEqual([15, 4])
  expect(p.stages.map((s) => [s.stage, s.entered, s.stopped])).toEqual([
    ['eligibility', 15, 9], ['applicability', 6, 0], ['suitability', 6, 0], ['contact_policy', 6, 0], ['budget', 6, 0], ['consent', 6, 0], ['arbitration', 6, 2],
  ])
  expect(p.stages[0]!.rules.map((r) => [r.action, r.times])).toEqual([['b', 5], ['a', 4]])
})

test('a rule is found in the file of its action, in whatever way it is written', () => {
  const files = [
    { path: 'base/pack.yaml', own: false, text: 'signals:\n  - id: loan\n    window: 3d\nactions:\n  - id: loan\n    nature: service\n    eligibility:\n      - id: club\n        rule: x\n  - id: other\n    nature: service\n    eligibility: [{id: late, rule: y}]\n' },
    { path: 'own/a.yaml', own: true, text: 'actions:\n  - {id: gift, nature: goodwill}\n' },
  ]
  expect(placeOf(files, 'loan', 'club')).toEqual({ path: 'base/pack.yaml', line: 7 })
  expect(placeOf(files, 'loan', 'late')).toEqual({ path: 'base/pack.yaml', line: 4 })
  expect(placeOf(files, 'other', 'late')).toEqual({ path: 'base/pack.yaml', line: 11 })
  expect(placeOf(files, 'gift', 'presents')).toEqual({ path: 'own/a.yaml', line: 1 })
  expect(placeOf(files, 'nobody', 'x')).toBeUndefined()
})
