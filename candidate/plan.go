package candidate

// Plan is the candidate part of a published strategy: which sources serve which intents.
type Plan struct {
	Sources map[string][]string // intent → names of sources, in order; "" is the default
}
