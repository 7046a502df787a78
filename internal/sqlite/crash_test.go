package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/storetest"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
)

const (
	victimFolder = "RAPPORT_TEST_VICTIM" // set in the process that will be killed
	victimFrom   = "RAPPORT_TEST_VICTIM_FROM"
	doomedFolder = "RAPPORT_TEST_DOOMED" // set in a process that storetest.Doom kills
	provings     = "RAPPORT_PROVE"       // 1: the large count (make prove); more: so many kills
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(doomedFolder); dir != "" {
		err := storetest.Doom(func(followers ...journal.Follower) (storetest.Store, error) {
			return Open(context.Background(), Options{Dir: dir, Shelf: new(candidate.Shelves), Followers: followers})
		})
		fmt.Println(err)
		os.Exit(1)
	}
	if dir := os.Getenv(victimFolder); dir != "" {
		victim(dir)
		return
	}
	os.Exit(m.Run())
}

// errand is the n-th batch of a load, always the same: some events of a few
// people, every seventh with a decision, every fifth with a record of the shelf.
func errand(n int) journal.Batch {
	r := rand.New(rand.NewPCG(uint64(n), 99))
	b := journal.Batch{Workspace: "shop"}
	for i := range 1 + r.IntN(12) {
		p := r.IntN(40)
		e := visit(uint64(n)<<16|uint64(i), numbered("u", p), numbered("a", p))
		e.Time = day0.Add(time.Duration(r.IntN(1000)) * time.Minute)
		b.Events = append(b.Events, e)
	}
	if n%5 == 0 {
		b.Events = append(b.Events, event.RecordEvent(event.Put{
			Workspace: "shop", Name: "item", ID: numbered("kettle-", n), UpdatedAt: day0, Received: day0,
			Body: []byte(`{"kind":"product","title":{"en":"Kettle"}}`),
		}))
	}
	if n%7 == 0 {
		b.Decision = &ledger.Entry{ID: numbered("dec_", n), Workspace: "shop", Person: "per_x", At: day0, Bytes: []byte(strconv.Itoa(n))}
	}
	return b
}

// tally is a follower that counts; what it is told twice or not at all shows.
type tally struct {
	Events int
	Sum    byte // of the ids' first bytes
}

func (y *tally) Name() string { return "tally" }
func (y *tally) Follow(c journal.Committed) {
	y.Events++
	y.Sum += c.Event.ID[0]
}
func (y *tally) Join(string, uint32, uint32) {}
func (y *tally) Save() ([]byte, error)       { return json.Marshal(y) }
func (y *tally) Load(b []byte) error         { return json.Unmarshal(b, y) }

// victim commits errands from several goroutines until it is killed, and tells
// each one that was acknowledged.
func victim(dir string) {
	s, err := Open(context.Background(), Options{Dir: dir, Shelf: new(candidate.Shelves), Followers: []journal.Follower{new(tally)}, testOnlyEvery: 150})
	if err != nil {
		fmt.Println("fault", err)
		return
	}
	from, _ := strconv.Atoi(os.Getenv(victimFrom))
	var mu sync.Mutex
	for sender := range 6 {
		go func() {
			for n := from + sender; ; n += 6 {
				if _, err := s.Commit(context.Background(), errand(n)); err != nil {
					fmt.Println("fault", err)
					return
				}
				mu.Lock()
				os.Stdout.WriteString("ack " + strconv.Itoa(n) + "\n")
				mu.Unlock()
			}
		}()
	}
	io.Copy(io.Discard, os.Stdin) // until the parent is gone, should it die first
}

// live runs a victim and kills it after some acknowledgements and a moment. It
// gives the errands that were acknowledged.
func live(t *testing.T, dir string, from, acks int) (acknowledged []int) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), victimFolder+"="+dir, victimFrom+"="+strconv.Itoa(from))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // killed, and everything it had said is read
		}
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind == "fault" {
			t.Fatalf("the victim failed by itself: %s", rest)
		}
		n, err := strconv.Atoi(rest)
		if err != nil {
			t.Fatalf("the victim said %q", line)
		}
		if acknowledged = append(acknowledged, n); len(acknowledged) == acks {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Wait()
	return acknowledged
}

