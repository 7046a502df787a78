package llm

import (
	"sync"
	"time"
)

// How an endpoint that fails is left alone: after so many failures in a row nobody is
// sent there for the rest, then one call at a time probes it. The rest doubles while
// the probes fail.
const (
	failuresToOpen = 5
	firstRest      = 10 * time.Second
	longestRest    = 5 * time.Minute
)

// breaker keeps customers from waiting for an endpoint that does not answer.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	rest     time.Duration // 0: closed
	until    time.Time
	probing  bool
}

type outcome int

const (
	unknown outcome = iota
	worked
	failed
)

// enter asks to make a call; done must be called with what came of it, once.
func (b *breaker) enter() (done func(outcome), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rest == 0 {
		return b.leave, true
	}
	if b.probing || b.now().Before(b.until) {
		return nil, false
	}
	b.probing = true
	return b.probed, true
}

func (b *breaker) leave(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch o {
	case worked:
		b.failures = 0
	case failed:
		b.failures++
		if b.failures >= failuresToOpen && b.rest == 0 {
			b.rest, b.until = firstRest, b.now().Add(firstRest)
		}
	}
}

func (b *breaker) probed(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch o {
	case worked:
		b.failures, b.rest = 0, 0
	case failed:
		b.rest = min(2*b.rest, longestRest)
		b.until = b.now().Add(b.rest)
	}
}
