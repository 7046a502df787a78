package evaluate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
)

// Spoken is one need that the words of an enquiry express: its intent and its half-open span in runes;
// an empty span where the source labels intents only.
type Spoken struct {
	Intent     string
	Start, End int
}

// Enquiry is a text with the needs that it holds, in order.
type Enquiry struct {
	Text  string
	Needs []Spoken
}

// Recogniser finds the spoken needs of a text. Ruled-out needs are left out.
type Recogniser func(text string) []Spoken

// LoadEnquiries reads compound enquiries: JSON lines (text, subneeds with intent, start, end, implicit,
// negated and source), or blocks of a token and its slot a line, closed by the intents with # between.
// Needs that are implicit, ruled out or come from the history are no spoken ones and are left out.
func LoadEnquiries(path string) ([]Enquiry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	defer file.Close()
	var all []Enquiry
	if filepath.Ext(path) == ".txt" {
		blocks, err := readBlocks(file)
		if err != nil {
			return nil, fmt.Errorf("evaluate: %s: %w", path, err)
		}
		for _, b := range blocks {
			e := Enquiry{Text: b.Text}
			for _, intent := range b.Intents {
				e.Needs = append(e.Needs, Spoken{Intent: intent})
			}
			all = append(all, e)
		}
	} else if all, err = readEnquiries(file); err != nil {
		return nil, fmt.Errorf("evaluate: %s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("evaluate: %s: no enquiry", path)
	}
	return all, nil
}

func readEnquiries(r io.Reader) ([]Enquiry, error) {
	var all []Enquiry
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for line := 1; scanner.Scan(); line++ {
		if strings.TrimSpace(scanner.Text()) == "" {
			continue
		}
		var raw struct {
			Text     string
			Subneeds []struct {
				Intent            string
				Source            string
				Start, End        int
				Implicit, Negated bool
			}
		}
		if err := json.Unmarshal(scanner.Bytes(), &raw); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		e := Enquiry{Text: raw.Text}
		length := len([]rune(raw.Text))
		for _, s := range raw.Subneeds {
			if s.Implicit || s.Negated || s.Source != "" && s.Source != "text" {
				continue
			}
			if s.Start < 0 || s.End < s.Start || s.End > length {
				return nil, fmt.Errorf("line %d: span [%d, %d) in a text of %d characters", line, s.Start, s.End, length)
			}
			e.Needs = append(e.Needs, Spoken{s.Intent, s.Start, s.End})
		}
		all = append(all, e)
	}
	return all, scanner.Err()
}

// Learn makes a recogniser of single-intent examples alone: the classifier and the splitter as they
// serve, without catalogue, dialogue or profile.
func Learn(examples []classify.Example, words split.Words, o classify.Options) (Recogniser, error) {
	o.MarginsOnly = true // who cuts compares margins
	model, err := classify.Train(examples, o)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	texts := make([]string, len(examples))
	for i, e := range examples {
		texts[i] = e.Text
	}
	cues := split.Compile(words, texts)
	return func(s string) []Spoken {
		spans := split.Heard(text.Normalise(s), model.Spans(), cues)
		var needs []Spoken
		for _, span := range spans {
			if !span.Negated {
				needs = append(needs, Spoken{model.Intents()[span.Label], span.Start, span.End})
			}
		}
		return needs
	}, nil
}

// NeedReport is what was measured on compound enquiries. All figures but Cost are percentages.
type NeedReport struct {
	Path      string `json:"path"`
	Enquiries int    `json:"enquiries"`
	Needs     int    `json:"needs"`
	// Exact is the share of enquiries whose multiset of intents is right; SetExact counts each intent of
	// an enquiry once. Where the source's intents are a set (MixSNIPS joins different ones only), the
	// figures published for it compare sets, so SetExact is the one to hold against them.
	Exact    float64 `json:"intents_exact"`
	SetExact float64 `json:"intent_sets_exact"`
	// Counted is the share of enquiries cut into the right number of needs.
	Counted float64 `json:"counted_right"`
	// SpanF1 matches spans one to one at an intersection over union of at least one half, whatever the
	// intent; NeedF1 wants the intent to be right as well. Zero where the source has no spans.
	SpanF1 float64 `json:"span_f1"`
	NeedF1 float64 `json:"need_f1"`
	// Labelled is the share of matched spans whose intent is right.
	Labelled float64 `json:"intent_of_matched_spans"`
	Cost     Cost    `json:"cost"`
	Missed   []Miss  `json:"missed,omitempty"`
}

// Miss is an enquiry that was not understood as it was meant.
type Miss struct {
	Text  string   `json:"text"`
	Meant []string `json:"meant"`
	Taken []string `json:"taken"`
}

// Needs lets recognise answer every enquiry of the file at path and compares.
func Needs(ctx context.Context, path string, recognise Recogniser, progress io.Writer) (NeedReport, error) {
	r := NeedReport{Path: path}
	enquiries, err := LoadEnquiries(path)
	if err != nil {
		return r, err
	}
	if recognise == nil {
		return r, errors.New("evaluate: no recogniser")
	}
	fmt.Fprintf(progress, "answering %d enquiries\n", len(enquiries))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var clock stopwatch
	var exact, sets, counted, spans, needs, found int
	for i, e := range enquiries {
		if i%64 == 0 && ctx.Err() != nil {
			return r, ctx.Err()
		}
		clock.start()
		got := recognise(e.Text)
		clock.stop()
		r.Needs += len(e.Needs)
		found += len(got)
		if len(got) == len(e.Needs) {
			counted++
		}
		meant, taken := labels(e.Needs), labels(got)
		if slices.Equal(slices.Compact(slices.Clone(meant)), slices.Compact(slices.Clone(taken))) {
			sets++
		}
		if slices.Equal(meant, taken) {
			exact++
		} else {
			r.Missed = append(r.Missed, Miss{e.Text, said(e.Text, e.Needs), said(e.Text, got)})
		}
		for _, pair := range match(e.Needs, got) {
			spans++
			if e.Needs[pair[0]].Intent == got[pair[1]].Intent {
				needs++
			}
		}
	}
	r.Enquiries = len(enquiries)
	n := float64(r.Enquiries)
	r.Exact, r.SetExact, r.Counted = 100*float64(exact)/n, 100*float64(sets)/n, 100*float64(counted)/n
	r.SpanF1 = 200 * float64(spans) / float64(max(1, r.Needs+found))
	r.NeedF1 = 200 * float64(needs) / float64(max(1, r.Needs+found))
	r.Labelled = 100 * float64(needs) / float64(max(1, spans))
	r.Cost.P50, r.Cost.P99, r.Cost.Throughput = clock.summary()
	return r, nil
}

func labels(needs []Spoken) []string {
	out := make([]string, len(needs))
	for i, n := range needs {
		out[i] = n.Intent
	}
	slices.Sort(out)
	return out
}

func said(s string, needs []Spoken) []string {
	runes := []rune(s)
	out := make([]string, len(needs))
	for i, n := range needs {
		out[i] = n.Intent
		if n.End > n.Start {
			out[i] = string(runes[n.Start:n.End]) + " → " + n.Intent
		}
	}
	return out
}

// match pairs meant and found spans one to one, the best overlap first.
func match(meant, found []Spoken) [][2]int {
	var pairs [][2]int
	usedM, usedF := make([]bool, len(meant)), make([]bool, len(found))
	for {
		best, at := 0.0, [2]int{}
		for i, m := range meant {
			for j, f := range found {
				if v := overlap(m, f); !usedM[i] && !usedF[j] && v >= 0.5 && v > best {
					best, at = v, [2]int{i, j}
				}
			}
		}
		if best == 0 {
			return pairs
		}
		usedM[at[0]], usedF[at[1]] = true, true
		pairs = append(pairs, at)
	}
}

func overlap(a, b Spoken) float64 {
	both := min(a.End, b.End) - max(a.Start, b.Start)
	if both <= 0 {
		return 0
	}
	return float64(both) / float64(max(a.End, b.End)-min(a.Start, b.Start))
}

func (r NeedReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d enquiries, %d needs\n", r.Path, r.Enquiries, r.Needs)
	fmt.Fprintf(&b, "  intents exact       %.1f %% (as sets %.1f %%), right number of needs %.1f %%\n", r.Exact, r.SetExact, r.Counted)
	if r.SpanF1 > 0 {
		fmt.Fprintf(&b, "  spans               F1 %.1f (with the intent %.1f); intent of matched spans right %.1f %%\n", r.SpanF1, r.NeedF1, r.Labelled)
	}
	writeCost(&b, r.Cost)
	for i, m := range r.Missed {
		if i == 20 {
			fmt.Fprintf(&b, "  … and %d more\n", len(r.Missed)-i)
			break
		}
		fmt.Fprintf(&b, "  missed: %s\n    meant %s\n    taken %s\n", m.Text, strings.Join(m.Meant, " | "), strings.Join(m.Taken, " | "))
	}
	return b.String()
}
