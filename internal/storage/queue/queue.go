// Package queue is where commits wait for the one writer of a store, at the end of both
// ways through the house. The writer takes whatever waits as one group, so that groups
// grow by themselves when the disk is slow, and many share one flush.
//
// A store calls Commit and Do for its callers. Its writer receives from Waiting until
// that is closed, has Group collect what came after, stores the group, and gives every
// request of it one Answer; the last thing it does is End.
package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rapport-cx/rapport/journal"
)

const (
	// A group takes requests until it has this many events: larger ones make the
	// flush no cheaper, but later, and hold other writers up.
	groupEvents = 4096
	length      = 1024

	// batchLimit is the largest batch that is committed as one, in events.
	batchLimit = 65536
)

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("the store is closed")

// Job is work for the writer that wants a transaction of its own. What it returns is
// called after the commit, still in the writer; nil: nothing.
type Job func() (after func(), err error)

// Request is one commit, or one job, on its way through the writer. From Group to
// Answer it is the writer's alone, and so is the caller's memory that it points to.
type Request struct {
	Batch journal.Batch
	Job   Job // nil: a commit
	// Context is the caller's, for what it says of the caller: it may have ended, which
	// changes nothing for a request that was taken.
	Context context.Context

	Receipt journal.Receipt
	Err     error // of this request alone

	state atomic.Int32
	done  chan struct{}
}

const (
	waiting = iota
	taken
	abandoned
)

var requests = sync.Pool{New: func() any { return &Request{done: make(chan struct{}, 1)} }}

// Answer lets the caller have what is in the request; an error that is not nil stands
// over the one in it.
func (r *Request) Answer(err error) {
	if err != nil {
		r.Err = err
	}
	r.done <- struct{}{}
}

// Queue leads many callers to one writer. It is safe for concurrent use.
type Queue struct {
	// The gate is held for reading while a request is put in and for writing once, to
	// close it.
	gate   sync.RWMutex
	closed bool
	in     chan *Request
	ended  chan struct{} // the writer has returned
}

// New makes an open queue.
func New() *Queue {
	return &Queue{in: make(chan *Request, length), ended: make(chan struct{})}
}

// Commit has a batch stored; see engine.Store. It returns early with ctx's error only
// when nothing of the batch was, or will be, stored.
func (q *Queue) Commit(ctx context.Context, b journal.Batch) (journal.Receipt, error) {
	if len(b.Events) > batchLimit {
		return journal.Receipt{}, fmt.Errorf("commit %d events of %s: at most %d go into one batch", len(b.Events), b.Workspace, batchLimit)
	}
	r := requests.Get().(*Request)
	r.Batch, r.Context = b, ctx
	receipt, err, again := q.submit(ctx, r)
	if again {
		*r = Request{done: r.done}
		requests.Put(r)
	}
	if err != nil {
		return journal.Receipt{}, fmt.Errorf("commit to %s: %w", b.Workspace, err)
	}
	return receipt, nil
}

// Do has the writer run a job. What was asked before it happens before it.
func (q *Queue) Do(ctx context.Context, job Job) error {
	_, err, _ := q.submit(ctx, &Request{Job: job, done: make(chan struct{}, 1)})
	return err
}

// submit hands a request to the writer and waits. again tells that nobody else
// holds the request any more.
func (q *Queue) submit(ctx context.Context, r *Request) (_ journal.Receipt, err error, again bool) {
	if err := q.enter(ctx, r); err != nil {
		return journal.Receipt{}, err, true
	}
	select {
	case <-r.done:
		return r.Receipt, r.Err, true
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, abandoned) {
			return journal.Receipt{}, ctx.Err(), false
		}
		<-r.done // the writer has it, and reads the caller's memory
		return r.Receipt, r.Err, true
	}
}

// enter puts a request in, unless the queue is closed or the context done.
func (q *Queue) enter(ctx context.Context, r *Request) error {
	q.gate.RLock()
	defer q.gate.RUnlock()
	if q.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case q.in <- r: // there is room nearly always, and one channel is cheaper to ask than two
		return nil
	default:
	}
	select {
	case q.in <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Waiting gives the requests in the order in which they came, each as the first of a
// group. It ends when the queue is closed and empty.
func (q *Queue) Waiting() <-chan *Request { return q.in }

// Group adds a request and those that wait behind it to a group, but for those that
// their callers have given up. A job ends the group and stands beside it: the group is
// to be stored before it runs.
func (q *Queue) Group(group []*Request, first *Request) (_ []*Request, job *Request) {
	events := 0
	for r, ok := first, true; ok; {
		if r.state.CompareAndSwap(waiting, taken) {
			if r.Job != nil {
				return group, r
			}
			group = append(group, r)
			events += len(r.Batch.Events)
		}
		if events >= groupEvents {
			break
		}
		select {
		case r, ok = <-q.in:
		default:
			ok = false
		}
	}
	return group, nil
}

// Len is how many requests wait.
func (q *Queue) Len() int { return len(q.in) }

// Close lets nothing in any more and waits until the writer has ended, which answers
// what waits. first tells that this call closed it, not one before.
func (q *Queue) Close() (first bool) {
	q.gate.Lock()
	if first = !q.closed; first {
		q.closed = true
		close(q.in)
	}
	q.gate.Unlock()
	<-q.ended
	return first
}

// End says that the writer has ended.
func (q *Queue) End() { close(q.ended) }

// Ended is closed when the writer has ended.
func (q *Queue) Ended() <-chan struct{} { return q.ended }
