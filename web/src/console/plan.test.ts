import { expect, test } from 'vitest'
import { scale, unified } from './plan'

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
