import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import type { Locale } from '../contract'
import { console as en } from '../messages/en.json'
import { console as zh } from '../messages/zh-CN.json'
import { fill, localeOf } from '../widget/words'

const kept = 'rapport.lang'

interface Speech {
  locale: Locale
  w: typeof en
  speak(locale: Locale): void
  date(at: string | null | undefined): string
  time(at: string): string
  say(text: string, values: Record<string, string | number>): string
  list(names: string[]): string
}

const Context = createContext<Speech | null>(null)

/** Speaking gives the pages their sentences and the way their language writes dates. */
export function Speaking({ children }: { children: ReactNode }) {
  const [locale, setLocale] = useState<Locale>(() =>
    localeOf(new URLSearchParams(location.search).get('lang') ?? localStorage.getItem(kept) ?? navigator.language))
  useEffect(() => {
    document.documentElement.lang = locale
  }, [locale])
  const speech = useMemo<Speech>(() => {
    const w = locale === 'en' ? en : zh
    const day = new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    const clock = new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
    return {
      locale, w, say: fill,
      speak: (l) => { localStorage.setItem(kept, l); setLocale(l) },
      date: (at) => (at && !at.startsWith('0001-') ? day.format(new Date(at)) : w.none),
      time: (at) => (new Date(at).toDateString() === new Date().toDateString() ? clock : day).format(new Date(at)),
      list: (names) => names.join(w.comma),
    }
  }, [locale])
  return <Context value={speech}>{children}</Context>
}

export function useWords(): Speech {
  const speech = useContext(Context)
  if (!speech) throw new Error('a component outside <Speaking>')
  return speech
}

/** known is what a name of the contract is called; one that nobody has named shows itself. */
export const known = (names: Record<string, string>, key: string): string => names[key] ?? key
