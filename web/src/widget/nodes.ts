// Making nodes. Text is always text: nothing that comes from a server is parsed as HTML.

type Child = Node | string | null | undefined | false
type Props = Record<string, string | boolean | number | undefined | ((e: Event) => void)>

/** h makes an element: "on…" props listen, true and false set or leave an attribute. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props?: Props | null, ...children: Child[]): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag)
  for (const name in props) {
    const value = props[name]
    if (typeof value === 'function') el.addEventListener(name.slice(2), value)
    else if (value === true) el.setAttribute(name, '')
    else if (value !== false && value !== undefined) el.setAttribute(name, String(value))
  }
  for (const child of children) if (child) el.append(child)
  return el
}

/** safeURL is an address that only shows or plays something; else nothing. */
export function safeURL(url: string | undefined): string | undefined {
  return url && /^(https?:\/\/|\/(?!\/))/i.test(url) ? url : undefined
}
