package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/internal/postgres"
	"github.com/rapport-cx/rapport/internal/sqlite"
	"github.com/rapport-cx/rapport/internal/storage/witness"
)

type rebuildCommand struct {
	folder `embed:""`
	Verify bool `help:"Change nothing: rebuild everything beside what is stored, compare the two, and exit with 1 when they differ."`
}

var errDiffers = errors.New("what is stored is not what the log gives")

// Run drops everything that is derived and makes it again from the log, or compares it.
func (r *rebuildCommand) Run(ctx context.Context, con *console) error {
	started := time.Now()
	what := r.Data
	if r.Database != "" {
		what = "the database"
	}
	if r.Verify {
		return r.verify(ctx, con, what)
	}
	shelf, followers, err := &candidate.Shelves{}, newKept().all(), error(nil)
	if r.Database != "" {
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

// verify opens the store as a server would, reads its log from the first event on
// beside it, and tells what differs.
func (r *rebuildCommand) verify(ctx context.Context, con *console, what string) error {
	started := time.Now()
	shelf, stored := &candidate.Shelves{}, newKept().all()
	var log interface {
		witness.Log
		Close() error
	}
	var err error
	if r.Database != "" {
		log, err = postgres.Open(ctx, postgres.Options{URL: r.Database, Shelf: shelf, Followers: stored})
	} else {
		log, err = sqlite.Open(ctx, sqlite.Options{Dir: r.Data, Shelf: shelf, Followers: stored})
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", what, err)
	}
	defer log.Close()
	report, err := witness.Compare(ctx, log, stored, newKept().all())
	if err != nil {
		return fmt.Errorf("verify %s: %w", what, err)
	}
	if con.json {
		err = con.print(map[string]any{"report": report, "seconds": time.Since(started).Seconds()})
	} else {
		for _, d := range report.Differences {
			fmt.Fprintln(con.out, "differs:", d)
		}
		for _, s := range report.Skipped {
			fmt.Fprintln(con.out, "not compared:", s)
		}
		_, err = fmt.Fprintf(con.out, "%s: %d events, %d persons, %d followers and %d kept profiles compared with the log in %s, %d differences\n", what,
			report.Events, report.Persons, report.Followers, report.Checkpoints, time.Since(started).Round(time.Millisecond), len(report.Differences))
	}
	if err == nil && len(report.Differences) > 0 {
		err = fmt.Errorf("%s: %w", what, errDiffers)
	}
	return err
}
