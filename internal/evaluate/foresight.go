package evaluate

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need/predict"
	"github.com/rapport-cx/rapport/profile"
)

// The world in which foresight is measured. Each need of a customer is dormant until
// it begins to brew, more often in its season and at some ages of what was bought;
// while it brews it shows in what the customer does, until it is spoken or passes.
// Nobody sees whether it brews. Given what is seen, the chance that a need is spoken
// within the horizon can be computed exactly (a hidden Markov model, filtered
// forward): no predictor can do better.
type foresightWorld struct {
	needs []brewing
}

type brewing struct {
	need, shows, speaks string
	hazard              float64 // of beginning to brew, a day
	peak                float64 // month of its season
	ripe                bool    // it follows the age of what was bought
	telling, idle       float64 // chance of a day to show it: brewing, dormant
	speech, passing     float64 // chance of a day to be spoken, to pass
}

var foresightNames = [][3]string{
	{"aftersale.repair", "Troubleshooting Viewed", "Repair Reported"},
	{"aftersale.return_refund", "Returns Page Viewed", "Return Requested"},
	{"order.place", "Product Viewed", "Reorder Requested"},
	{"finance.reinvest", "Balance Viewed", "Advice Requested"},
	{"support.howto", "Manual Opened", "Help Requested"},
	{"feedback.complaint", "Order Status Viewed", "Complaint Filed"},
}

func newForesightWorld(r *rand.Rand) foresightWorld {
	var w foresightWorld
	for i, names := range foresightNames {
		w.needs = append(w.needs, brewing{
			need: names[0], shows: names[1], speaks: names[2],
			hazard: .003 + .004*r.Float64(), peak: 12 * r.Float64(), ripe: i%2 == 0,
			telling: .5 + .2*r.Float64(), idle: .005 + .01*r.Float64(), speech: .1 + .03*r.Float64(), passing: .001,
		})
	}
	return w
}

var foresightStart = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// begins is the hazard of a day, so many days after the purchase.
func (b *brewing) begins(day, age int) float64 {
	month := float64(foresightStart.AddDate(0, 0, day).Month()) - .5
	h := b.hazard * (1 + .8*math.Cos(2*math.Pi*(month-b.peak)/12))
	if b.ripe {
		switch {
		case age >= 60 && age < 120, age >= 365 && age < 430:
			return 3 * h
		}
		return h / 2
	}
	return h
}

// within is the chance to be spoken in the next horizon days, from the belief that it
// brews at the end of a day.
func (b *brewing) within(belief float64, day, age, horizon int) float64 {
	dormant, brews := 0.0, 0.0
	for h := range horizon {
		t := horizon - h // the h last days are done
		on := b.speech + (1-b.speech)*(b.passing*dormant+(1-b.passing)*brews)
		begin := b.begins(day+t, age+t)
		dormant, brews = begin*on+(1-begin)*dormant, on
	}
	return belief*brews + (1-belief)*dormant
}

// believe filters one day: whether it showed, and whether it was spoken.
func (b *brewing) believe(belief float64, day, age int, shown, spoken bool) float64 {
	if spoken {
		return 0
	}
	brews := belief + (1-belief)*b.begins(day, age)
	on, off := b.telling, b.idle
	if !shown {
		on, off = 1-on, 1-off
	}
	on, off = brews*on*(1-b.speech), (1-brews)*off
	return on / (on + off) * (1 - b.passing)
}

// lived is one customer's days: by need, on which days it showed and was spoken, and
// what Bayes gives at the end of each.
type lived struct {
	bought  int
	spoken  [][]bool // by need, by day
	bayes   [][]float64
	profile *profile.Profile
	said    []predict.Spoken
}

