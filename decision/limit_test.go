package decision_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
)

func shanghai(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestABudgetsPeriodIsThatOfTheCompanysCalendar(t *testing.T) {
	t.Parallel()
	zone := shanghai(t)
	for _, c := range []struct {
		per  decision.Period
		at   time.Time
		want string
	}{
		{decision.Monthly, time.Date(2026, 7, 31, 16, 0, 0, 0, time.UTC), "b/2026-08-01"}, // midnight in Shanghai
		{decision.Monthly, time.Date(2026, 7, 31, 15, 59, 59, 0, time.UTC), "b/2026-07-01"},
		{decision.Weekly, time.Date(2026, 7, 12, 12, 0, 0, 0, zone), "b/2026-07-06"}, // a Sunday
		{decision.Weekly, time.Date(2026, 7, 13, 0, 0, 0, 0, zone), "b/2026-07-13"},
		{decision.Daily, time.Date(2026, 2, 28, 23, 0, 0, 0, zone), "b/2026-02-28"},
		{decision.Yearly, time.Date(2026, 12, 31, 23, 0, 0, 0, zone), "b/2026-01-01"},
		{decision.Ever, time.Date(2026, 12, 31, 23, 0, 0, 0, zone), "b"},
	} {
		plan := &decision.Plan{Zone: zone, Funds: []decision.Fund{{ID: "b", Limit: 1, Per: c.per}}}
		in := input(nil)
		in.Scene.Time = c.at
		if keys := plan.Budgets(&in); !slices.Equal(keys, []string{c.want}) {
			t.Errorf("a budget per %s at %s is %v, wanted %s", c.per, c.at, keys, c.want)
		}
	}
}

func TestAPacedBudgetIsUsedNoFasterThanItsPeriodGoesBy(t *testing.T) {
	t.Parallel()
	zone := shanghai(t)
	gift := offer("gift", decision.Goodwill, 1, "presale.stock")
	gift.Funds = []int{0}
	plan := &decision.Plan{Zone: zone, Actions: []decision.Action{gift},
		Funds: []decision.Fund{{ID: "gifts", Title: both("gifts"), Limit: 31, Per: decision.Monthly, Paced: true}}}
	for day := 1; day <= 31; day++ {
		in := input(spoken("presale.stock"))
		in.Scene.Time = time.Date(2026, 7, day, 9, 0, 0, 0, zone)
		key := plan.Budgets(&in)[0]
		in.Balances = []decision.Balance{{Budget: key, Gone: int64(day - 1)}}
		if d := decision.Decide(plan, in); !slices.Equal(chosen(d), []string{"gift"}) {
			t.Errorf("day %d: the share of the day is there and %v is offered", day, chosen(d))
		}
		in.Balances[0].Gone = int64(day)
		if d := decision.Decide(plan, in); len(d.Chosen) != 0 || stoppedBy(d, "gift") != "budget/gifts" {
			t.Errorf("day %d: more than its share is offered: %v", day, chosen(d))
		}
	}
}

func TestABudgetOfMoneyIsDividedByStoreAndARightDrawsOnNone(t *testing.T) {
	t.Parallel()
	gift, right := offer("gift", decision.Goodwill, 1, "presale.stock"), offer("right", decision.Right, 1, "presale.stock")
	gift.Funds, gift.Cost = []int{0}, candidate.Money{Amount: 3000, Currency: "CNY"}
	plan := &decision.Plan{Actions: []decision.Action{right, gift},
		Funds: []decision.Fund{{ID: "gifts", Title: both("gifts"), Limit: 10000, Currency: "CNY", Per: decision.Monthly, By: "scene.store", Hold: time.Hour}}}
	for gone, offered := range map[int64]bool{0: true, 7000: true, 7001: false} {
		in := input(spoken("presale.stock"))
		in.Scene.Store = "north"
		in.Balances = []decision.Balance{{Budget: "gifts/2026-07-01/north", Gone: gone}, {Budget: "gifts/2026-07-01/south", Gone: 10000}}
		d := decision.Decide(plan, in)
		if got := slices.Contains(chosen(d), "gift"); got != offered || !slices.Contains(chosen(d), "right") {
			t.Errorf("with %d gone: %v", gone, chosen(d))
		}
		holds := plan.Holds(&in, &d)
		if !offered {
			if len(holds) != 0 {
				t.Errorf("nothing is offered of it and %v is held", holds)
			}
			continue
		}
		if want := "[{gifts/2026-07-01/north gift 3000 10000 1h0m0s}]"; fmt.Sprint(holds) != want {
			t.Errorf("held %v, wanted %s", holds, want)
		}
	}
}
