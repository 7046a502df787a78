package need

import (
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/scene"
)

// Definition is what packs say about needs, the source of a [Plan].
type Definition struct {
	Intents    []IntentDefinition
	Subintents []SubintentDefinition
	// Outside are sentences that are no matter of the shop: small talk, the weather,
	// general knowledge. What is most like them is of no intent.
	Outside map[scene.Locale][]string
	// Words are lists of words by class and language. A class that is a type of
	// entity (attribute, brand, category, channel, carrier, color, person, place,
	// scene, size …, or its plural) makes entities of that type; "color:black"
	// gives them a value besides. The classes negation, condition, greeting,
	// connective, reference, reference_first, reference_last and reference_both add
	// to the grammar's own closed lists. Other classes are not read here.
	Words   map[string]map[scene.Locale][]string
	Signals []signal.Definition
}

// IntentDefinition is one thing a customer can want, with sentences that say so.
type IntentDefinition struct {
	Label    string // group.intent: "presale.compare"
	Examples map[scene.Locale][]string
}

// SubintentDefinition is a more specific meaning of an intent: a symptom of
// support.troubleshoot, a way to return.
type SubintentDefinition struct {
	ID     string // "overheat"
	Parent string // the intent
	Danger bool   // somebody can be hurt: safety comes before anything else
	// Implied: usually not said, but follows from the wording. Its cues in a need
	// of another intent of the same matter add it as an implied need.
	Implied bool
	Aliases []string // codes of other systems; compared without case, blanks, - and _
	// Cues are words that give it away wherever they stand; Examples are whole
	// sentences that mean it.
	Cues     map[scene.Locale][]string
	Examples map[scene.Locale][]string
}
