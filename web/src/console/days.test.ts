import { expect, test } from 'vitest'
import { kindOf, later, monthsOn, shared, stretches, weeks } from './days'

test('a month stands in weeks from Monday', () => {
  const october = weeks('2026-10')
  expect(october[0]).toEqual([null, null, null, '2026-10-01', '2026-10-02', '2026-10-03', '2026-10-04'])
  expect(october.at(-1)).toEqual(['2026-10-26', '2026-10-27', '2026-10-28', '2026-10-29', '2026-10-30', '2026-10-31', null])
  expect(weeks('2027-02').flat().filter(Boolean)).toHaveLength(28)
})

test('days and months are counted over the end of a year', () => {
  expect([later('2026-12-31', 1), later('2026-03-01', -1), monthsOn('2026-12-31', 2), monthsOn('2026-03-31', -1)]).toEqual(['2027-01-01', '2026-02-28', '2027-02-28', '2026-02-28'])
})

test('a make-up workday is worked, whatever else is said of it', () => {
  const c = { off: new Set(['2026-10-01', '2026-10-10']), work: new Set(['2026-10-10']) }
  expect(['2026-10-01', '2026-10-10', '2026-10-11', '2026-10-12'].map((d) => kindOf(d, c))).toEqual(['off', 'made_up', 'weekend', 'workday'])
})

test('days off that follow each other are one holiday, over a weekend as well', () => {
  const c = { id: 'cn', days_off: ['2026-10-01', '2026-10-02', '2026-10-05', '2027-01-01'], workdays: ['2026-10-10'], names: { '2026-10-01': '国庆节 第 1 天', '2026-10-02': '国庆节 第 2 天', '2026-10-05': '国庆节 第 3 天', '2026-10-10': '补班' } }
  expect(stretches(c)).toEqual([
    { kind: 'off', from: '2026-10-01', to: '2026-10-05', days: 5, name: '国庆节' },
    { kind: 'made_up', from: '2026-10-10', to: '2026-10-10', days: 1, name: '补班' },
    { kind: 'off', from: '2027-01-01', to: '2027-01-01', days: 1, name: '' },
  ])
})

test('two holidays in one are both named', () => {
  expect([shared(['中秋节', '国庆节']), shared(['Christmas (1)', 'Christmas (2)']), shared([])]).toEqual(['中秋节 · 国庆节', 'Christmas', ''])
})
