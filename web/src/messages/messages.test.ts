import { expect, test } from 'vitest'
import en from './en.json'
import zh from './zh-CN.json'

function sentences(tree: object, at = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[at + key, value] as [string, string]] : sentences(value as object, `${at}${key}/`))
}

const placeholders = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()

test('both languages have every sentence', () => {
  expect(sentences(zh).map(([k]) => k)).toEqual(sentences(en).map(([k]) => k))
})

test('a sentence has the same placeholders in both languages', () => {
  const english = new Map(sentences(en))
  for (const [key, text] of sentences(zh)) expect([key, placeholders(text)]).toEqual([key, placeholders(english.get(key)!)])
})

test('no English sentence is left in Chinese, and none of the words we do not use', () => {
  for (const [key, text] of sentences(en)) expect([key, /\p{Script=Han}/u.test(text.replace('中文', ''))]).toEqual([key, false])
  for (const [key, text] of sentences(zh)) expect([key, /亲，|尊敬的|给您带来不便|系统检测到|[!！]/.test(text)]).toEqual([key, false])
  for (const [key, text] of sentences(en)) expect([key, /kindly|inconvenience|valued customer|!/i.test(text)]).toEqual([key, false])
})
