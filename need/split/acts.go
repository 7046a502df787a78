package split

// Acts tells whether the stretch [start, end) of a plain text asks or demands
// something by itself; a reason or a description does not.
func (c *Cues) Acts(runes []rune, start, end int) bool {
	return c.asks(runes, start, end) || c.acts(runes, start, end)
}
