package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// doomAt says in the environment of a doomed process at which of its turns it dies, and
// doomFrom which visit is its first.
const (
	doomAt   = "RAPPORT_TEST_DOOM_AT"
	doomFrom = "RAPPORT_TEST_DOOM_FROM"
)

// condemned is a doorman whose process is killed when the store asks what he found:
// with what he found in hand, and none of it written down.
type condemned struct {
	Doorman
	left int
}

// Turned implements journal.Watcher.
func (c *condemned) Turned() []journal.Turn {
	found := c.Doorman.Turned()
	if len(found) > 0 {
		if c.left--; c.left == 0 {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			if err != nil {
				panic(err)
			}
			select {}
		}
	}
	return found
}

// Doom is the life of a doomed process: one visit a commit, until it is killed between
// an event and its firing. It returns only when something else goes wrong.
func Doom(open func(followers ...journal.Follower) (Store, error)) error {
	at, err := strconv.Atoi(os.Getenv(doomAt))
	if err != nil {
		return err
	}
	from, err := strconv.Atoi(os.Getenv(doomFrom))
	if err != nil {
		return err
	}
	s, err := open(&condemned{left: at})
	if err != nil {
		return err
	}
	for i := from; i < from+100; i++ {
		e := track("lin", "", "Shop Visited", i, `{}`)
		if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{e}}); err != nil {
			return err
		}
		fmt.Println(i)
	}
	return fmt.Errorf("a hundred visits and no turn")
}

func killedInBetween(t *testing.T, h Home) {
	from, handled := 0, ""
	for round := range 4 {
		c := h.Doomed()
		c.Env = append(c.Environ(), fmt.Sprint(doomAt, "=", 1+rand.IntN(3)), fmt.Sprint(doomFrom, "=", from))
		said, err := c.Output()
		if err == nil || c.ProcessState.Exited() {
			t.Fatalf("round %d: the doomed process ended by itself: %v, %s", round, err, said)
		}
		s := h.Open(t, newShelf(), new(Doorman))
		var visits []event.ID // that are in the log
		_, err = s.Log(ctx, shop, 0, func(x journal.Committed) error {
			visits = append(visits, x.Event.ID)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range from {
			if e := track("lin", "", "Shop Visited", i, `{}`); !slices.Contains(visits, e.ID) {
				t.Fatalf("round %d: visit %d of an earlier life is gone", round, i)
			}
		}
		commit(t, s) // what a house does as soon as it is up: it writes down what was found
		lin := must[identity.Person](t)(pick(s.Person(ctx, shop, identity.User("lin"))))
		all := firings(t, s, journal.FiringQuery{})
		if len(all) != len(visits)/3 {
			t.Fatalf("round %d: %d firings for %d visits", round, len(all), len(visits))
		}
		for i, f := range all {
			want := journal.FiringOpen
			if f.ID == handled {
				want = journal.FiringHandled
			}
			if !slices.Equal(f.Events, visits[3*i:3*i+3]) || f.State != want || f.Person != lin.ID {
				t.Fatalf("round %d: firing %d reads %+v", round, i, f)
			}
		}
		if handled == "" && len(all) > 0 { // what was done about one is not forgotten when it is found again
			handled = all[0].ID
			if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Acts: []journal.Act{{ID: handled, State: journal.FiringHandled, Reason: "told"}}}); err != nil {
				t.Fatal(err)
			}
		}
		from = len(visits)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