// What was acknowledged before a kill -9 is there once; what was not is there
// whole or not at all; and the next life goes on from it.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	kills := 5
	if n, err := strconv.Atoi(os.Getenv(provings)); err == nil {
		if kills = n; n == 1 {
			kills = 500
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	from := 0
	acknowledged := map[int]bool{}
	for kill := range kills {
		for _, n := range live(t, dir, from, 1+r.IntN(300)) {
			acknowledged[n] = true
			from = max(from, n)
		}
		from += 100 // what was under way and not acknowledged is below
		check(t, fmt.Sprintf("kill %d", kill), dir, acknowledged, from)
	}
}

func check(t *testing.T, when, dir string, acknowledged map[int]bool, upTo int) {
	t.Helper()
	ctx := context.Background()
	told := new(tally)
	s, err := Open(ctx, Options{Dir: dir, Shelf: new(candidate.Shelves), Followers: []journal.Follower{told}})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer s.Close()
	known := map[identity.Key][]*event.Event{}
	events, records := 0, 0
	var sum byte
	for n := range upTo {
		b := errand(n)
		there := 0
		for i := range b.Events {
			m, _, ok, err := s.Event(ctx, "shop", b.Events[i].ID)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if !ok {
				continue
			}
			there++
			sum += m.Event.ID[0]
			if !bytes.Equal(m.Event.Body, b.Events[i].Body) || !m.Event.Time.Equal(b.Events[i].Time) {
				t.Fatalf("%s: event %d of errand %d came back changed", when, i, n)
			}
			k := identity.KeyOf(&b.Events[i])
			known[k] = append(known[k], &m.Event)
			if b.Events[i].Kind == event.Record {
				records++
				if view, err := s.Catalogue(ctx, "shop", m.Position); err != nil {
					t.Fatal(err)
				} else if _, ok := view.Item(b.Events[i].Subject); !ok {
					t.Fatalf("%s: %s is in the log and not on the shelf", when, b.Events[i].Subject)
				}
			}
		}
		events += there
		if there != 0 && there != len(b.Events) {
			t.Fatalf("%s: %d of the %d events of errand %d are there", when, there, len(b.Events), n)
		}
		if acknowledged[n] && there == 0 {
			t.Fatalf("%s: errand %d was acknowledged and is lost", when, n)
		}
		if b.Decision != nil {
			if _, ok, err := s.Decision(ctx, "shop", b.Decision.ID); err != nil || ok != (there > 0) {
				t.Fatalf("%s: errand %d: its events are there: %t, its decision: %t, %v", when, n, there > 0, ok, err)
			}
		}
	}
	v, err := s.Verify(ctx)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if v.Events != events || v.Records != records {
		t.Fatalf("%s: the log holds %d events and %d records, by their ids there are %d and %d", when, v.Events, v.Records, events, records)
	}
	if told.Events != events || told.Sum != sum {
		t.Fatalf("%s: the follower knows %d events (sum %d), there are %d (sum %d)", when, told.Events, told.Sum, events, sum)
	}
	for k, list := range known {
		if k == (identity.Key{}) {
			continue
		}
		sc := journal.Scope{Workspace: "shop", Person: identity.PersonOf("shop", k), Keys: []identity.Key{k}}
		got, err := s.Profile(ctx, sc)
		if err != nil {
			t.Fatal(err)
		}
		if want := profile.Fold(sc.Person, sc.Keys, list, 0); !bytes.Equal(got.Canonical(), want.Canonical()) {
			t.Fatalf("%s: the profile of %s\n got %s\nwant %s", when, k, got.Canonical(), want.Canonical())
		}
	}
}
