import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { Answer } from '../contract'
import { difference, type Replayed, type Variation } from './explanation'
import { AsSeen, Section, Trouble } from './parts'
import { useSession } from './session'
import { useWords } from './words'

interface Outcome { variation: Variation; summary: string; replayed: Replayed }

/** useReplays computes a decision again, one variation at a time, and keeps the last outcome. */
export function useReplays(answer: Answer) {
  const { api } = useSession()
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const replay = useMutation({
    mutationFn: ({ variation }: { variation: Variation; summary: string }) => api.replay(answer.id, variation),
    onMutate: () => setOutcome(null),
    onSuccess: (replayed, { variation, summary }) => {
      setOutcome({ variation, summary, replayed })
      document.getElementById('h-replay')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' })
    },
  })
  return {
    run: (variation: Variation, summary = '') => replay.mutate({ variation, summary }),
    running: replay.isPending,
    error: replay.error,
    outcome,
  }
}

export function Replays({ of, replays, personal }: { of: Answer; replays: ReturnType<typeof useReplays>; personal: boolean }) {
  const { w } = useWords()
  const { run, running, error, outcome } = replays
  return (
    <Section title={w.replay.title} id="replay">
      <p className="hint">{w.replay.lead}</p>
      <div className="buttons">
        <Button onClick={() => run({})} loading={running} loaderProps={{ 'aria-label': w.replay.running }}>{w.replay.again}</Button>
        <Button variant="default" disabled={running} onClick={() => run({ personalization: personal ? 'off' : 'on' })}>{personal ? w.replay.off : w.replay.on}</Button>
      </div>
      <div role="status" className="outcome">
        {error && <Trouble error={error} />}
        {outcome && <Told of={of} outcome={outcome} />}
      </div>
    </Section>
  )
}

function Told({ of, outcome: { variation, summary, replayed } }: { of: Answer; outcome: Outcome }) {
  const { w, say } = useWords()
  const varied = Boolean(variation.without ?? variation.personalization)
  const change = variation.without ? say(w.replay.without, { summary }) : variation.personalization === 'off' ? w.replay.personalOff : variation.personalization === 'on' ? w.replay.personalOn : ''
  // Switching personalisation changes what the answer says about itself; that alone is no other outcome.
  const same = replayed.identical || (variation.personalization !== undefined && (replayed.changed ?? []).every((p) => p === '/person/personalized'))
  if (same) {
    return <p className="kept">✓ {change && <>{change}{w.colon}</>}{varied ? w.replay.identicalVaried : w.replay.identical}</p>
  }
  const d = difference(of, replayed.decision)
  return (
    <div className="different">
      <p><b>{change ? <>{change}{w.colon}{w.replay.different}</> : w.replay.drifted}</b></p>
      {d.lost.length + d.gained.length === 0 && <p>{w.replay.words}</p>}
      {([['lost', d.lost, '−'], ['gained', d.gained, '+'], ['kept', d.kept, '=']] as const).map(([name, titles, sign]) => titles.length > 0 && (
        <div key={name} className="diff" data-diff={name}><span>{w.replay[name]}</span><ul>{titles.map((t, i) => <li key={i}><span aria-hidden>{sign}</span> {t}</li>)}</ul></div>
      ))}
      <details><summary>{w.replay.seen}</summary><AsSeen answer={replayed.decision} label={w.replay.seen} /></details>
      <details><summary>{w.replay.fields} <span className="count">{replayed.changed?.length ?? 0}</span></summary><ul className="mono">{replayed.changed?.map((p) => <li key={p}>{p}</li>)}</ul></details>
    </div>
  )
}
