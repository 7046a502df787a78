package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// deaf is a reader that answers long after it was told to stop.
type deaf struct{}

func (deaf) Consult(context.Context, Question) (Opinion, error) {
	time.Sleep(time.Hour)
	return Opinion{}, nil
}

func TestACustomerWaitsForNoReaderLongerThanTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		_, err := consult(t.Context(), deaf{}, Question{}, counselBudget)
		if waited := time.Since(from); waited > 1100*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited %s: %v", waited, err)
		}
		time.Sleep(2 * time.Hour) // of the test's clock: the reader ends before the test does
	})
}
