package classify_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/text"
)

// counters are twelve matters of a shop, two to a subject, each asked in the same twelve ways.
func counters() []classify.Example {
	matters := map[string][]string{
		"lamp_buy": {"buy a lamp", "order the lamp"}, "lamp_fix": {"repair my lamp", "the lamp is broken"},
		"parcel_where": {"find my parcel", "track the parcel"}, "parcel_late": {"complain that the parcel is late", "say my parcel has not come"},
		"invoice_get": {"get an invoice", "have the invoice mailed"}, "invoice_wrong": {"correct my invoice", "change the name on the invoice"},
		"points_use": {"spend my points", "pay with points"}, "points_lost": {"find out where my points went", "get lost points back"},
		"sofa_size": {"learn how wide the sofa is", "measure whether the sofa fits"}, "sofa_colour": {"see the sofa in green", "choose another colour of sofa"},
		"seat_book": {"book a seat in the workshop", "reserve a workshop seat"}, "seat_drop": {"give my workshop seat back", "leave the workshop"},
	}
	var all []classify.Example
	for intent, wishes := range matters {
		for _, w := range wishes {
			for _, f := range []string{"i want to %s", "can you help me %s", "please %s", "how do i %s", "is it possible to %s today", "my wife would like to %s",
				"hello, i would like to %s", "i need to %s now", "could somebody %s for me", "where can i %s", "we tried to %s", "who can %s"} {
				all = append(all, classify.Example{Text: fmt.Sprintf(f, w), Intent: intent})
			}
		}
	}
	return sorted(all)
}

func belonging(m *classify.Model, s string) float64 {
	plain := text.Normalise(s).Runes
	return m.Belonging(plain, m.ScoreRunes(plain, nil))
}

func TestWhatNoIntentCoversBelongsLessThanWhatTheShopDoes(t *testing.T) {
	t.Parallel()
	m := train(t, counters())
	threshold := m.ScopeThreshold(0.015)
	for _, s := range []string{"please could you track the parcel", "i need an invoice mailed to my wife", "can i pay with points today"} {
		if b := belonging(m, s); b < threshold {
			t.Errorf("%q is the shop's own matter and is rejected: %.2f below %.2f", s, b, threshold)
		}
	}
	for _, s := range []string{"who won the football match", "translate this poem into latin", "why does thunder follow lightning"} {
		if b := belonging(m, s); b >= threshold {
			t.Errorf("%q is none of the shop's business and is taken: %.2f, threshold %.2f", s, b, threshold)
		}
	}
}

func TestEachPartOfBelongingIsNamedAndTheyAddUp(t *testing.T) {
	t.Parallel()
	m := train(t, counters())
	constant := math.NaN()
	for _, s := range []string{"track the parcel please", "who won the football match", ""} {
		plain := text.Normalise(s).Runes
		margins := m.ScoreRunes(plain, nil)
		sum := 0.0
		for _, say := range m.Explain(plain, margins) {
			if say.Part.String() == "" || math.IsNaN(say.Moved) {
				t.Errorf("%q: a part without a name or a number: %+v", s, say)
			}
			sum += say.Moved
		}
		rest := m.Belonging(plain, margins) - sum
		if math.IsNaN(constant) {
			constant = rest
		}
		if math.Abs(rest-constant) > 1e-9 {
			t.Errorf("%q: %.4f are said by no part, elsewhere %.4f", s, rest, constant)
		}
	}
}

func TestBelongingIsStoredWithTheModel(t *testing.T) {
	t.Parallel()
	m := train(t, counters())
	back := restored(t, m)
	if m.ScopeThreshold(0.02) != back.ScopeThreshold(0.02) {
		t.Error("the thresholds differ")
	}
	for _, s := range []string{"track the parcel please", "who won the football match", "包裹呢"} {
		if a, b := belonging(m, s), belonging(back, s); a != b {
			t.Errorf("%q: %v before, %v after", s, a, b)
		}
	}
}

func TestTooFewIntentsAreJudgedByTheirMargin(t *testing.T) {
	t.Parallel()
	m := train(t, counter())
	plain := text.Normalise("where is my parcel").Runes
	margins := m.ScoreRunes(plain, nil)
	if _, best := classify.Best(margins); m.Belonging(plain, margins) != best || m.ScopeThreshold(0.02) != m.Threshold(0.02) || m.Explain(plain, margins) != nil {
		t.Error("three intents leave none to hold out, and yet something was learned from that")
	}
}

func TestIntentsOfOneSubjectAreKindred(t *testing.T) {
	t.Parallel()
	for _, group := range classify.Kindred(counters(), 6) {
		for _, intent := range group {
			if intent[:4] != group[0][:4] {
				t.Errorf("%v are said to be of one subject", group)
			}
		}
	}
}

func TestJudgingWhatBelongsAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector a pool forgets what it holds")
	}
	m := train(t, counters())
	plain := text.Normalise("where is my parcel").Runes
	margins := m.ScoreRunes(plain, nil)
	if n := testing.AllocsPerRun(200, func() { m.Belonging(plain, margins) }); n >= 1 {
		t.Errorf("%.1f allocations a call", n)
	}
}
