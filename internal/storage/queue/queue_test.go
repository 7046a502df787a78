package queue

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

func batchOf(events int) journal.Batch {
	return journal.Batch{Workspace: "shop", Events: make([]event.Event, events)}
}

// send commits in the background once the request waits in the queue.
func send(t *testing.T, q *Queue, ctx context.Context, b journal.Batch) <-chan error {
	t.Helper()
	answered, before := make(chan error, 1), q.Len()
	go func() {
		_, err := q.Commit(ctx, b)
		answered <- err
	}()
	waitFor(q, before+1)
	return answered
}

func waitFor(q *Queue, requests int) {
	for q.Len() < requests {
		runtime.Gosched()
	}
}

func TestWhatWaitsIsOneGroupUpToAJob(t *testing.T) {
	t.Parallel()
	q := New()
	a := send(t, q, t.Context(), batchOf(1))
	b := send(t, q, t.Context(), batchOf(2))
	ran := make(chan error, 1)
	go func() {
		ran <- q.Do(t.Context(), func() (func(), error) { return nil, nil })
	}()
	waitFor(q, 3)
	c := send(t, q, t.Context(), batchOf(3))

	group, job := q.Group(nil, <-q.Waiting())
	if len(group) != 2 || job == nil {
		t.Fatalf("%d requests before the job, job %v", len(group), job)
	}
	refused := errors.New("this one alone")
	group[1].Err = refused
	for _, r := range group {
		r.Answer(nil)
	}
	job.Answer(nil)
	if err := <-a; err != nil {
		t.Error(err)
	}
	if err := <-b; !errors.Is(err, refused) {
		t.Errorf("a request refused for itself is answered %v", err)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	group, job = q.Group(group[:0], <-q.Waiting())
	if len(group) != 1 || len(group[0].Batch.Events) != 3 || job != nil {
		t.Fatalf("after the job: %d requests, job %v", len(group), job)
	}
	lost := errors.New("the disk is full")
	group[0].Answer(lost)
	if err := <-c; !errors.Is(err, lost) {
		t.Errorf("a lost group is answered %v", err)
	}
}

func TestAGroupIsFullAfterItsEvents(t *testing.T) {
	t.Parallel()
	q := New()
	for range 3 {
		send(t, q, t.Context(), batchOf(groupEvents/2))
	}
	group, _ := q.Group(nil, <-q.Waiting())
	if len(group) != 2 || q.Len() != 1 {
		t.Fatalf("a group of %d, %d wait", len(group), q.Len())
	}
	if _, err := q.Commit(t.Context(), batchOf(batchLimit+1)); err == nil {
		t.Error("a batch over the limit is let in")
	}
}

func TestWhoGivesUpInTimeIsNotStored(t *testing.T) {
	t.Parallel()
	q := New()
	ctx, giveUp := context.WithCancel(t.Context())
	gone, kept := send(t, q, ctx, batchOf(1)), send(t, q, t.Context(), batchOf(2))
	giveUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("given up: %v", err)
	}
	group, _ := q.Group(nil, <-q.Waiting())
	if len(group) != 1 || len(group[0].Batch.Events) != 2 {
		t.Fatalf("the writer is handed %d requests", len(group))
	}
	group[0].Answer(nil)
	if err := <-kept; err != nil {
		t.Error(err)
	}

	// Once the writer has it, its answer counts.
	ctx, giveUp = context.WithCancel(t.Context())
	late := send(t, q, ctx, batchOf(1))
	group, _ = q.Group(group[:0], <-q.Waiting())
	giveUp()
	group[0].Answer(nil)
	if err := <-late; err != nil {
		t.Errorf("given up too late: %v", err)
	}
}

func TestClosingAnswersWhatWaits(t *testing.T) {
	t.Parallel()
	q := New()
	waits := send(t, q, t.Context(), batchOf(1))
	go func() {
		defer q.End()
		for first := range q.Waiting() {
			group, _ := q.Group(nil, first)
			for _, r := range group {
				r.Answer(nil)
			}
		}
	}()
	var all sync.WaitGroup
	firsts := make(chan bool, 3)
	for range 3 {
		all.Go(func() { firsts <- q.Close() })
	}
	all.Wait()
	close(firsts)
	n := 0
	for first := range firsts {
		if first {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of three calls closed it", n)
	}
	if err := <-waits; err != nil {
		t.Error(err)
	}
	if _, err := q.Commit(t.Context(), batchOf(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("a commit after the end: %v", err)
	}
}
