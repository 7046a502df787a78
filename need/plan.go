package need

import (
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Recognition is what Recognise found.
type Recognition struct {
	Locale  scene.Locale  `json:"locale"`
	Needs   []Need        `json:"needs"`
	Signals []SignalState `json:"signals"`
}

// Plan is the need part of a published strategy: classifier, cues, symptoms, signals.
type Plan struct{}

// Recognise finds the needs of an enquiry. at.Time is the clock of every window.
func (p *Plan) Recognise(e Enquiry, who *profile.Profile, at scene.Scene, names Lexicon) Recognition {
	return Recognition{Locale: at.Locale}
}
