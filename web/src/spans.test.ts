import { expect, test } from 'vitest'
import { stretches } from './spans'

test('each need marks its own words, counted in runes', () => {
  const cut = stretches('😀发热，还要发票', [{ id: 'n1', span: [1, 3] }, { id: 'n2', span: [4, 8] }])
  expect(cut).toEqual([
    { text: '😀', needs: [] }, { text: '发热', needs: ['n1'] }, { text: '，', needs: [] }, { text: '还要发票', needs: ['n2'] },
  ])
})

test('needs that share words share the stretch', () => {
  expect(stretches('ABC', [{ id: 'n1', span: [0, 2] }, { id: 'n2', span: [1, 3] }]).map((s) => s.needs)).toEqual([['n1'], ['n1', 'n2'], ['n2']])
})

test('a need without words of its own marks nothing', () => {
  expect(stretches('AB', [{ id: 'n1' }])).toEqual([{ text: 'AB', needs: [] }])
})

test('a span beyond the text is cut off', () => {
  expect(stretches('AB', [{ id: 'n1', span: [0, 9] }])).toEqual([{ text: 'AB', needs: ['n1'] }])
})
