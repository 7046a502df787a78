package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/internal/storage/storetest"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/workspace"
)

// The corridor declares what it needs of a store; this is one.
var _ engine.Store = (*Store)(nil)

var day0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// idOf is an id of our own making: tests need ids, not their derivation.
func idOf(n uint64) event.ID {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	h := sha256.Sum256(b[:])
	return event.ID(h[:16])
}

// visit is somebody's n-th event.
func visit(n uint64, user, anonymous string) event.Event {
	at := day0.Add(time.Duration(n) * time.Second)
	return event.Event{
		ID: idOf(n), Kind: event.Track, Name: []string{"Product Viewed", "Product Added", "Page Viewed", "Order Completed"}[n%4],
		UserID: user, AnonymousID: anonymous, Time: at, Received: at.Add(time.Second), Verified: n%2 == 0,
		Body:    json.RawMessage(fmt.Sprintf(`{"product_id":"kettle-%d","price":129.5,"currency":"CNY","list":"spring offers","position":%d,"note":"a line of text as shops send it with their events, neither short nor long"}`, n%50, n%7)),
		Context: json.RawMessage(`{"page":{"path":"/kettles","title":"Kettles"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64)","locale":"zh-CN"}`),
	}
}

func numbered(prefix string, n int) string { return prefix + strconv.Itoa(n) }

// crowd makes n events of some people, in batches.
func crowd(seed, n uint64, people int, batch int) [][]event.Event {
	r := rand.New(rand.NewPCG(seed, 1))
	var all [][]event.Event
	for i := uint64(0); i < n; {
		var b []event.Event
		for ; i < n && len(b) < batch; i++ {
			p := r.IntN(people)
			user, anon := numbered("u", p), numbered("a", p)
			switch r.IntN(4) {
			case 0:
				user = ""
			case 1:
				anon = ""
			}
			b = append(b, visit(seed<<32|i, user, anon))
		}
		all = append(all, b)
	}
	return all
}

func openAt(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t testing.TB, s *Store, workspace string, events ...event.Event) journal.Receipt {
	t.Helper()
	r, err := s.Commit(context.Background(), journal.Batch{Workspace: workspace, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// folder is one data folder of the suite.
type folder struct{ dir string }

func (f folder) Open(t testing.TB, shelf storetest.Shelf, followers ...journal.Follower) storetest.Store {
	t.Helper()
	return openAt(t, Options{Dir: f.dir, Shelf: shelf, Followers: followers})
}

func (f folder) Doomed() *exec.Cmd {
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), doomedFolder+"="+f.dir)
	return c
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Home { return folder{t.TempDir()} })
}

func TestOneProcessHasTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, Options{Dir: dir})
	if _, err := Open(context.Background(), Options{Dir: dir}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("the folder was opened twice: %v", err)
	}
	s.Close()
	openAt(t, Options{Dir: dir})
}

