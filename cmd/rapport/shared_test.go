package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rapport-cx/rapport/internal/storage/pgtest"
)

// onBothStores runs a test on an empty folder and on an empty database of nodes.
func onBothStores(t *testing.T, test func(t *testing.T, on memory)) {
	t.Run("folder", func(t *testing.T) { t.Parallel(); test(t, memory{dir: t.TempDir()}) })
	t.Run("shared database", func(t *testing.T) { t.Parallel(); test(t, sharedDatabases(t)()) })
}

// sharedDatabases starts a PostgreSQL for one test and makes empty databases in it.
func sharedDatabases(t *testing.T) func() memory {
	t.Helper()
	server, err := pgtest.Start(context.Background(), pgtest.Options{})
	if errors.Is(err, pgtest.ErrNotInstalled) && !pgtest.Required() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	houses := 0
	return func() memory {
		t.Helper()
		houses++
		address, err := server.Schema(context.Background(), fmt.Sprint("house", houses))
		if err != nil {
			t.Fatal(err)
		}
		return memory{database: address}
	}
}

func TestTheClausesHoldOverASharedDatabase(t *testing.T) {
	t.Parallel()
	next := sharedDatabases(t)
	for _, clause := range []struct {
		name  string
		holds func(*testing.T, *shop)
	}{
		{"1.4 repaired twice under warranty is replaced as a right", repairedTwiceIsARight},
		{"3.5 the right stays with personalisation off", theRightStays},
	} {
		t.Run(clause.name, func(t *testing.T) { clause.holds(t, openShopOn(t, next())) })
	}
}

// beside opens a second server over the same database as the first.
func (s *shop) beside(t *testing.T) *shop {
	t.Helper()
	other := &shop{t: t, on: s.on, w: s.w}
	other.start()
	t.Cleanup(other.stop)
	return other
}

func TestTwoServersOnOneDatabaseAreOneHouse(t *testing.T) {
	t.Parallel()
	one := openShopOn(t, sharedDatabases(t)())
	two := one.beside(t)
	one.laptop("ann", "SN1", daysAgo(-200))
	one.repair("ann", "SN1", "overheat", 80)
	two.repair("ann", "SN1", "overheat", 20)
	answer := two.ask("ann", "设备发热严重")
	if replacement(answer) == nil {
		t.Fatalf("the second server does not see both repairs: %v", answer["actions"])
	}
	// The first one finds the second's decision, makes it again, and gets the same bytes.
	again := one.do("POST", "/v1/decisions/"+answer["id"].(string)+"/replay", object{})
	if again["identical"] != true {
		t.Errorf("replayed on the other server: %v", again["changed"])
	}
	// A workspace and a strategy of one are the other's.
	w, err := one.h.engine.AddWorkspace(context.Background(), newWorkspace("branch", "Branch"), []string{"base"})
	if err != nil {
		t.Fatal(err)
	}
	same, err := two.h.engine.AddWorkspace(context.Background(), newWorkspace("branch", "Branch"), []string{"base"})
	if err != nil || same.SecretKey != w.SecretKey {
		t.Errorf("the other server made a second branch: %v", err)
	}
	draft := one.do("POST", "/v1/strategies", object{"packs": []string{"base"}})
	one.do("POST", fmt.Sprintf("/v1/strategies/%v/publish", draft["version"]), object{"note": "without repairs"})
	waitFor(t, two, draft["version"])
}

// waitFor returns when a server decides by a version; it asks until then, and the test
// binary's own limit is the end of patience.
func waitFor(t *testing.T, s *shop, version any) {
	t.Helper()
	for {
		answer := s.ask("ann", "设备发热严重")
		if strategy, _ := answer["strategy"].(object); strategy["version"] == version {
			return
		}
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
}
