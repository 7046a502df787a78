package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/internal/storage/pgtest"
	"github.com/rapport-cx/rapport/internal/storage/storetest"
	"github.com/rapport-cx/rapport/journal"
)

// The corridor declares what it needs of a store; this is one.
var _ engine.Store = (*Store)(nil)

// server is the PostgreSQL of this package's tests, nil where none is installed.
var server *pgtest.Server

// doomedHouse is set in a process that storetest.Doom kills.
const doomedHouse = "RAPPORT_TEST_DOOMED"

func TestMain(m *testing.M) {
	if address := os.Getenv(doomedHouse); address != "" {
		err := storetest.Doom(func(followers ...journal.Follower) (storetest.Store, error) {
			return Open(context.Background(), Options{URL: address, Shelf: new(candidate.Shelves), Followers: followers})
		})
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	var err error
	server, err = pgtest.Start(context.Background(), pgtest.Options{})
	if errors.Is(err, pgtest.ErrNotInstalled) && !pgtest.Required() {
		return m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Stop()
	return m.Run()
}

var houses atomic.Int64

// database is an empty house's address.
func database(t testing.TB) string {
	t.Helper()
	if server == nil {
		t.Skip(pgtest.ErrNotInstalled)
	}
	address, err := server.Schema(context.Background(), fmt.Sprint("house", houses.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

type home struct{ address string }

func (h home) Open(t testing.TB, shelf storetest.Shelf, followers ...journal.Follower) storetest.Store {
	return open(t, Options{URL: h.address, Shelf: shelf, Followers: followers})
}

func (h home) Doomed() *exec.Cmd {
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), doomedHouse+"="+h.address)
	return c
}

func TestPostgresKeepsWhatTheHouseReliesOn(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Home { return home{database(t)} })
}
