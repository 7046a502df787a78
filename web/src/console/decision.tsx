import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Answer } from '../contract'
import { Failed } from './api'
import { Cited, EvidenceTable, Records } from './evidence'
import { byStage, course, together, type Choice, type Explanation } from './explanation'
import { AsSeen, Enquiry, NatureBadge, plain, Section, Trouble, useTitle, Waiting } from './parts'
import { Replays, useReplays } from './replay'
import { Terms } from './score'
import { useSession } from './session'
import { useWords } from './words'

/** DecisionPage opens one decision: what was asked, what was seen, and the whole of why. */
export function DecisionPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const { w } = useWords()
  const { api } = useSession()
  const options = { retry: (n: number, e: Error) => !(e instanceof Failed) && n < 2, staleTime: Infinity }
  const answer = useQuery({ queryKey: ['decision', api.workspace, id], queryFn: () => api.decision(id), ...options })
  const why = useQuery({ queryKey: ['explanation', api.workspace, id, api.locale], queryFn: () => api.explanation(id), ...options })
  const error = answer.error ?? why.error
  useTitle(answer.data?.enquiry || w.decision.title)
  return (
    <main id="content" className="page">
      <p className="back"><Link to="/">← {w.decision.back}</Link></p>
      {error ? (error instanceof Failed && error.status === 410 ? <p className="hint">{w.decision.gone}</p> : <Trouble error={error} />)
        : answer.data && why.data ? <Records><Decision answer={answer.data} why={why.data} /></Records>
        : <Waiting />}
    </main>
  )
}

function Decision({ answer, why }: { answer: Answer; why: Explanation }) {
  const { w, say } = useWords()
  const replays = useReplays(answer)
  return (
    <>
      <h1 className="enquiry">{answer.enquiry ? <Enquiry answer={answer} /> : say(w.decisions.noEnquiry, { placement: why.inputs.placement ?? w.none })}</h1>
      <Meta answer={answer} why={why} />
      <Story answer={answer} why={why} />
      <div className="columns">
        <div className="side">
          <Section title={w.decision.seen}><AsSeen answer={answer} label={w.decision.seen} /></Section>
        </div>
        <div className="main">
          <Section title={w.decision.needs} id="needs"><Needs answer={answer} why={why} /></Section>
          <Section title={w.decision.chosen} id="chosen">
            {why.chosen.length === 0 ? <p className="hint">{w.decision.noChosen}</p> : why.chosen.map((c, i) => <Chosen key={i} choice={c} why={why} />)}
          </Section>
          <Section title={w.evidence.title} id="evidence">
            <EvidenceTable table={why.evidence} busy={replays.running} without={(e) => replays.run({ without: [e.ref] }, e.summary)} />
          </Section>
          <Replays of={answer} replays={replays} personal={why.inputs.personal} />
          <Section title={w.decision.rejected} id="rejected"><Rejected why={why} /></Section>
          <Section title={w.decision.draw}><Draw why={why} /></Section>
          <Section title={w.decision.whatIf} id="whatif">
            {why.counterfactuals.length === 0 ? <p className="hint">{w.decision.noWhatIf}</p>
              : <dl className="whatif">{why.counterfactuals.map((c, i) => <div key={i}><dt>{c.change}</dt><dd>{c.outcome}</dd></div>)}</dl>}
          </Section>
          <Section title={w.decision.procedure}><ol className="procedure">{why.procedure.map((p, i) => <li key={i}>{p}</li>)}</ol></Section>
          {answer.degraded.length > 0 && <Section title={w.decision.degraded}><ul>{answer.degraded.map((d, i) => <li key={i}>{d.source}{w.colon}{d.reason}</li>)}</ul></Section>}
          <Section title={w.decision.inputs}><Inputs why={why} /></Section>
        </div>
      </div>
    </>
  )
}

