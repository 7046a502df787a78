package engine

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
)

// Request is one enquiry, or a placement asking what to offer.
type Request struct {
	Workspace    string
	Asker        identity.Asker
	Behalf       string // whom they ask for: per_…, kind:value or a bare id; "" for themselves, or for whom the words mean
	Conversation string
	Placement    string
	// Shared: the asker may hear what others have said in the conversation. Who only
	// names one reads their own turns in it.
	Shared   bool
	Enquiry  need.Enquiry // Text may be empty: what should be offered unasked
	Scene    scene.Scene  // Time zero: now by the engine's clock
	Fallback scene.Locale // language when neither scene nor enquiry has one
	Limit    int          // most actions; 0 means 3
	Explain  bool         // put the explanation into the answer
}

// Answer is what the customer's side gets. Its JSON form is the contract's.
type Answer struct {
	ID          string                     `json:"id"`
	Person      AnswerPerson               `json:"person"`
	Strategy    AnswerStrategy             `json:"strategy"`
	Locale      scene.Locale               `json:"locale"`
	At          time.Time                  `json:"at"`
	Enquiry     string                     `json:"enquiry,omitempty"` // what was asked; spans of needs count its runes
	Needs       []AnswerNeed               `json:"needs"`
	Blocks      []treatment.Block          `json:"blocks"`
	Actions     []treatment.Action         `json:"actions"`
	Evidence    map[string]evidence.Record `json:"evidence"`
	Degraded    []candidate.Degraded       `json:"degraded"`
	Explanation *Explanation               `json:"explanation,omitempty"`
	// Conversation says who has the word, in an answer to a message of a conversation.
	Conversation *Talk `json:"conversation,omitempty"`

	encoded []byte // as in the ledger; nil when an explanation was put in
}

// Encoded is the answer's JSON as the ledger keeps it, nil when there is none; it
// must not be changed.
func (a *Answer) Encoded() []byte { return a.encoded }

// AnswerNeed is a need as it is answered; its evidence names entries of the answer's table.
type AnswerNeed = need.Need

// AnswerPerson says for whom the answer was made.
type AnswerPerson struct {
	ID           string `json:"id"`
	Personalized bool   `json:"personalized"`
	Behalf       string `json:"on_behalf_of,omitempty"` // whom they asked for
}

// AnswerStrategy says under which strategy.
type AnswerStrategy struct {
	Version    int    `json:"version"`
	Experiment string `json:"experiment,omitempty"`
	Arm        string `json:"arm,omitempty"`
}

// Explanation is the whole of why: the procedure applied, the terms of each
// choice, every rejected candidate with its stage and rule, the draw, and what
// would have changed the outcome.
type Explanation struct {
	Decision        string                     `json:"decision"`
	Needs           []ExplainedNeed            `json:"needs"`
	Procedure       []string                   `json:"procedure"`
	Chosen          []ExplainedChoice          `json:"chosen"`
	Rejected        []ExplainedRejection       `json:"rejected"`
	Draw            decision.Draw              `json:"draw"`
	Counterfactuals []Counterfactual           `json:"counterfactuals"`
	Inputs          ExplainedInputs            `json:"inputs"`
	Evidence        map[string]evidence.Record `json:"evidence"`
}

// ExplainedNeed names a need of the answer in the reader's language. Of one that the
// model foresaw it tells the chance and the parts that add up to its log-odds.
type ExplainedNeed struct {
	ID     string          `json:"id"`
	Title  string          `json:"title"`
	Chance *float64        `json:"chance,omitempty"`
	Parts  []ExplainedTerm `json:"parts,omitempty"`
}

// ExplainedChoice is a chosen action with the addends of its score.
type ExplainedChoice struct {
	Action      string             `json:"action"`
	Title       string             `json:"title"`
	Nature      decision.Nature    `json:"nature"`
	Need        string             `json:"need"`
	Score       float64            `json:"score"`
	Terms       []ExplainedTerm    `json:"terms"`
	Parts       []ExplainedTerm    `json:"parts,omitempty"`
	Propensity  *float64           `json:"propensity"`
	Probability float64            `json:"probability"`
	Position    int                `json:"position"`
	Reasons     []treatment.Reason `json:"reasons"`
}

// ExplainedTerm is one addend with the records it came from.
type ExplainedTerm struct {
	Name     string         `json:"name"`
	Value    float64        `json:"value"`
	Evidence []evidence.Ref `json:"evidence"`
}

// ExplainedRejection is a candidate that was stopped, where and by which rule.
type ExplainedRejection struct {
	Action   string            `json:"action"`
	Title    string            `json:"title"`
	Nature   decision.Nature   `json:"nature,omitempty"`
	Need     string            `json:"need,omitempty"`
	Group    map[string]string `json:"group,omitempty"`
	Stage    decision.Stage    `json:"stage"`
	Rule     string            `json:"rule"`
	Reason   string            `json:"reason"`
	Missing  []string          `json:"missing,omitempty"`
	Evidence []evidence.Ref    `json:"evidence"`
	Score    *float64          `json:"score,omitempty"`
}

// Counterfactual says what would have been chosen if one thing had been otherwise.
type Counterfactual struct {
	Change  string `json:"change"`
	Outcome string `json:"outcome"`
}

// ExplainedInputs names the scene and the versions a decision rests on.
type ExplainedInputs struct {
	Scene            scene.Scene       `json:"scene"`
	Placement        string            `json:"placement,omitempty"`
	Conversation     string            `json:"conversation,omitempty"`
	Proven           bool              `json:"proven"`
	Personal         bool              `json:"personal"`
	LogPosition      uint64            `json:"log_position"`
	CatalogueVersion uint64            `json:"catalogue_version"`
	StrategyVersion  int               `json:"strategy_version"`
	ModelVersions    map[string]string `json:"model_versions"`
	ProfileDigest    string            `json:"profile_digest"`
	// Counsel is what a second reader said of unclear words and of our wording.
	Counsel *Counsel `json:"counsel,omitempty"`
	// Likes is what embeddings said of unclear words.
	Likes *need.Likes `json:"likes,omitempty"`
}

// Variation is what a replay changes; the zero Variation changes nothing.
type Variation struct {
	StrategyVersion int      `json:"strategy_version,omitempty"`
	Without         []string `json:"without,omitempty"`
	Personalization string   `json:"personalization,omitempty"` // "on", "off", "" as it was
}

// IsZero tells whether the replay is a plain recomputation.
func (v Variation) IsZero() bool {
	return v.StrategyVersion == 0 && len(v.Without) == 0 && v.Personalization == ""
}

// Replayed is the decision that would have been made.
type Replayed struct {
	Identical bool            `json:"identical"`
	Changed   []string        `json:"changed,omitempty"` // JSON pointers that differ
	Decision  json.RawMessage `json:"decision"`
}

// The errors that edges map to a status; all others are the store's.
var (
	ErrNoWorkspace = errors.New("no such workspace")
	ErrNotFound    = errors.New("not found")
	ErrForbidden   = errors.New("not yours to see")
	ErrGone        = errors.New("erased")
	ErrNoStrategy  = errors.New("no strategy is published")
	ErrNoRelation  = errors.New("no relation in force allows it")
	ErrHeld        = errors.New("another has the conversation")
	ErrCalendar    = errors.New("the calendar cannot be read")
	ErrState       = errors.New("the strategy is not in a state for that")
)
