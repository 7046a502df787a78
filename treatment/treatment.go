// Package treatment is step 7 of the flow: how a decision is shown in this
// scene. It turns needs, answers and chosen actions into blocks in the
// customer's language, fit for the device, the network and the channel.
//
// It is pure and may not read the profile: what is shown must have been decided,
// hence has its reasons. All its sentences stand in the two message catalogues.
package treatment

import (
	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
)

// Block is one part of the answer. Kind says which of the optional parts is set:
// text, table, steps, cards, offer, voice, video, status, form, clarify, handover.
type Block struct {
	ID      string         `json:"id"`
	Need    string         `json:"need,omitempty"`
	Serves  []string       `json:"serves,omitempty"` // further needs that it answers as well: nothing is said twice
	Kind    string         `json:"kind"`
	Title   string         `json:"title,omitempty"`
	Text    string         `json:"text,omitempty"`
	Marks   [][2]int       `json:"marks,omitempty"`   // text: ranges of runes that answer to the question's words
	Columns []Column       `json:"columns,omitempty"` // table
	Rows    []Row          `json:"rows,omitempty"`    // table
	Steps   []string       `json:"steps,omitempty"`
	Skipped int            `json:"skipped,omitempty"` // basic steps left out
	Cards   []Card         `json:"cards,omitempty"`
	Action  string         `json:"action,omitempty"` // offer, form: which action
	Fields  []Field        `json:"fields,omitempty"` // form, status
	Options []Option       `json:"options,omitempty"`
	URL     string         `json:"url,omitempty"` // voice, video
	Source  string         `json:"source,omitempty"`
	Reasons []Reason       `json:"reasons,omitempty"`
	Ev      []evidence.Ref `json:"evidence,omitempty"`
	// Generated is the label that stands beside Text when a language model worded it
	// ("AI generated"); "" when the house did.
	Generated string `json:"generated,omitempty"`
}

// Column is one compared item.
type Column struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Row is one line of a table.
type Row struct {
	Attribute string      `json:"attribute"`
	Label     string      `json:"label"`
	Differs   bool        `json:"differs"`
	Cells     []TableCell `json:"cells"`
}

// TableCell is one value; Stated is false when the item does not say.
type TableCell struct {
	Text   string `json:"text"`
	Stated bool   `json:"stated"`
	Best   bool   `json:"best,omitempty"`
}

// Card is one item put forward.
type Card struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Text    string   `json:"text,omitempty"`
	Price   string   `json:"price,omitempty"`
	URL     string   `json:"url,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Field is one line of a form or a status.
type Field struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Value string `json:"value,omitempty"`
}

// Option is one button of a clarification; Send is what pressing it says.
type Option struct {
	Label  string `json:"label"`
	Intent string `json:"intent,omitempty"`
	Send   string `json:"send"`
}

// Reason is a sentence with its records.
type Reason struct {
	Text     string         `json:"text"`
	Evidence []evidence.Ref `json:"evidence"`
}

// Action is a chosen action as the customer sees it.
type Action struct {
	Action      string            `json:"action"`
	Nature      decision.Nature   `json:"nature"`
	Need        string            `json:"need"`
	Group       map[string]string `json:"group,omitempty"`
	Treatment   string            `json:"treatment"`
	Title       string            `json:"title"`
	Score       float64           `json:"score"`
	Propensity  *float64          `json:"propensity"`
	Probability float64           `json:"probability"`
	Position    int               `json:"position"`
	Reasons     []Reason          `json:"reasons"`
}

// Solution is the whole answer: one ordered solution without repetition.
type Solution struct {
	Locale  string      `json:"locale"`
	Needs   []need.Need `json:"needs"`
	Blocks  []Block     `json:"blocks"`
	Actions []Action    `json:"actions"`
}

// Plan is the treatment part of a published strategy.
type Plan struct {
	Brand candidate.Text
	// Titles of intents and subintents, by label, for sentences such as "I understood three things".
	Titles map[string]candidate.Text
}