// shopDay fills a store with people, records, decisions and late events.
func shopDay(t *testing.T, s *Store) (people []identity.Key) {
	t.Helper()
	for n := range 120 {
		b := errand(n)
		if _, err := s.Commit(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	for p := range 40 {
		people = append(people, identity.User(numbered("u", p)), identity.Anonymous(numbered("a", p)))
	}
	return people
}

// memory is everything that can be asked of a store about some people.
func memory(t *testing.T, s *Store, people []identity.Key) string {
	t.Helper()
	var b strings.Builder
	for _, k := range people {
		p, known, err := s.Person(context.Background(), "shop", k)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, k, p, known)
		sc := journal.Scope{Workspace: "shop", Person: p.ID, Keys: p.Keys}
		pr, err := s.Profile(context.Background(), sc)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, pr.Position, string(pr.Canonical()))
		list, err := s.Timeline(context.Background(), sc, time.Time{}, event.ID{}, 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			fmt.Fprintln(&b, m.Position, m.Event.ID)
		}
	}
	view, err := s.Catalogue(context.Background(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 120 {
		_, ok := view.Item(numbered("kettle-", n))
		fmt.Fprint(&b, ok, " ")
	}
	return b.String()
}

func TestWhatIsDerivedCanBeMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options := func() Options { return Options{Dir: dir, Shelf: new(candidate.Shelves), testOnlyEvery: 100} }
	s := openAt(t, options())
	people := shopDay(t, s)
	if _, err := s.Erase(context.Background(), "shop", []identity.Key{identity.User("u7"), identity.Anonymous("a7")}); err != nil {
		t.Fatal(err)
	}
	want := memory(t, s, people)
	s.Close()
	if err := Rebuild(context.Background(), options()); err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{"rebuilt", "after a rebuild that was killed", "with everything derived gone"} {
		s = openAt(t, options())
		if got := memory(t, s, people); got != want {
			t.Fatalf("%s, the store remembers\n%s\nbefore\n%s", start, got, want)
		}
		if v, err := s.Verify(context.Background()); err != nil || v.Erased == 0 {
			t.Fatalf("%s: %+v %v", start, v, err)
		}
		s.Close()
		c, err := dial(filepath.Join(dir, "rapport.db"))
		if err != nil {
			t.Fatal(err)
		}
		half := "DELETE FROM record WHERE position % 2 = 0; DELETE FROM piece WHERE name = 'keys'; INSERT INTO mark VALUES ('rebuilding', 1)"
		if start != "rebuilt" {
			half = "DELETE FROM piece; DELETE FROM mark; DELETE FROM checkpoint"
		}
		if err := c.exec(half); err != nil {
			t.Fatal(err)
		}
		c.close()
	}
}

func TestAFailedCommitClosesTheStoreToWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, Options{Dir: dir})
	kept := visit(1, "lin", "")
	commit(t, s, "shop", kept)
	// The disk is full from here on.
	if err := s.do(context.Background(), func(w *writer) (func(), error) {
		return func() { w.c.once("PRAGMA max_page_count=1", func([]driver.Value) error { return nil }) }, nil
	}); err != nil {
		t.Fatal(err)
	}
	var lost event.Event
	for n := uint64(2); ; n++ {
		lost = visit(n, "lin", "")
		if _, err := s.Commit(context.Background(), journal.Batch{Workspace: "shop", Events: []event.Event{lost}}); err != nil {
			if !errors.Is(err, ErrFailed) {
				t.Fatalf("a full disk is reported as %v", err)
			}
			break
		}
		if n > 10_000 {
			t.Fatal("the full disk took everything")
		}
	}
	if _, err := s.Commit(context.Background(), journal.Batch{Workspace: "shop", Events: []event.Event{visit(99_999, "lin", "")}}); !errors.Is(err, ErrFailed) {
		t.Fatalf("after a failed commit the store answers %v", err)
	}
	if err := s.SaveWorkspace(context.Background(), workspace.Workspace{ID: "x"}); !errors.Is(err, ErrFailed) {
		t.Fatalf("after a failed commit the store answers %v", err)
	}
	if _, _, ok, err := s.Event(context.Background(), "shop", kept.ID); !ok || err != nil {
		t.Fatalf("reading does not go on: %t %v", ok, err)
	}
	if _, _, ok, err := s.Event(context.Background(), "shop", lost.ID); ok || err != nil {
		t.Fatalf("an event that was refused opens: %t %v", ok, err)
	}
	if !s.Stats().Failed {
		t.Fatal("the failure is not to be seen in the figures")
	}
	s.Close()
	s = openAt(t, Options{Dir: dir})
	if r := commit(t, s, "shop", kept, lost); !r.Duplicates[0] || r.Duplicates[1] {
		t.Fatalf("after a restart: %v", r.Duplicates)
	}
	if _, err := s.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, Options{Dir: dir})
	commit(t, s, "shop", visit(1, "lin", ""), visit(2, "lin", ""))
	commit(t, s, "shop", visit(3, "lin", ""))
	s.Close()
	c, err := dial(filepath.Join(dir, "rapport.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exec("UPDATE log SET body = CAST(SUBSTR(body, 1, 200) || X'00' || SUBSTR(body, 202) AS BLOB) WHERE seq = 1"); err != nil {
		t.Fatal(err)
	}
	c.close()
	s = openAt(t, Options{Dir: dir})
	if _, err := s.Verify(context.Background()); err == nil || !strings.Contains(err.Error(), "log row 1: checksum") {
		t.Fatalf("verify says %v", err)
	}
	if _, _, _, err := s.Event(context.Background(), "shop", idOf(2)); err == nil {
		t.Fatal("an event of a damaged row opens, or is said never to have come")
	}
	s.Close()
	if err := Rebuild(context.Background(), Options{Dir: dir}); err == nil {
		t.Fatal("a damaged log was rebuilt")
	}
}

