package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
)

func offering(id string, at time.Time, reserve ...journal.Reservation) journal.Batch {
	return journal.Batch{Workspace: "shop", At: at, Reserve: reserve, Decision: &ledger.Entry{ID: id, Workspace: "shop", At: at, Bytes: []byte("{}")}}
}

func balance(t *testing.T, s Store, budget string, now time.Time) journal.Balance {
	t.Helper()
	all, err := s.Balances(t.Context(), "shop", []string{budget}, now)
	if err != nil || len(all) != 1 {
		t.Fatalf("balance of %s: %v, %v", budget, all, err)
	}
	return all[0]
}

func budgetsHold(t *testing.T, h Home) {
	s := h.Open(t, nil)
	const limit, workers, each = 40, 8, 20
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("dec_%d_%d", w, i)
				_, err := s.Commit(t.Context(), offering(id, spring,
					journal.Reservation{Budget: "gifts/3月", Action: "gift", Amount: 1, Limit: limit},
					journal.Reservation{Budget: "everything", Action: "gift", Amount: 5, Limit: 1 << 40}))
				var exhausted *journal.Exhausted
				switch {
				case err == nil:
					made.Add(1)
				case errors.As(err, &exhausted) && len(exhausted.Budgets) == 1 && exhausted.Budgets[0] == "gifts/3月":
					refused.Add(1)
					if _, there, _ := s.Decision(t.Context(), "shop", id); there {
						t.Errorf("%s was refused and stands in the ledger", id)
					}
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if made.Load() != limit || refused.Load() != workers*each-limit {
		t.Errorf("%d offers were made of %d, %d refused", made.Load(), limit, refused.Load())
	}
	if b := balance(t, s, "gifts/3月", spring); b.Held != limit || b.Spent != 0 {
		t.Errorf("the budget stands at %+v", b)
	}
	if b := balance(t, s, "everything", spring); b.Held != 5*limit {
		t.Errorf("a refused batch holds something of another budget: %+v", b)
	}
	all, err := s.Balances(t.Context(), "shop", nil, spring)
	if err != nil || len(all) != 2 {
		t.Errorf("all budgets: %v, %v", all, err)
	}
}

func reservationsEnd(t *testing.T, h Home) {
	s := h.Open(t, nil)
	draw := func(id string, at time.Time) error {
		_, err := s.Commit(t.Context(), offering(id, at, journal.Reservation{Budget: "gifts", Action: "gift", Amount: 10, Limit: 30, Until: at.Add(time.Hour)}))
		return err
	}
	for i := range 3 {
		if err := draw(fmt.Sprint("dec_", i), spring); err != nil {
			t.Fatal(err)
		}
	}
	if err := draw("dec_3", spring); err == nil {
		t.Fatal("a fourth was held of three")
	}
	settle := func(at time.Time, all ...journal.Settlement) {
		t.Helper()
		if _, err := s.Commit(t.Context(), journal.Batch{Workspace: "shop", At: at, Settle: all}); err != nil {
			t.Fatal(err)
		}
	}
	taken, refused := journal.Settlement{Decision: "dec_0", Action: "gift", Spent: true}, journal.Settlement{Decision: "dec_1", Action: "gift"}
	settle(spring, taken, refused)
	settle(spring, taken, refused, journal.Settlement{Decision: "dec_0", Action: "gift"}, journal.Settlement{Decision: "dec_9", Action: "gift", Spent: true})
	if b := balance(t, s, "gifts", spring); b.Spent != 10 || b.Held != 10 {
		t.Errorf("one taken, one refused, one open: %+v", b)
	}
	if err := draw("dec_4", spring); err != nil {
		t.Errorf("what was refused is not free again: %v", err)
	}
	later := spring.Add(2 * time.Hour)
	if b := balance(t, s, "gifts", later); b.Spent != 10 || b.Held != 0 {
		t.Errorf("what was held for an hour is held after two: %+v", b)
	}
	settle(later, journal.Settlement{Decision: "dec_2", Action: "gift", Spent: true})
	if b := balance(t, s, "gifts", later); b.Spent != 10 {
		t.Errorf("an offer that had expired was spent: %+v", b)
	}
	for i := range 2 {
		if err := draw(fmt.Sprint("dec_later_", i), later); err != nil {
			t.Errorf("what expired is not free: %v", err)
		}
	}
	if err := draw("dec_0", later); err == nil {
		t.Error("a decision of a known id was committed again")
	}
	s.Close()
	if b := balance(t, h.Open(t, nil), "gifts", later); b.Spent != 10 || b.Held != 20 {
		t.Errorf("after a restart: %+v", b)
	}
}

// refusedBatchesSettleNothing: whoever sends a decision again has all of its batch
// applied already, whatever else stands in it by now.
func refusedBatchesSettleNothing(t *testing.T, h Home) {
	s := h.Open(t, nil)
	gift := journal.Reservation{Budget: "gifts", Action: "gift", Amount: 10, Limit: 30}
	for _, id := range []string{"dec_0", "dec_1"} {
		if _, err := s.Commit(t.Context(), offering(id, spring, gift)); err != nil {
			t.Fatal(err)
		}
	}
	again := offering("dec_0", spring, gift, journal.Reservation{Budget: "others", Action: "gift", Amount: 1, Limit: 10})
	dear := offering("dec_2", spring, journal.Reservation{Budget: "gifts", Action: "gift", Amount: 11, Limit: 30})
	plain := offering("dec_0", spring)
	late := offering("dec_0", spring, journal.Reservation{Budget: "gifts", Action: "gift", Amount: 10, Limit: 20})
	for name, b := range map[string]journal.Batch{
		"of a known decision": again, "that would overdraw a budget": dear,
		"of a known decision without a budget": plain, "of a known decision whose budget is used up by now": late,
	} {
		b.Settle = []journal.Settlement{{Decision: "dec_1", Action: "gift", Spent: true}, {Decision: "dec_0", Action: "gift"}}
		b.Events = visits("u-1", 1, 1)
		_, err := s.Commit(t.Context(), b)
		var exhausted *journal.Exhausted
		if known := b.Decision.ID == "dec_0"; errors.Is(err, journal.ErrKnownDecision) != known || errors.As(err, &exhausted) == known {
			t.Errorf("a batch %s: %v", name, err)
		}
		if b := balance(t, s, "gifts", spring); b.Held != 20 || b.Spent != 0 {
			t.Errorf("after a batch %s: %+v", name, b)
		}
		if b := balance(t, s, "others", spring); b.Held != 0 {
			t.Errorf("a batch %s holds something: %+v", name, b)
		}
		if _, _, there, err := s.Event(t.Context(), "shop", b.Events[0].ID); there || err != nil {
			t.Errorf("a batch %s left its event: %v", name, err)
		}
	}
}

func oneDecisionIsHeard(t *testing.T, h Home) {
	s := h.Open(t, nil)
	if _, err := s.Commit(t.Context(), offering("dec_before", spring, journal.Reservation{Budget: "gifts", Action: "gift", Amount: 100, Limit: 1000})); err != nil {
		t.Fatal(err)
	}
	const rounds, senders = 10, 8
	var wg sync.WaitGroup
	var heard atomic.Int64
	for i := range rounds {
		for range senders {
			wg.Go(func() {
				b := offering(fmt.Sprint("dec_", i), spring, journal.Reservation{Budget: "gifts", Action: "gift", Amount: 1, Limit: 1000})
				b.Settle = []journal.Settlement{{Decision: "dec_before", Action: "gift", Spent: true}}
				switch _, err := s.Commit(t.Context(), b); {
				case err == nil:
					heard.Add(1)
				case !errors.Is(err, journal.ErrKnownDecision):
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if heard.Load() != rounds {
		t.Errorf("%d decisions were committed %d times", rounds, heard.Load())
	}
	if b := balance(t, s, "gifts", spring); b.Held != rounds || b.Spent != 100 {
		t.Errorf("%d decisions of 1 each: %+v", rounds, b)
	}
}
