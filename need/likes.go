package need

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/kindred"
)

// Likes is what the embeddings of somebody outside say of stretches of an enquiry that
// the classifier alone does not read clearly. It is an input of a recognition, kept with
// it, so that the same needs are found again without asking.
type Likes struct {
	Head string       `json:"head"` // which head said it
	Sure kindred.Sure `json:"sure"`
	Of   []Like       `json:"of,omitempty"`
	// Degraded says why there are none: timeout, error, invalid, open.
	Degraded string `json:"degraded,omitempty"`
}

// Like is one stretch, in the customer's own words.
type Like struct {
	Text string `json:"text"`
	kindred.Lean
}

// mostUnsettled is how many stretches of one enquiry are asked about.
const mostUnsettled = 12

// unsettle notes a stretch of which a lean could change the reading: the second intent is
// near, or the best is near the margin under which it is asked back.
func (s *scratch) unsettle(text string) {
	if len(s.unsettled) >= mostUnsettled || strings.TrimSpace(text) == "" || slices.Contains(s.unsettled, text) {
		return
	}
	first, second := twoBest(s.margins)
	if second >= 0 && s.margins[first]-s.margins[second] < 2*kindred.MostLift || s.margins[first] < s.unclear+kindred.MostLift {
		s.unsettled = append(s.unsettled, text)
	}
}

// hear puts over the margins of the stretch scored last what the likes of the enquiry say
// of it, and gives the best margin and its confidence.
func (s *scratch) hear(text string) (margin, confidence float64) {
	if likes := s.enquiry.Likes; likes != nil {
		if i := slices.IndexFunc(likes.Of, func(l Like) bool { return l.Text == text && l.Valid() }); i >= 0 {
			confidence = likes.Of[i].Over(s.intents.Intents(), s.margins, likes.Sure)
			_, margin = classify.Best(s.margins)
			return margin, confidence
		}
	}
	_, margin = classify.Best(s.margins)
	return margin, s.intents.Confidence(s.margins)
}
