package treatment

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need/text"
)

// declinable lets who did not ask say that they want fewer of these. What they are
// entitled to they are told whether they like it or not.
func (c *composer) declinable() {
	if !c.d.Unasked || len(c.blocks) == 0 || !slices.ContainsFunc(c.d.Chosen, func(ch decision.Chosen) bool { return ch.Nature != decision.Right && !ch.Safety }) {
		return
	}
	no := c.words.say("decline")
	last := &c.blocks[len(c.blocks)-1]
	last.Options = append(slices.Clip(last.Options), Option{Label: no, Send: no})
}

// refusals begin an answer that wants none of what was offered.
var refusals = []string{"不用了", "不需要", "别再发", "不要再发", "别发了", "no thanks", "no thank you", "not interested", "stop sending"}

// Declines tells whether the answer to a message that nobody asked for is that it was
// not welcome.
func Declines(message string) bool {
	plain := text.Plain(message)
	return slices.ContainsFunc(refusals, func(w string) bool { return strings.HasPrefix(plain, text.Plain(w)) })
}
