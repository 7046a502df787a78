import { widget as en } from '../messages/en.json'
import { widget as zh } from '../messages/zh-CN.json'
import type { Locale } from '../contract'

export type Words = typeof en

/** localeOf reads any language tag; what is neither Chinese nor English gets English. */
export function localeOf(tag: string | null | undefined): Locale {
  return /^zh\b/i.test(tag ?? '') ? 'zh-CN' : 'en'
}

export const wordsOf = (l: Locale): Words => (l === 'en' ? en : zh)

export const fill = (text: string, values: Record<string, string | number>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