func (w *foresightWorld) live(r *rand.Rand, who, days, horizon int) lived {
	l := lived{bought: r.IntN(120)}
	var all []*event.Event
	happen := func(name string, day int) {
		var id event.ID
		for i := range 8 {
			id[i], id[8+i] = byte(uint64(who)>>(8*i)), byte(uint64(len(all))>>(8*i))
		}
		// Within a day things happen before the day ends, in the order in which we tell them.
		all = append(all, &event.Event{ID: id, Kind: event.Track, Name: name, Verified: true, Body: []byte("{}"),
			Time: foresightStart.AddDate(0, 0, day).Add(10*time.Hour + time.Duration(len(all)%600)*time.Minute/2)})
	}
	happen("Order Completed", l.bought)
	state := make([]bool, len(w.needs))
	belief := make([]float64, len(w.needs))
	l.spoken, l.bayes = make([][]bool, len(w.needs)), make([][]float64, len(w.needs))
	for k := range w.needs {
		l.spoken[k], l.bayes[k] = make([]bool, days), make([]float64, days)
	}
	for d := l.bought + 1; d < days; d++ {
		if r.Float64() < .1 {
			happen("Page Viewed", d)
		}
		for k := range w.needs {
			b, age := &w.needs[k], d-l.bought
			if !state[k] && r.Float64() < b.begins(d, age) {
				state[k] = true
			}
			shown := r.Float64() < map[bool]float64{true: b.telling, false: b.idle}[state[k]]
			spoken := state[k] && r.Float64() < b.speech
			if shown {
				happen(b.shows, d)
			}
			if spoken {
				happen(b.speaks, d)
				l.said = append(l.said, predict.Spoken{At: all[len(all)-1].Time, Need: b.need})
			}
			if spoken || state[k] && r.Float64() < b.passing {
				state[k] = false
			}
			l.spoken[k][d] = spoken
			belief[k] = b.believe(belief[k], d, age, shown, spoken)
			l.bayes[k][d] = b.within(belief[k], d, age, horizon)
		}
	}
	l.profile = profile.Fold(identity.PersonID(fmt.Sprint("per_", who)), nil, all, 0)
	return l
}

// soon tells whether a need is spoken in the days after one.
func (l *lived) soon(k, day, horizon int) bool {
	for d := day + 1; d <= day+horizon && d < len(l.spoken[k]); d++ {
		if l.spoken[k][d] {
			return true
		}
	}
	return false
}

// ForesightOptions say how large a world is.
type ForesightOptions struct {
	Seed      uint64
	Customers int // 0: 600
}

// ForesightReport is what `rapport eval foresight` prints: learned from two years of
// a world, measured on the third.
type ForesightReport struct {
	Seed        uint64  `json:"seed"`
	Customers   int     `json:"customers"`
	Samples     int     `json:"samples"` // customers × weeks × needs
	Calibration float64 `json:"calibration"`
	Precision   float64 `json:"precision_at_1"`
	Bayes       float64 `json:"precision_at_1_bayes"`
	Foreseeable int     `json:"foreseeable"` // needs spoken that Bayes gave 50 % before
	Pushed      int     `json:"pushed"`      // of them, pushed before they were spoken
	Pushes      int     `json:"pushes"`
	Idle        int     `json:"idle"` // pushes that no such need followed within the horizon
}

// Foresight learns a world's needs and looks a year ahead.
func Foresight(ctx context.Context, o ForesightOptions, progress io.Writer) (ForesightReport, error) {
	if o.Customers <= 0 {
		o.Customers = 600
	}
	const train, end, horizon = 730, 1095, 30
	rep := ForesightReport{Seed: o.Seed, Customers: o.Customers}
	r := rand.New(rand.NewPCG(o.Seed, 0x666f7265))
	w := newForesightWorld(r)
	people := make([]lived, o.Customers)
	trainer := predict.NewTrainer(predict.Options{Horizon: horizon * 24 * time.Hour})
	for i := range people {
		if ctx.Err() != nil {
			return rep, ctx.Err()
		}
		people[i] = w.live(r, i, end, horizon)
		trainer.Add(people[i].profile, people[i].said, foresightStart, foresightStart.AddDate(0, 0, train), nil)
	}
	m := trainer.Train()
	fmt.Fprintf(progress, "learned from %d samples of %d customers\n", trainer.Samples(), o.Customers)
	if h := m.About().HeldOut; h != nil {
		fmt.Fprintf(progress, "held out from %s: spoken of unasked from %.2f on, %d of %d in vain\n", h.From.Format(time.DateOnly), h.Sure, h.InVain, h.Pushes)
	}
	sure, _ := m.Sure()
	index := map[string]int{}
	for k, n := range m.Needs() {
		index[n] = k
	}
	if len(index) != len(w.needs) {
		return rep, fmt.Errorf("foresight: only %d of %d needs were spoken often enough", len(index), len(w.needs))
	}
	var predicted, happened, chances []float64
	right, best, weeks := 0.0, 0.0, 0.0
	for i := range people {
		if ctx.Err() != nil {
			return rep, ctx.Err()
		}
		l := &people[i]
		// When each need was last pushed, and spoken: it is pushed once within its horizon,
		// and not to who has just spoken of it, as the house does.
		pushedOn, saidOn := make([]int, len(w.needs)), make([]int, len(w.needs))
		for k := range pushedOn {
			pushedOn[k], saidOn[k] = -end, -end
		}
		for d := train; d < end-horizon; d++ {
			reading := predict.Read(l.profile, foresightStart.AddDate(0, 0, d+1), nil)
			chances = m.Chances(&reading, chances)
			top, bayes := 0, 0
			for k := range w.needs {
				c := chances[index[w.needs[k].need]]
				if l.spoken[k][d] {
					saidOn[k] = d
				}
				if c >= sure && d-pushedOn[k] > horizon && time.Duration(d-saidOn[k])*24*time.Hour > predict.JustSaid {
					pushedOn[k] = d
					rep.Pushes++
					if !l.soon(k, d, horizon) {
						rep.Idle++
					}
				}
				if c > chances[index[w.needs[top].need]] {
					top = k
				}
				if l.bayes[k][d] > l.bayes[bayes][d] {
					bayes = k
				}
				if d%7 == 0 {
					predicted = append(predicted, c)
					happened = append(happened, map[bool]float64{true: 1}[l.soon(k, d, horizon)])
				}
				if l.spoken[k][d+1] && l.foreseeable(k, d, horizon) {
					rep.Foreseeable++
					if d-pushedOn[k] < horizon {
						rep.Pushed++
					}
				}
			}
			if d%7 == 0 {
				weeks++
				if l.soon(top, d, horizon) {
					right++
				}
				if l.soon(bayes, d, horizon) {
					best++
				}
			}
		}
	}
	rep.Samples, rep.Calibration = len(predicted), CalibrationError(predicted, happened, 10)
	rep.Precision, rep.Bayes = right/weeks, best/weeks
	return rep, nil
}

