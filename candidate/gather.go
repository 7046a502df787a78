package candidate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Waits is a source that asks something outside the process. Only such a source
// is worth a goroutine; the others answer from memory in microseconds and are
// called one after the other.
type Waits interface {
	Source
	Waits() bool
}

// Gather asks the sources for their answers and gives one result each, in the
// order of the sources. A source that fails, panics or is late leaves a
// [Degraded] note in place of answers; the others are not held up by it.
func Gather(ctx context.Context, sources []Source, r *Request, deadline time.Duration) []Result {
	results := make([]Result, len(sources))
	waiting := 0
	var late chan arrival
	var timed context.Context
	for i, s := range sources {
		if w, ok := s.(Waits); !ok || !w.Waits() {
			continue
		}
		if late == nil {
			var cancel context.CancelFunc
			timed, cancel = context.WithTimeout(ctx, deadline)
			defer cancel()
			late = make(chan arrival, len(sources))
		}
		waiting++
		results[i] = degraded(s.Name(), "timeout")
		go func() { late <- arrival{i, ask(timed, s, r)} }()
	}
	for i, s := range sources {
		if w, ok := s.(Waits); !ok || !w.Waits() {
			results[i] = ask(ctx, s, r)
		}
	}
	for ; waiting > 0; waiting-- {
		select {
		case a := <-late:
			results[a.at] = a.result
		case <-timed.Done():
			// What has arrived by now still counts; the rest is late.
			for {
				select {
				case a := <-late:
					results[a.at] = a.result
					continue
				default:
				}
				return results
			}
		}
	}
	return results
}

type arrival struct {
	at     int
	result Result
}

func degraded(source, reason string) Result {
	return Result{Source: source, Degraded: &Degraded{Source: source, Reason: reason}}
}

// ask calls one source; whatever goes wrong in it stays in its result.
func ask(ctx context.Context, s Source, r *Request) (result Result) {
	result = Result{Source: s.Name()}
	defer func() {
		if p := recover(); p != nil {
			result = degraded(result.Source, "error")
		}
	}()
	answers, err := s.Propose(ctx, r)
	var unavailable *Unavailable
	switch {
	case errors.As(err, &unavailable):
		return degraded(result.Source, unavailable.Reason)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return degraded(result.Source, "timeout")
	case err != nil:
		return degraded(result.Source, "error")
	}
	if len(answers) > 0 {
		result.Answers = answers
	}
	return result
}

// Unavailable is the error of a source that could not answer for a reason worth
// counting: unconfigured, no_consent, circuit_open …
type Unavailable struct {
	Reason string
	Err    error
}

func (u *Unavailable) Error() string {
	if u.Err == nil {
		return u.Reason
	}
	return fmt.Sprintf("%s: %v", u.Reason, u.Err)
}

func (u *Unavailable) Unwrap() error { return u.Err }

// Sources are those of this room, in the order in which their answers are read.
// counts may be nil: then nothing is known of similar customers.
func Sources(counts *Counts) []Source {
	return []Source{Comparer{}, Fitter{}, Recommender{counts}, FactSheet{}, Records{}, Knowledge{}}
}