func TestIdsAreKnownForAtLeastThirtyDays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := day0
	options := Options{Dir: dir, Clock: func() time.Time { return now }, RetainIDs: time.Hour} // raised to the least
	var all []event.Event
	for n := range uint64(3000) {
		all = append(all, visit(n, "lin", ""))
	}
	for _, step := range []struct {
		days int
		want bool
	}{{0, false}, {1, true}, {29, true}, {30, true}, {45, false}, {46, true}, {90, false}} {
		now = day0.Add(time.Duration(step.days) * 24 * time.Hour)
		s := openAt(t, options)
		rest(t, s)
		if step.days > 0 {
			for n, e := range all {
				if _, _, ok, err := s.Event(context.Background(), "shop", e.ID); !ok || err != nil {
					t.Fatalf("after %d days event %d opens: %t, %v", step.days, n, ok, err)
				}
			}
		}
		if _, _, ok, err := s.Event(context.Background(), "shop", idOf(1<<40)); ok || err != nil {
			t.Fatalf("an event that never came opens: %t, %v", ok, err)
		}
		for n, d := range commit(t, s, "shop", all...).Duplicates {
			if d != step.want {
				t.Fatalf("after %d days event %d is a duplicate: %t", step.days, n, d)
			}
		}
		if p, err := s.Profile(context.Background(), journal.Scope{Workspace: "shop", Keys: []identity.Key{identity.User("lin")}}); err != nil || p.Events != len(all) {
			t.Fatalf("after %d days the profile holds %d events, %v", step.days, p.Events, err)
		}
		if _, err := s.Verify(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if err := Rebuild(context.Background(), options); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, options)
	rest(t, s)
	if _, _, ok, err := s.Event(context.Background(), "shop", all[7].ID); !ok || err != nil {
		t.Fatalf("after a rebuild an old event opens: %t, %v", ok, err)
	}
}

