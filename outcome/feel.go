package outcome

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/outcome/sentiment"
)

// voiced are the events in which customers say how they feel, in their property text.
var voiced = map[string]bool{"Social Interaction": true, "Feedback Given": true}

// Feel gives events in which somebody speaks the properties sentiment (−1 to 1) and
// sentiment_label (positive, neutral, negative), so that rules, signals and counts read
// the same, and a later word list changes nothing that was counted. What the sender
// says of the feeling stays. Bodies are not changed in place.
func Feel(events []event.Event) {
	for i := range events {
		e := &events[i]
		if e.Kind != event.Track || !voiced[e.Name] || len(e.Body) < 2 {
			continue
		}
		var said struct {
			Text      string          `json:"text"`
			Sentiment json.RawMessage `json:"sentiment"`
		}
		if json.Unmarshal(e.Body, &said) != nil || said.Text == "" || said.Sentiment != nil {
			continue
		}
		f := sentiment.Of(said.Text)
		body := append(make([]byte, 0, len(e.Body)+64), bytes.TrimSuffix(bytes.TrimSpace(e.Body), []byte("}"))...)
		body = strconv.AppendFloat(append(body, `,"sentiment":`...), f.Score, 'g', -1, 64)
		if !bytes.Contains(e.Body, []byte(`"sentiment_label"`)) {
			body = append(append(append(body, `,"sentiment_label":"`...), f.Label...), '"')
		}
		e.Body = append(body, '}')
	}
}
