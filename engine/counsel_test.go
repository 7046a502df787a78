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

// silent embeds nothing, and does not come back.
type silent struct{ deaf }

func (silent) Model() string { return "silent" }

func (silent) Embed(context.Context, []string) ([][]float32, error) {
	time.Sleep(time.Hour)
	return nil, nil
}

func TestEmbeddingsAndReaderHaveOneBudgetTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		p, stop := asking(t.Context(), counselBudget)
		defer stop()
		_, first := within(p, func(ctx context.Context) ([][]float32, error) { return silent{}.Embed(ctx, nil) })
		_, second := within(p, func(ctx context.Context) (Opinion, error) { return silent{}.Consult(ctx, Question{}) })
		if waited := time.Since(from); waited > 1100*time.Millisecond || degradedBy(first) != "timeout" || degradedBy(second) != "timeout" {
			t.Errorf("waited %s: %v, %v", waited, first, second)
		}
		time.Sleep(2 * time.Hour) // of the test's clock: those asked end before the test does
	})
}

func TestACustomerWaitsForNoReaderLongerThanTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		p, stop := asking(t.Context(), counselBudget)
		defer stop()
		_, err := within(p, func(ctx context.Context) (Opinion, error) { return deaf{}.Consult(ctx, Question{}) })
		if waited := time.Since(from); waited > 1100*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited %s: %v", waited, err)
		}
		time.Sleep(2 * time.Hour) // of the test's clock: the reader ends before the test does
	})
}