/** Story tells a decision from the words to the offer, its numbers beside it; each step leads to its proof. */
function Story({ answer, why }: { answer: Answer; why: Explanation }) {
  const { w, say, list } = useWords()
  const titles = new Map(why.needs.map((n) => [n.id, n.title]))
  const c = course(why)
  const records = Object.values(why.evidence)
  const rights = why.chosen.filter((x) => x.terms.length === 0)
  const drawn = why.chosen.filter((x) => x.terms.length > 0)
  const quoted = (names: string[]) => list(names.map((title) => say(w.story.quoted, { title })))
  const change = why.counterfactuals[0]
  const steps: { to: string; title: string; told: ReactNode; number: ReactNode }[] = [
    {
      to: 'needs', title: w.story.heard, number: answer.needs.length,
      told: answer.needs.length === 0 ? w.decision.noNeeds : list(answer.needs.map((n) => say(w.story.need, { title: titles.get(n.id) || n.title || w.coverage.unclear, confidence: Math.round(100 * n.confidence) }))),
    },
    {
      to: 'evidence', title: w.story.checked, number: records.length,
      told: records.length === 0 ? w.evidence.none : list(records.slice(0, 3).map((e) => e.summary)) + (records.length > 3 ? say(w.story.andMore, { n: records.length - 3 }) : ''),
    },
    {
      to: 'rejected', title: w.story.sifted, number: <>{c.considered} → {c.given}</>,
      told: c.lost.length === 0 ? w.decision.noRejected : <>{say(w.story.stopped, { stages: list(c.lost.map(([stage, n]) => `${w.stage[stage]} ${n}`)) })}<Sieve c={c} /></>,
    },
    {
      to: 'chosen', title: w.story.given, number: why.chosen.length,
      told: why.chosen.length === 0 ? w.decision.noChosen : [
        rights.length > 0 && say(w.story.certain, { titles: quoted(rights.map((x) => x.title)) }),
        drawn.length > 0 && say(w.story.drawn, { titles: list(drawn.map((x) => say(w.story.chance, { title: x.title, p: x.probability.toFixed(3) }))) }),
      ].filter(Boolean).join(w.story.then),
    },
    ...(change ? [{ to: 'whatif', title: w.story.turns, number: why.counterfactuals.length, told: say(w.story.change, { change: change.change, outcome: change.outcome }) }] : []),
  ]
  return (
    <section className="story" aria-label={w.story.title}>
      <ol>{steps.map((s) => (
        <li key={s.to}>
          <a href={`#h-${s.to}`} onClick={(e) => { e.preventDefault(); const h = document.getElementById(`h-${s.to}`); h?.scrollIntoView({ block: 'start' }); h?.focus() }}>{s.title}</a>
          <div>{s.told}</div>
          <span className="number">{s.number}</span>
        </li>
      ))}</ol>
    </section>
  )
}

/** Sieve draws how many of the candidates each stage stopped, and how many were left. */
function Sieve({ c }: { c: ReturnType<typeof course> }) {
  const { w } = useWords()
  return (
    <span className="sieve" aria-hidden>
      {c.lost.map(([stage, n]) => <i key={stage} style={{ flexGrow: n }} title={`${w.stage[stage]} ${n}`} />)}
      {c.given > 0 && <b style={{ flexGrow: c.given }} title={`${w.story.given} ${c.given}`} />}
    </span>
  )
}

function Meta({ answer, why }: { answer: Answer; why: Explanation }) {
  const { w, date, say } = useWords()
  const device = why.inputs.scene.device?.type
  return (
    <p className="meta">
      <time dateTime={answer.at}>{date(answer.at)}</time>
      <Link to="/people/$id" params={{ id: answer.person.id }}>{w.meta.person} {answer.person.id.slice(0, 12)}</Link>
      <span>{why.inputs.proven ? w.meta.proven : w.meta.claimed}</span>
      <span>{why.inputs.personal ? w.meta.personal : w.meta.impersonal}</span>
      {why.inputs.placement && <span>{w.meta.placement} {why.inputs.placement}</span>}
      {device && <span>{(w.meta.device as Record<string, string>)[device] ?? device}</span>}
      <span>{say(w.meta.strategy, { version: answer.strategy.version })}</span>
      {answer.strategy.arm && <span>{say(w.meta.arm, { arm: answer.strategy.arm })}</span>}
      <span className="mono">{answer.id}</span>
    </p>
  )
}

function Needs({ answer, why }: { answer: Answer; why: Explanation }) {
  const { w } = useWords()
  const titles = new Map(why.needs.map((n) => [n.id, n.title]))
  if (answer.needs.length === 0) return <p className="hint">{w.decision.noNeeds}</p>
  return (
    <ol className="needs">
      {answer.needs.map((n) => (
        <li key={n.id}>
          <span className="chip" aria-hidden>{n.id.replace(/^n/, '')}</span>
          <b>{titles.get(n.id) ?? n.intent}<span className="mono">{n.intent}{n.subintent && `/${n.subintent}`}</span></b>
          <span>{w.origin[n.origin]}</span>
          <span>{w.status[n.status]}</span>
          <span className="number">{w.decision.confidence} {n.confidence.toFixed(2)}</span>
        </li>
      ))}
    </ol>
  )
}

