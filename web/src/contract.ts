// The part of the outer contract that the pages read, as the server's own document
// (/openapi.json) names it. Types only: nothing of this reaches a browser.

export type Locale = 'zh-CN' | 'en'
export type Nature = 'right' | 'service' | 'goodwill' | 'sale'
export type Device = 'mobile' | 'desktop'

export interface Reason { text: string; evidence: string[] }
export interface Evidence { kind: string; ref: string; at: string; summary: string }

export interface Need {
  id: string
  origin: 'spoken' | 'implied' | 'predicted'
  intent: string
  subintent: string | null
  /** What it is called, in the answer's language. */
  title?: string
  text: string
  /** Runes of the enquiry, half-open. */
  span?: [number, number]
  entities: { type: string; id?: string; text: string; span: [number, number] }[]
  negated: boolean
  confidence: number
  status: 'answered' | 'partly' | 'unanswered' | 'clarify' | 'handover'
  evidence: string[]
}

export interface Field { name: string; label: string; value?: string }
export interface Option { label: string; intent?: string; send: string }
export interface Card { id: string; title: string; text?: string; price?: string; url?: string; reasons?: Reason[] }
export interface Row { attribute: string; label: string; differs: boolean; cells: { text: string; stated: boolean; best?: boolean }[] }

export interface Block {
  id: string
  need?: string
  kind: 'text' | 'table' | 'steps' | 'cards' | 'offer' | 'voice' | 'video' | 'status' | 'form' | 'clarify' | 'handover'
  title?: string
  text?: string
  /** Further needs that it answers as well. */
  serves?: string[]
  /** Says that a model worded the text, in the answer's language. */
  generated?: string
  columns?: { id: string; title: string }[]
  rows?: Row[]
  steps?: string[]
  skipped?: number
  cards?: Card[]
  action?: string
  fields?: Field[]
  options?: Option[]
  url?: string
  source?: string
  reasons?: Reason[]
  evidence?: string[]
}

export interface Action {
  action: string
  nature: Nature
  need: string
  treatment: string
  title: string
  score: number
  propensity: number | null
  probability: number
  position: number
  reasons: Reason[]
}

export interface Answer {
  id: string
  person: { id: string; personalized: boolean }
  strategy: { version: number; experiment?: string; arm?: string }
  locale: Locale
  at: string
  enquiry?: string
  needs: Need[]
  blocks: Block[]
  actions: Action[]
  evidence: Record<string, Evidence>
  degraded: { source: string; reason: string }[]
  /** Of a message in a conversation. While a person has it nothing is decided: id is "". */
  conversation?: Talk
}

/** Who has the word in a conversation; while one waits for a person, the place in the queue. */
export interface Talk {
  phase: 'adviser' | 'waiting' | 'person'
  agent?: { name?: string }
  ahead?: number
  minutes?: number
}

/** One entry of a conversation, as its stream tells it. */
export interface Spoken {
  id: string
  type: 'message' | 'handover'
  role?: 'user' | 'agent'
  by?: 'adviser' | 'person'
  text: string
  agent?: { name?: string }
  attachments?: Attachment[]
  state?: Talk['phase']
  decision?: Answer
}

/** A photo, a voice message or a file of the customer's. */
export interface Attachment { kind: string; url?: string; name?: string }

/** A conversation read back. */
export interface Transcript { conversation: Talk; messages: Spoken[] }

/** RFC 9457. */
export interface Problem { title?: string; detail?: string; code?: string; status?: number; errors?: { pointer: string; message: string }[] }
