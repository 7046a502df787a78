package treatment

import (
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/scene"
)

// Plain is an answer as one text, for transcripts and channels that have no blocks.
func Plain(blocks []Block) string {
	var parts []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" && len(text) < 8000 {
			parts = append(parts, text)
		}
	}
	for i := range blocks {
		b := &blocks[i]
		add(b.Title)
		add(b.Text)
		add(b.Generated)
		for _, row := range b.Rows {
			cells := make([]string, len(row.Cells))
			for j, c := range row.Cells {
				cells[j] = c.Text
			}
			add(row.Label + " " + strings.Join(cells, " / "))
		}
		for _, f := range b.Fields {
			if f.Value != "" {
				add(f.Label + " " + f.Value)
			}
		}
		for _, step := range b.Steps {
			add(step)
		}
		for _, card := range b.Cards {
			add(strings.TrimSpace(card.Title + " " + card.Price + " " + card.Text))
		}
		labels := make([]string, len(b.Options))
		for j, o := range b.Options {
			labels[j] = o.Label
		}
		add(strings.Join(labels, " / "))
	}
	return strings.Join(parts, "\n")
}

// Queue tells who waits for a person how many are before them, and how long it has
// taken lately when that is known (minutes > 0). It never says that somebody is
// there.
func Queue(ahead, minutes int, at scene.Scene) string {
	w := wordingOf(at)
	return w.queue(ahead, minutes)
}

func (w wording) queue(ahead, minutes int) string {
	return w.sentences(w.say("queue_asked"), w.queueOnly(ahead, minutes))
}

// queueOnly is the place in the queue, the time, and that one may leave.
func (w wording) queueOnly(ahead, minutes int) string {
	return w.sentences(w.place(ahead), w.lately(minutes), w.say("queue_leave"))
}

func (w wording) place(ahead int) string {
	switch ahead {
	case 0:
		return w.say("queue_next")
	case 1:
		return w.say("queue_one")
	}
	return w.say("queue_ahead", "ahead", strconv.Itoa(ahead))
}

// lately says how long a wait has taken; nothing when that is not known.
func (w wording) lately(minutes int) string {
	switch minutes {
	case 0:
		return ""
	case 1:
		return w.say("queue_minute")
	}
	return w.say("queue_minutes", "minutes", strconv.Itoa(minutes))
}

// PersonHere tells the customer that a person has accepted; name may be empty.
func PersonHere(name string, at scene.Scene) string {
	w := wordingOf(at)
	if name == "" {
		return w.say("person_here_unnamed")
	}
	return w.say("person_here", "name", name)
}

// PersonGone tells the customer that the person has handed the conversation back.
func PersonGone(name string, at scene.Scene) string {
	w := wordingOf(at)
	if name == "" {
		return w.say("person_gone_unnamed")
	}
	return w.say("person_gone", "name", name)
}

// BriefNeed is one thing the customer wants, for the person who takes over.
type BriefNeed struct{ Title, Text string }

// BriefLines are what a summary for the person who takes over is made of.
type BriefLines struct {
	Needs []BriefNeed
	Facts []string
	Tried []string
}

// mostBriefFacts bounds the facts of a summary; all of them stand beside it.
const mostBriefFacts = 6

// SayBrief puts what a person must know into a few lines.
func SayBrief(b BriefLines, at scene.Scene) string {
	w := wordingOf(at)
	var lines []string
	for _, n := range b.Needs {
		title := n.Title
		if title == "" {
			title = w.say("brief_unclear")
		}
		lines = append(lines, w.say("brief_need", "title", title, "text", n.Text))
	}
	if n := min(len(b.Facts), mostBriefFacts); n > 0 {
		lines = append(lines, w.say("brief_facts", "facts", strings.Join(b.Facts[:n], w.say("brief_join"))))
	}
	if len(b.Tried) > 0 {
		lines = append(lines, w.say("brief_tried", "tried", strings.Join(b.Tried, w.say("brief_join"))))
	} else {
		lines = append(lines, w.say("brief_nothing_tried"))
	}
	return strings.Join(lines, "\n")
}