function Chosen({ choice: c, why }: { choice: Choice; why: Explanation }) {
  const { w } = useWords()
  return (
    <article className="choice">
      <h3><NatureBadge nature={c.nature} />{c.title}<span className="mono">{c.action}</span></h3>
      {c.reasons.length === 0 ? <p className="hint">{w.decision.noReasons}</p>
        : <ul className="reasons">{c.reasons.map((r, i) => <li key={i}>{r.text} <Cited ids={r.evidence} table={why.evidence} /></li>)}</ul>}
      {c.terms.length === 0 ? <p className="hint">{w.decision.right}</p> : (
        <>
          <p className="meta number">
            <span>{w.decision.probability} {c.probability.toFixed(3)}</span>
            {c.propensity !== null && <span>{w.decision.propensity} {c.propensity.toFixed(3)}</span>}
          </p>
          <Terms total={c.score} terms={c.terms} table={why.evidence} label={`${c.title} ${w.decision.score}`} of={w.decision.score} />
          {c.parts && c.propensity !== null && c.parts.length > 0 && (
            <details>
              <summary>{w.decision.partsOf}</summary>
              <Terms total={Math.log(c.propensity / (1 - c.propensity))} terms={c.parts} table={why.evidence} label={w.decision.partsOf} of={w.decision.logOdds} />
            </details>
          )}
        </>
      )}
    </article>
  )
}

function Rejected({ why }: { why: Explanation }) {
  const { w, list } = useWords()
  if (why.rejected.length === 0) return <p className="hint">{w.decision.noRejected}</p>
  return (
    <div className="stages">
      {byStage(why.rejected).map(([stage, all]) => (
        <div key={stage}>
          <h3>{w.stage[stage]} <span className="count">{all.length}</span></h3>
          <ul>
            {together(all).map(({ of: r, needs }, i) => (
              <li key={i}>
                <p><NatureBadge nature={r.nature} /><b>{r.title || r.action}</b> <span className="mono">{r.action}/{r.rule}</span>
                  {why.needs.length > 1 && needs.length > 0 && <span className="hint">{w.decision.needs} {list(needs.map((n) => n.replace(/^n/, '')))}</span>}</p>
                <p>{r.reason} <Cited ids={r.evidence} table={why.evidence} />{r.score !== undefined && <span className="number"> {w.decision.score} {plain(r.score)}</span>}</p>
                {r.missing && r.missing.length > 0 && <p className="hint">{w.decision.missing}{w.colon}{list(r.missing)}</p>}
              </li>
            ))}
          </ul>
        </div>
      ))}
    </div>
  )
}

function Draw({ why }: { why: Explanation }) {
  const { w, say } = useWords()
  const titles = new Map([...why.chosen, ...why.rejected].map((c) => [c.action, c.title || c.action]))
  const positions = why.draw.positions ?? []
  if (positions.length === 0) return <p className="hint">{w.decision.noDraw}</p>
  return (
    <>
      {positions.map((p) => (
        <div key={p.position} className="choice"><table className="terms">
          <caption>{say(w.decision.position, { n: p.position })}</caption>
          <tbody>
            {p.chances.map((c, i) => (
              <tr key={i}>
                <th scope="row">{titles.get(c.action) ?? c.action}{c.action === p.taken && <span className="taken"> ✓ {w.decision.taken}</span>}</th>
                <td className="bar whole" aria-hidden><i data-sign="plus" style={{ inlineSize: `${c.probability * 100}%` }} /></td>
                <td className="number">{c.probability.toFixed(3)}</td>
              </tr>
            ))}
          </tbody>
        </table></div>
      ))}
      <p className="meta seed"><span>{w.decision.seed} <span className="mono">{why.draw.seed}</span></span></p>
    </>
  )
}

function Inputs({ why }: { why: Explanation }) {
  const { w } = useWords()
  const i = why.inputs
  const rows: [string, string][] = [
    [w.inputs.log, String(i.log_position)], [w.inputs.catalogue, String(i.catalogue_version)], [w.inputs.strategy, String(i.strategy_version)],
    ...Object.entries(i.model_versions).map(([name, v]): [string, string] => [`${w.inputs.model} ${name}`, v.slice(0, 16)]),
    [w.inputs.profile, i.profile_digest.slice(0, 16)],
  ]
  return <dl className="facts">{rows.map(([k, v]) => <div key={k}><dt>{k}</dt><dd className="mono">{v}</dd></div>)}</dl>
}
