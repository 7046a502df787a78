import type { Evidence } from '../contract'
import { Cited } from './evidence'
import { addsUp, sum, type Term } from './explanation'
import { plain, signed } from './parts'
import { useWords } from './words'

/** Terms is a sum one can check: a line each, its bar to the left or right of zero, the total below. */
export function Terms({ total, terms, table, label, of }: { total: number; terms: Term[]; table: Record<string, Evidence>; label: string; of: string }) {
  const { w } = useWords()
  const widest = Math.max(...terms.map((t) => Math.abs(t.value)), 1e-12)
  const adds = addsUp(total, terms)
  // A score is a product, kept as the sum of logarithms: both are told.
  const product = terms.every((t) => t.name.startsWith('ln '))
  return (
    <table className="terms" aria-label={label} data-product={product ? '' : undefined}>
      {product && <thead><tr><td colSpan={2} /><th scope="col" className="number">{w.decision.factor}</th><th scope="col" className="number">{w.decision.logarithm}</th></tr></thead>}
      <tbody>
        {terms.map((t, i) => (
          <tr key={i}>
            <th scope="row">{termName(w.term, t.name)} <Cited ids={t.evidence} table={table} /></th>
            <td className="bar" aria-hidden><i data-sign={t.value < 0 ? 'minus' : 'plus'} style={{ inlineSize: `${(Math.abs(t.value) / widest) * 50}%` }} /></td>
            {product && <td className="number">{t.name === 'ln propensity' ? '' : '×'}{factor(t.value)}</td>}
            <td className="number">{signed(t.value)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row" colSpan={2}>{of} <span className="adds" data-adds={adds ? '' : undefined}>{adds ? `✓ ${w.decision.adds}` : w.decision.addsNot}</span></th>
          {product && <td className="number">{factor(total)}</td>}
          <td className="number">{plain(adds ? total : sum(terms))}</td>
        </tr>
      </tfoot>
    </table>
  )
}

const factor = (ln: number): string => Math.exp(ln).toFixed(3)

function termName(names: { ln_propensity: string; ln_context: string; ln_value: string; ln_lever: string; ln_exploration: string; base: string }, name: string): string {
  const context = name.match(/^ln context (.+)$/)
  if (context) return `${names.ln_context} · ${context[1]}`
  return (names as Record<string, string>)[name.replace(' ', '_')] ?? name
}
