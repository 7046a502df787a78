package candidate

// Plan is the candidate part of a published strategy: which sources serve which
// intents, and the attributes that its packs bring.
type Plan struct {
	// Sources names the sources of an intent, in order. An intent that is not in it
	// has those under ""; nil or none there: the usual ones ([UsualSources]).
	Sources    map[string][]string
	Attributes *Attributes
}
