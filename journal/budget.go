package journal

import (
	"strings"
	"time"
)

// Reservation holds back a part of a budget for an action that a batch's decision
// offers. Either all reservations of a batch are made or the batch is not committed.
type Reservation struct {
	Budget string // the budget's key: which, of what period, of which store or segment
	Action string
	Amount int64     // pieces, or minor units of the budget's currency; > 0
	Limit  int64     // the most that may be spent and held of the budget by now
	Until  time.Time // held until then unless it is settled before; zero: until it is settled
}

// Settlement ends what is held for an action of a decision: the customer took it,
// so it is spent, or turned it down, so it is free again. What is not held any more
// stays as it is.
type Settlement struct {
	Decision, Action string
	Spent            bool
}

// Balance is what is gone of a budget.
type Balance struct {
	Budget string `json:"budget"`
	Spent  int64  `json:"spent"`
	Held   int64  `json:"held"`
}

// Exhausted refuses a batch whose reservations would overdraw budgets: nothing of
// it was committed, and another decision may be made without them.
type Exhausted struct{ Budgets []string }

func (e *Exhausted) Error() string { return "budget used up: " + strings.Join(e.Budgets, ", ") }
