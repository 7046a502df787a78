// Package decision is step 6 of the flow: what we choose, and why. It is pure:
// (plan, needs, answers, profile, scene, seed) give the chosen and the rejected,
// each with the stage and rule it passed or failed, its score as a sum of named
// terms, and the probability with which it was chosen.
//
// What it never changes: a right is told to whoever is entitled, first, and is
// never drawn, capped, budgeted or tested; nothing is sold in front of an unsolved
// problem; a score equals the sum of its terms to 1e-9.
package decision

import (
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Nature is what an action is to the customer; shown in this order.
type Nature string

const (
	Right    Nature = "right"
	Service  Nature = "service"
	Goodwill Nature = "goodwill"
	Sale     Nature = "sale"
)

// Stage is where a candidate was stopped.
type Stage string

const (
	Eligibility   Stage = "eligibility"    // must qualify
	Applicability Stage = "applicability"  // relevant now
	Suitability   Stage = "suitability"    // right for this customer
	ContactPolicy Stage = "contact_policy" // frequency cap, suppression
	Budget        Stage = "budget"
	Consent       Stage = "consent"
	Arbitration   Stage = "arbitration" // another was better, or the draw passed it by
)

// Facts is what a rule reads: person, need, group, device, records … by name.
// Lookup returns ok=false for a name that is unknown now (no consent, switched
// off, never stated); a rule must then say so, not guess. Values are string,
// bool, int64, float64, time.Time or []string.
type Facts interface {
	Lookup(name string) (value any, ok bool)
}

// Verdict is what a rule says of facts.
type Verdict struct {
	Holds   bool
	Missing []string // inputs the rule asked for and that were unknown
	Unknown bool     // it is neither true nor false, because of what is missing
	Fault   string   // an evaluation error; the rule then does not hold
}

// Rule is a compiled condition. Packs compile it (CEL); this room only walks it.
// A Rule is safe for concurrent use and depends on nothing but the facts.
type Rule interface {
	Eval(Facts) Verdict
	Source() string // as written in the pack
}

// Policy is one named rule of an action at one stage.
type Policy struct {
	ID     string
	Stage  Stage
	Rule   Rule
	Reason candidate.Text // why it fails, in words for operators
	// Cites names the facts that prove it; empty: those that the rule read.
	Cites []string
}

// Because is one reason of an offer: a sentence with {placeholders} and the facts
// that make it true. A sentence with a placeholder that is unknown is not said.
type Because struct {
	Text  candidate.Text
	Cites []string // names of facts: group, device.under_warranty, order, person.traits.household_size …
	When  Rule     // nil: always
}

// Treatment is one way to show an action. The first whose rule holds and whose
// placeholders are all known is taken.
type Treatment struct {
	ID    string
	When  Rule           // nil: always
	Title candidate.Text // empty: the action's
	Body  candidate.Text // may use {placeholders}
}

// Action is something a strategy can offer.
type Action struct {
	ID     string
	Nature Nature
	Title  candidate.Text
	// Major tells that whoever changes a rule of it may need somebody else's approval.
	Major bool
	// Needs are the labels it serves: an intent, or "intent/subintent". Empty: any
	// need, and a placement where nothing was asked.
	Needs  []string
	Signal string // "" or the signal of whose groups each makes one candidate
	// Grants names what the customer gets (replacement, repair, loan …). Goodwill or
	// a sale that grants what a chosen right grants already is not offered beside it.
	Grants string
	// Unasked lets it be offered to somebody who did not ask for it: beside an answer
	// when a predicted need calls for it, and in a message that Rapport sends by
	// itself. nil: only to who asks, or to a placement that does.
	Unasked  *Unasked
	Item     *Putting // which item of the shelf it puts forward; nil: none
	Safety   bool     // a right or service that goes before everything else when it applies
	Policies []Policy // in stage order
	Value    float64  // > 0, unit-free worth to the company and the customer
	Lever    float64  // > 0, the strategist's manual weight
	Prior    Prior    // propensity
	// Like names the action from which this one starts when its propensity is learned;
	// "": from all actions of its nature.
	Like string
	// Firm is never explored: it is drawn only where it is the best by what is known.
	Firm       bool
	Contexts   []Weight  // context weights
	Reasons    []Because // why it is offered
	Treatments []Treatment
	Resolves   bool     // an offer of it answers the need; an accepted or entitled one solves the problem
	Asks       bool     // it is our own question back: a need that it meets still waits for the customer's word
	Handover   bool     // it brings a person
	Fallback   bool     // only for needs that nothing else serves
	Consent    []string // purposes the person must have agreed to
	Cap        *Cap
	From       time.Time       // not offered before; zero: open
	Until      time.Time       // nor from then on
	Funds      []int           // indices of the plan's funds that an offer draws on
	Cost       candidate.Money // what one costs the company
	Form       []Field         // what accepting it needs; known ones are prefilled
}

// Prior is the additive log-odds of the action being taken: a base and named parts.
type Prior struct {
	Base  float64
	Parts []Weight
}

// Weight adds Value (log scale) when its rule holds.
type Weight struct {
	Name  string
	Rule  Rule
	Value float64
}

// Cap bounds how often an action is shown to one person.
type Cap struct {
	Shown    int
	Within   time.Duration
	Suppress time.Duration // silence after a dismissal
}

// Field is one input an action needs; From names the fact that prefills it.
type Field struct {
	Name  string         `json:"name"`
	Label candidate.Text `json:"label"`
	From  string         `json:"from,omitempty"`
	// Optional: it is filled in when it is known and never asked for.
	Optional bool `json:"optional,omitempty"`
}

// Pattern is what this room must know of a signal to explain why it does not
// hold, and to decide again without one of its events.
type Pattern struct {
	Title   candidate.Text // "two repairs of one fault"
	Event   candidate.Text // what is counted, in words: 报修 / reports
	AtLeast int
	Within  time.Duration
}

// Plan is the decision part of a published strategy: immutable.
type Plan struct {
	Actions     []Action
	Temperature float64 // of the draw among goodwill and sales; 0 takes the best
	// Exploration, when it is above 0, takes the temperature's place: candidates are
	// drawn with the chance to be the best one, given how uncertain the learned
	// propensities are. 1 is right unless there is a reason; more tries out more.
	Exploration float64
	Ripe        time.Duration // how long an offer may be taken until it counts as refused; 0: 7 days
	Floor       float64       // least choice probability of an eligible candidate in a draw
	// Learned are facts that propensities are learned over beside the usual ones; none
	// depends on the action or the group of a signal.
	Learned  []string
	Sales    int // most sales in one decision; 0 means 1
	Signals  map[string]Pattern
	Symptoms map[string]candidate.Text // names of symptoms, by id
	// Problems are the intents (or "group.*") in front of which nothing is sold;
	// Explained are those of them that an answer alone solves (how-to, progress).
	Problems  []string
	Explained []string
	Contact   Contact // what Rapport may send by itself
	Duty      []Duty  // whom a customer can be put through to, in the order of the packs
	Funds     []Fund
	Calendars []Calendar
	Zone      *time.Location // of calendar periods; nil: UTC
	Tags      []Tag          // groups of customers
	// Fields are the class and purpose of traits that the packs declare.
	Fields map[string]profile.Field
}

// Input is all a decision rests on.
type Input struct {
	Needs     []need.Need
	Signals   []need.SignalState
	Results   []candidate.Result
	Person    *profile.Profile // personalisation and consent applied
	Personal  bool             // personalisation is on
	Proven    bool
	Scene     scene.Scene
	Catalogue candidate.View
	Stops     []Stop
	Balances  []Balance         // of the plan's Budgets; one that is missing is untouched
	Model     *propensity.Model // what was learned; nil: the packs' priors alone
	Seed      uint64
	Limit     int // most actions; 0 means 3
	Dialogue  Dialogue
	Told      []candidate.Told // what was said and offered to a need when it was asked before
	Behalf    *Behalf          // nil: they ask for themselves
	// Unasked: nobody asked; what is chosen is sent by Rapport itself, so contact
	// policies bind it.
	Unasked bool
}

// Behalf says by which relation somebody asks for another person; the records in
// Person are then the other's.
type Behalf struct {
	Type     string // guardian_of, pays_for, acts_for, member_of …
	Role     string
	Scope    []string // kinds of record that may be asked about
	Until    time.Time
	Evidence []evidence.Ref
}

// Dialogue is what is known of the conversation that an enquiry stands in; zero
// when it stands in none.
type Dialogue struct {
	Waiting  bool      `json:"waiting,omitempty"`  // a person is being looked for already
	Since    time.Time `json:"since,omitzero"`     // since when
	Ahead    int       `json:"ahead,omitempty"`    // how many wait before this customer, or would
	Minutes  int       `json:"minutes,omitempty"`  // how long a wait has taken lately; 0: not known
	Failures int       `json:"failures,omitempty"` // times in a row that only asking back was possible
	Turns    int       `json:"turns,omitempty"`    // messages before this one
	// Courtesy is what a message is that holds no need: a greeting, thanks …
	Courtesy need.Courtesy `json:"courtesy,omitempty"`
	// Denied are traits that were assumed and that the customer says are wrong: they
	// are asked for.
	Denied []string `json:"denied,omitempty"`
	// Offered: the last thing said to the customer waits for their yes.
	Offered bool `json:"offered,omitempty"`
}

// Reason is a statement with exactly the records that make it true.
type Reason struct {
	Text     candidate.Text `json:"text"`
	Evidence []evidence.Ref `json:"evidence"`
}

// Chosen is an action that is offered.
type Chosen struct {
	Action      string            `json:"action"`
	Nature      Nature            `json:"nature"`
	Need        string            `json:"need"`
	Group       map[string]string `json:"group,omitempty"` // which device, order … it is about
	Treatment   string            `json:"treatment"`
	Title       candidate.Text    `json:"title"`
	Body        candidate.Text    `json:"body,omitzero"`
	Score       float64           `json:"score"`
	Terms       []candidate.Term  `json:"terms"`
	Parts       []candidate.Term  `json:"parts,omitempty"` // log-odds of the propensity
	Propensity  *float64          `json:"propensity"`
	Probability float64           `json:"probability"`
	Position    int               `json:"position"`
	Reasons     []Reason          `json:"reasons"`
	Serves      []string          `json:"serves,omitempty"` // the other needs it serves
	Prefilled   map[string]any    `json:"prefilled,omitempty"`
	// Shown are the names of prefilled values that are ids of ours: a product, a fault.
	Shown    map[string]candidate.Text `json:"shown,omitempty"`
	Form     []Field                   `json:"form,omitempty"`
	Missing  []string                  `json:"missing,omitempty"` // fields of Form that the customer must still give
	Safety   bool                      `json:"safety,omitempty"`
	Handover bool                      `json:"handover,omitempty"`
	Resolves bool                      `json:"resolves,omitempty"`
	Learn    *Learnable                `json:"-"` // what a later model learns by; nil for rights
}

// Rejected is a candidate that is not offered, with the rule that stopped it.
type Rejected struct {
	Action   string            `json:"action"`
	Nature   Nature            `json:"nature"`
	Title    candidate.Text    `json:"title"`
	Need     string            `json:"need,omitempty"`
	Group    map[string]string `json:"group,omitempty"`
	Stage    Stage             `json:"stage"`
	Rule     string            `json:"rule"`
	Reason   candidate.Text    `json:"reason"`
	Missing  []string          `json:"missing,omitempty"`
	Evidence []evidence.Ref    `json:"evidence"`
	Score    float64           `json:"score,omitempty"`
	Terms    []candidate.Term  `json:"terms,omitempty"`
}

// Draw is how the drawn positions were chosen.
type Draw struct {
	Seed          uint64         `json:"seed"`
	Probabilities []Chance       `json:"probabilities"`
	Positions     []DrawPosition `json:"positions,omitempty"`
}

// Chance is one candidate's choice probability.
type Chance struct {
	Action      string            `json:"action"`
	Group       map[string]string `json:"group,omitempty"`
	Probability float64           `json:"probability"`
}

// DrawPosition is one draw without replacement.
type DrawPosition struct {
	Position int      `json:"position"`
	Chances  []Chance `json:"chances"`
	Taken    string   `json:"taken"`
}

// Decision is the outcome of Decide.
type Decision struct {
	Needs    []need.Need        `json:"needs"` // with their status after the decision
	Answers  []candidate.Answer `json:"answers"`
	Chosen   []Chosen           `json:"chosen"`
	Rejected []Rejected         `json:"rejected"`
	Draw     Draw               `json:"draw"`
	Dialogue Dialogue           `json:"dialogue,omitzero"` // as it was known, for who shows it
	Unasked  bool               `json:"unasked,omitempty"` // nobody asked; it is sent
	// Conditions are the needs that depend on something, and how it stands.
	Conditions []Conditioned `json:"conditions,omitempty"`
}
