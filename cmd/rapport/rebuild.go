package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/internal/postgres"
	"github.com/rapport-cx/rapport/internal/sqlite"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

type rebuildCommand struct {
	folder `embed:""`
}

// Run drops everything that is derived and makes it again from the log.
func (r *rebuildCommand) Run(ctx context.Context, con *console) error {
	started := time.Now()
	shelf, followers := &candidate.Shelves{}, []journal.Follower{&profile.Registry{}, candidate.NewCohorts()}
	what, err := r.Data, error(nil)
	if r.Database != "" {
		what = "the database"
		err = postgres.Rebuild(ctx, postgres.Options{URL: r.Database, Shelf: shelf, Followers: followers})
	} else {
		err = sqlite.Rebuild(ctx, sqlite.Options{Dir: r.Data, Shelf: shelf, Followers: followers})
	}
	if err != nil {
		return fmt.Errorf("rebuild of %s: %w", what, err)
	}
	took := time.Since(started)
	if con.json {
		return con.print(map[string]any{"seconds": took.Seconds()})
	}
	_, err = fmt.Fprintf(con.out, "rebuilt %s in %s\n", what, took.Round(time.Millisecond))
	return err
}