// foreseeable tells whether Bayes gave a need 50 % or more within the horizon before
// it was spoken, and after it was spoken the last time.
func (l *lived) foreseeable(k, day, horizon int) bool {
	for d := day; d > day-horizon && d >= 0 && !l.spoken[k][d]; d-- {
		if l.bayes[k][d] >= .5 {
			return true
		}
	}
	return false
}

// share is how many of the foreseeable needs were pushed before they were spoken.
func (r *ForesightReport) share() float64 { return float64(r.Pushed) / float64(max(r.Foreseeable, 1)) }

// vain is how many of the pushes no such need followed.
func (r *ForesightReport) vain() float64 { return float64(r.Idle) / float64(max(r.Pushes, 1)) }

func (r ForesightReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d customers, two years learned, the third foreseen\n", r.Seed, r.Customers)
	fmt.Fprintf(&b, "calibration error %.4f over %d predictions\n", r.Calibration, r.Samples)
	fmt.Fprintf(&b, "precision at 1: %.3f; the Bayes predictor reaches %.3f (%.1f %% of it)\n", r.Precision, r.Bayes, 100*r.Precision/r.Bayes)
	fmt.Fprintf(&b, "of %d needs that the Bayes predictor gave 50 %%, %d were pushed before they were spoken (%.1f %%)\n", r.Foreseeable, r.Pushed, 100*r.share())
	fmt.Fprintf(&b, "of %d pushes %d were followed by no such need within 30 days (%.1f %%)", r.Pushes, r.Idle, 100*r.vain())
	return b.String()
}

// ForesightReports are those of several worlds.
type ForesightReports []ForesightReport

// Foresights looks ahead in as many worlds, of seeds that follow one another.
func Foresights(ctx context.Context, o ForesightOptions, worlds int, progress io.Writer) (ForesightReports, error) {
	var all ForesightReports
	for range worlds {
		r, err := Foresight(ctx, o, progress)
		if err != nil {
			return all, err
		}
		all = append(all, r)
		o.Seed++
	}
	return all, nil
}

// String is a table, with the mean and the worst of each column.
func (all ForesightReports) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s %11s %18s %14s %10s %8s\n", "seed", "calibration", "precision of Bayes", "pushed before", "in vain", "pushes")
	line := func(name string, v [4]float64, pushes string) {
		fmt.Fprintf(&b, "%-14s %11.4f %16.1f %% %12.1f %% %8.1f %% %8s\n", name, v[0], 100*v[1], 100*v[2], 100*v[3], pushes)
	}
	var mean [4]float64
	worst := [4]float64{0, math.Inf(1), math.Inf(1), 0}
	for i := range all {
		r := &all[i]
		v := [4]float64{r.Calibration, r.Precision / r.Bayes, r.share(), r.vain()}
		line(fmt.Sprint(r.Seed), v, fmt.Sprint(r.Pushes))
		for k := range v {
			mean[k] += v[k] / float64(len(all))
		}
		worst = [4]float64{max(worst[0], v[0]), min(worst[1], v[1]), min(worst[2], v[2]), max(worst[3], v[3])}
	}
	line("mean", mean, "")
	line("worst", worst, "")
	return strings.TrimRight(b.String(), "\n")
}