// rest has the writer do at once what it does when nobody waits.
func rest(t *testing.T, s *Store) {
	t.Helper()
	err := s.do(context.Background(), func(w *writer) (func(), error) {
		return func() {
			w.behind.rest(w)
			for w.behind.busy() {
				w.slice()
			}
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNamesWithoutEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, Options{Dir: dir})
	var all []event.Event
	for n := range uint64(nameLimit + 500) {
		e := visit(n, "lin", "")
		e.Name = numbered("invented ", int(n))
		all = append(all, e)
	}
	commit(t, s, "shop", all...)
	for range 2 {
		for _, n := range []int{0, nameLimit - 2, nameLimit - 1, nameLimit + 499} {
			m, _, ok, err := s.Event(context.Background(), "shop", all[n].ID)
			if err != nil || !ok || m.Event.Name != all[n].Name {
				t.Fatalf("event %d came back as %q, found %t, %v", n, m.Event.Name, ok, err)
			}
		}
		s.Close()
		s = openAt(t, Options{Dir: dir})
	}
}

func TestAnErasureLeavesNoTraceInTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, Options{Dir: dir, testOnlyEvery: 20})
	const name, words = "lin-of-the-teahouse", "my kettle whistles in B flat"
	for n := range uint64(300) {
		commit(t, s, "shop", visit(n, numbered("u", int(n%9)), ""))
		e := visit(1000+n, name, name+"-phone")
		e.Body = json.RawMessage(`{"text":"` + words + `"}`)
		commit(t, s, "shop", e)
		if n%50 == 0 {
			if _, err := s.Profile(context.Background(), journal.Scope{Workspace: "shop", Keys: []identity.Key{identity.User(name)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, _, err := s.Person(context.Background(), "shop", identity.User(name))
	if err != nil || len(p.Keys) != 2 {
		t.Fatal(p, err)
	}
	entry := ledger.Entry{ID: "dec_1", Workspace: "shop", Person: string(p.ID), Asker: "user:" + name, At: day0, Bytes: []byte(words)}
	if _, err := s.Commit(context.Background(), journal.Batch{Workspace: "shop", Decision: &entry}); err != nil {
		t.Fatal(err)
	}
	traces := func() (found []string) {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, trace := range []string{name, words} {
				if n := strings.Count(string(data), trace); n > 0 {
					found = append(found, fmt.Sprintf("%q %d times in %s", trace, n, filepath.Base(f)))
				}
			}
		}
		return found
	}
	if len(traces()) == 0 {
		t.Fatal("the test looks in the wrong place")
	}
	if _, err := s.Erase(context.Background(), "shop", p.Keys); err != nil {
		t.Fatal(err)
	}
	if found := traces(); len(found) > 0 {
		t.Fatalf("after the erasure: %s", strings.Join(found, "; "))
	}
	if _, err := s.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderOfANewerBuildIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openAt(t, Options{Dir: dir}).Close()
	c, err := dial(filepath.Join(dir, "rapport.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exec("PRAGMA user_version=1000"); err != nil {
		t.Fatal(err)
	}
	c.close()
	if _, err := Open(context.Background(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "newer build") {
		t.Fatalf("a newer build's folder: %v", err)
	}
}

func TestClosingInTheMiddleOfWhatIsWrittenBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, Options{Dir: dir})
	var all []event.Event
	for n := range uint64(20_000) { // people on several pages
		all = append(all, visit(n, numbered("u", int(n)), ""))
	}
	commit(t, s, "shop", all...)
	ended := make(chan error)
	err := s.do(context.Background(), func(w *writer) (func(), error) {
		return func() {
			w.behind.begin(w, false)
			w.slice()
			go func() { ended <- s.Close() }()
			over, cancel := context.WithCancel(context.Background())
			cancel()
			for closed := false; !closed; runtime.Gosched() {
				_, err := s.Commit(over, journal.Batch{})
				closed = errors.Is(err, queue.ErrClosed)
			}
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s = openAt(t, Options{Dir: dir})
	if v, err := s.Verify(context.Background()); err != nil || v.Events != len(all) {
		t.Fatalf("%+v %v", v, err)
	}
}

// Everybody at once: senders, askers, an erasure now and then, a check, restarts'
// work behind. Run with the race detector, it finds what the others cannot.
func TestEverybodyAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options := Options{Dir: dir, Shelf: new(candidate.Shelves), Followers: []journal.Follower{new(tally)}, ProfileBytes: 200 << 10, RowBytes: 100 << 10, testOnlyEvery: 200}
	s := openAt(t, options)
	ctx := context.Background()
	var senders, others sync.WaitGroup
	done := make(chan struct{})
	for sender := range 4 {
		senders.Go(func() {
			for n := sender; n < 600; n += 4 {
				if _, err := s.Commit(ctx, errand(n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	ask := func(f func(r *rand.Rand) error) {
		others.Go(func() {
			r := rand.New(rand.NewPCG(1, 2))
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	scope := func(r *rand.Rand) journal.Scope {
		p, _, err := s.Person(ctx, "shop", identity.User(numbered("u", r.IntN(40))))
		if err != nil {
			t.Error(err)
		}
		return journal.Scope{Workspace: "shop", Person: p.ID, Keys: p.Keys}
	}
	for range 2 {
		ask(func(r *rand.Rand) error {
			sc := scope(r)
			p, err := s.Profile(ctx, sc)
			if err != nil {
				return err
			}
			_ = p.Canonical()
			if sc.UpTo = p.Position; sc.UpTo == 0 {
				return nil // erased meanwhile
			}
			past, err := s.Profile(ctx, sc)
			if err == nil && past.Position > p.Position {
				err = fmt.Errorf("the past up to %d is of %d", p.Position, past.Position)
			}
			return err
		})
	}
	ask(func(r *rand.Rand) error {
		list, err := s.Timeline(ctx, scope(r), time.Time{}, event.ID{}, 10)
		for _, m := range list {
			if _, _, _, err := s.Event(ctx, "shop", m.Event.ID); err != nil {
				return err
			}
		}
		return err
	})
	erasures := 8
	ask(func(r *rand.Rand) error {
		if erasures--; erasures >= 0 {
			if _, err := s.Erase(ctx, "shop", scope(r).Keys); err != nil {
				return err
			}
		}
		if _, err := s.Catalogue(ctx, "shop", 0); err != nil {
			return err
		}
		_ = s.Stats()
		_, err := s.Verify(ctx)
		return err
	})
	senders.Wait()
	close(done)
	others.Wait()
	want := memory(t, s, []identity.Key{identity.User("u1"), identity.User("u2"), identity.Anonymous("a3")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	options.Shelf, options.Followers = new(candidate.Shelves), nil
	s = openAt(t, options)
	if got := memory(t, s, []identity.Key{identity.User("u1"), identity.User("u2"), identity.Anonymous("a3")}); got != want {
		t.Fatalf("after a restart\n%s\nbefore\n%s", got, want)
	}
	if _, err := s.Verify(ctx); err != nil {
		t.Fatal(err)
	}
}
