package strategy

import "github.com/rapport-cx/rapport/candidate"

// Finding is something in a pack that compiles and is probably wrong.
type Finding struct {
	Check    Check          `json:"check"`
	Severity Severity       `json:"severity"`
	File     string         `json:"file"`
	Line     int            `json:"line"`
	Column   int            `json:"column"`
	Message  candidate.Text `json:"message"`
	Caret    string         `json:"caret,omitempty"`
}

// Severity says how bad a finding is.
type Severity string

// The severities: what should not be published, and what somebody should look at.
const (
	Harmful  Severity = "error"
	Doubtful Severity = "warning"
)

// Check names what was looked for.
type Check string

// The checks.
const (
	PersonalPrice     Check = "personal_price"        // a price, discount, fee or wait depends on who the customer is
	Promise           Check = "promise"               // a sentence promises what nobody can know
	NoPurpose         Check = "no_purpose"            // a sensitive trait is read without a purpose that was agreed to
	NeverFires        Check = "never_fires"           // the rules of an action exclude each other
	Plural            Check = "plural"                // an English sentence that is wrong when there is one of it
	Unreachable       Check = "unreachable_treatment" // an earlier treatment is always taken
	Shadowed          Check = "shadowed_rule"         // the same rule stands there twice
	GivenAndSold      Check = "given_and_sold"        // what one action gives for nothing another sells for the same need
	NothingToSay      Check = "nothing_to_say"        // a goodwill or sale that never tells why
	NoSentence        Check = "tag_without_sentence"  // a tag that nobody would say to the customer's face
	UnusedDeclaration Check = "unused"                // a signal or budget that no action names
	AlwaysLoses       Check = "always_loses"          // a candidate that another always outweighs
	NeverMeets        Check = "never_meets"           // a rule that has stopped every candidate of an action so far
)
