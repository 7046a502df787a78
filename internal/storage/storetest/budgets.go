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
