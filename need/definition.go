package need

import (
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/scene"
)

// Definition is what packs say about needs, the source of a [Plan].
type Definition struct {
	Intents    []IntentDefinition
	Subintents []SubintentDefinition
	// Words are lists of words by class and language. A class that is a type of
	// entity (attribute, brand, category, channel, carrier, color, person, place,
	// scene, size, symptom …) makes entities of that type; the classes negation,
	// condition, reference and greeting add to the grammar's own closed lists.
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
	ID      string // "overheat"
	Parent  string // the intent
	Danger  bool   // somebody can be hurt: safety comes before anything else
	Aliases []string
	// Cues are words that give it away wherever they stand; Examples are whole
	// sentences that mean it.
	Cues     map[scene.Locale][]string
	Examples map[scene.Locale][]string
}
