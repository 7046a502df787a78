package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/need/classify"
)

var started = time.Now()

// Seed fixes every split that is made here: the folds of a cross-validation and the intents held out.
const Seed = 2026

// Cost is what the answers took, in processor time of the answering thread.
type Cost struct {
	TrainCPU   time.Duration `json:"train_cpu_ns"`
	TrainWall  time.Duration `json:"train_wall_ns"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	Throughput float64       `json:"answers_per_cpu_second"`
}

// IntentReport is what was measured on single intents.
type IntentReport struct {
	Path     string `json:"path"`
	Protocol string `json:"protocol"` // which part was learned from and which was answered
	Train    int    `json:"train"`    // sentences, in the mean where there are folds
	Test     int    `json:"test"`
	Intents  int    `json:"intents"`
	// Accuracy is the share of test sentences whose best intent is the labelled one, in percent.
	Accuracy float64 `json:"accuracy"`
	// Calibration is the expected calibration error of the confidence over ten bins, 0 to 1.
	Calibration float64     `json:"calibration_error"`
	Cost        Cost        `json:"cost"`
	Scope       []Scope     `json:"out_of_scope,omitempty"`
	Confused    []Confusion `json:"confused,omitempty"`
}

// Confusion is a pair of intents that were taken for one another, the most frequent first.
type Confusion struct {
	Meant string `json:"meant"`
	Taken string `json:"taken"`
	Count int    `json:"count"`
}

// Intents trains on the training part of the set and answers its test part through the classifier that
// serves; a set without a test part is answered by five-fold cross-validation, stratified by intent, and
// the mean is reported. progress is told what is being done.
func Intents(ctx context.Context, set Set, o classify.Options, progress io.Writer) (IntentReport, error) {
	r := IntentReport{Path: set.Path, Intents: len(intentsOf(set.Train))}
	t := newTally()
	parts := []Set{set}
	r.Protocol = "trained on the training part, answered the test part"
	if len(set.Test) == 0 {
		parts = folds(set, 5, Seed)
		r.Protocol = fmt.Sprintf("mean of five-fold cross-validation, stratified, seed %d", Seed)
	}
	for i, part := range parts {
		if len(parts) > 1 {
			fmt.Fprintf(progress, "fold %d of %d: ", i+1, len(parts))
		}
		fmt.Fprintf(progress, "learning from %d sentences of %d intents\n", len(part.Train), r.Intents)
		cpu, wall := processCPU(), time.Now()
		model, err := classify.Train(part.Train, o)
		if err != nil {
			return r, fmt.Errorf("evaluate: %s: %w", set.Path, err)
		}
		r.Cost.TrainCPU += (processCPU() - cpu) / time.Duration(len(parts))
		r.Cost.TrainWall += time.Since(wall) / time.Duration(len(parts))
		fmt.Fprintf(progress, "answering %d sentences\n", len(part.Test))
		if err := t.answer(ctx, model, part.Test); err != nil {
			return r, err
		}
		r.Train += len(part.Train)
		r.Accuracy += 100 * float64(t.right) / float64(max(1, len(part.Test))) / float64(len(parts))
		r.Test += len(part.Test)
		t.right = 0
	}
	r.Train /= len(parts)
	r.Calibration = t.calibration()
	r.Cost.P50, r.Cost.P99, r.Cost.Throughput = t.clock.summary()
	r.Confused = t.confused(10)
	return r, nil
}

// tally collects what answering gave.
type tally struct {
	clock  stopwatch
	right  int
	bins   [10]struct{ n, confidence, right float64 }
	wrong  map[[2]string]int
	buffer []float64
}

func newTally() *tally { return &tally{wrong: map[[2]string]int{}} }

func (t *tally) answer(ctx context.Context, model *classify.Model, test []classify.Example) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i, e := range test {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		t.clock.start()
		t.buffer = model.Score(e.Text, t.buffer)
		at, _ := classify.Best(t.buffer)
		confidence := model.Confidence(t.buffer)
		t.clock.stop()
		bin := &t.bins[min(9, int(confidence*10))]
		bin.n++
		bin.confidence += confidence
		if got := model.Intents()[at]; got == e.Intent {
			t.right++
			bin.right++
		} else {
			t.wrong[[2]string{e.Intent, got}]++
		}
	}
	return nil
}

func (t *tally) calibration() float64 {
	gap, n := 0.0, 0.0
	for _, b := range t.bins {
		gap += max(b.right-b.confidence, b.confidence-b.right)
		n += b.n
	}
	return gap / max(1, n)
}

func (t *tally) confused(most int) []Confusion {
	var all []Confusion
	for pair, n := range t.wrong {
		all = append(all, Confusion{pair[0], pair[1], n})
	}
	slices.SortFunc(all, func(a, b Confusion) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Meant, b.Meant), strings.Compare(a.Taken, b.Taken))
	})
	return all[:min(most, len(all))]
}

// stopwatch measures many short spans of processor time on one thread.
type stopwatch struct {
	from  time.Duration
	spans []time.Duration
}

func (s *stopwatch) start() { s.from = threadCPU() }
func (s *stopwatch) stop()  { s.spans = append(s.spans, threadCPU()-s.from) }

func (s *stopwatch) summary() (p50, p99 time.Duration, perSecond float64) {
	if len(s.spans) == 0 {
		return 0, 0, 0
	}
	sorted := slices.Sorted(slices.Values(s.spans))
	total := time.Duration(0)
	for _, d := range sorted {
		total += d
	}
	return sorted[len(sorted)/2], sorted[len(sorted)*99/100], float64(len(sorted)) / max(total.Seconds(), 1e-9)
}

func intentsOf(examples []classify.Example) []string {
	var names []string
	for _, e := range examples {
		names = append(names, e.Intent)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// folds deals the training part of a set out into k parts, intent by intent, each of which is the test
// part once.
func folds(set Set, k int, seed uint64) []Set {
	random := rand.New(rand.NewPCG(seed, 1))
	order := random.Perm(len(set.Train))
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(set.Train[a].Intent, set.Train[b].Intent) })
	parts := make([]Set, k)
	for f := range parts {
		parts[f].Path = set.Path
	}
	for i, at := range order {
		for f := range parts {
			if i%k == f {
				parts[f].Test = append(parts[f].Test, set.Train[at])
			} else {
				parts[f].Train = append(parts[f].Train, set.Train[at])
			}
		}
	}
	return parts
}

func (r IntentReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Path, r.Protocol)
	fmt.Fprintf(&b, "  accuracy            %.2f %% of %d sentences, %d intents, learned from %d\n", r.Accuracy, r.Test, r.Intents, r.Train)
	fmt.Fprintf(&b, "  calibration error   %.3f\n", r.Calibration)
	writeCost(&b, r.Cost)
	for _, s := range r.Scope {
		fmt.Fprintf(&b, "  out of scope        %.1f %% found at %.2f points of in-scope loss, %.1f %% at 1.5 (%.1f %% by the margin alone), AUROC %.3f\n", s.Recall, s.Loss, s.Best, s.Margin, s.AUROC)
		fmt.Fprintf(&b, "                      accuracy %.2f %%, macro F1 %.2f %%, to be of no intent counted as one\n", s.Accuracy, s.F1)
		fmt.Fprintf(&b, "                      %s\n", s.Protocol)
	}
	for i, c := range r.Confused {
		if i == 0 {
			b.WriteString("  most often confused\n")
		}
		fmt.Fprintf(&b, "    %4d  %s taken for %s\n", c.Count, c.Meant, c.Taken)
	}
	return b.String()
}

func writeCost(b *strings.Builder, c Cost) {
	fmt.Fprintf(b, "  training            %.0f ms CPU, %.0f ms elapsed\n", ms(c.TrainCPU), ms(c.TrainWall))
	fmt.Fprintf(b, "  one answer          %.4f ms CPU median, %.4f ms p99; %.0f answers a CPU second\n", ms(c.P50), ms(c.P99), c.Throughput)
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
