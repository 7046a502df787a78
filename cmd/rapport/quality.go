package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/internal/api"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

type packQuality struct {
	target `embed:""`
	From   string `arg:"" optional:"" help:"A pack of this binary by its name, a folder, or a built pack; without one, what is in force on a server." placeholder:"PACK"`
	Folds  int    `help:"Parts that the sentences are dealt into." default:"5"`
	Rows   int    `help:"How many rows of each list are shown; 0: all of them." default:"20"`
}

func (p *packQuality) Run(ctx context.Context, con *console) error {
	q, err := p.measure(ctx)
	if err != nil {
		return err
	}
	if con.json {
		return con.print(q)
	}
	return con.quality(q, p.Rows)
}

func (p *packQuality) measure(ctx context.Context) (q api.ClassifierQuality, err error) {
	if p.From == "" {
		c, err := p.open()
		if err != nil {
			return q, err
		}
		return q, c.do(ctx, "GET", "/v1/classifier", nil, &q)
	}
	if p.Folds < 2 {
		return q, fmt.Errorf("%d folds: there must be two at least", p.Folds)
	}
	compiler := &pack.Compiler{FS: packs.Files}
	source := strategy.Source{Packs: []string{p.From}}
	if info, err := fs.Stat(packs.Files, p.From); err != nil || !info.IsDir() {
		b, err := bring(p.From)
		if err != nil {
			return q, err
		}
		source = b.source()
	}
	if _, _, err := compiler.Compile(ctx, source); err != nil {
		return q, p.told(err) // faults first: a sentence may be missing for one
	}
	found, err := classify.CrossValidate(ctx, compiler.Sentences(source), p.Folds, classify.Options{Seed: 2026})
	if err != nil {
		return q, fmt.Errorf("quality of %s: %w", p.From, err)
	}
	return api.QualityOf(&found), nil
}

// quality prints a report as tables, the worst of each first.
func (con *console) quality(q api.ClassifierQuality, rows int) error {
	sentences := 0
	for _, i := range q.Intents {
		sentences += i.Examples
	}
	t := table{con: con, rows: rows}
	t.line("%d sentences of %d intents; %.1f %% are told right by a model that has not seen them (%d folds)\n", sentences, len(q.Intents), 100*q.Accuracy, q.Folds)
	t.head("The weakest intents", len(q.Intents), "%-28s %9s %9s %9s %9s\n", "intent", "sentences", "precision", "recall", "F1")
	for _, i := range t.of(len(q.Intents)) {
		x := q.Intents[i]
		t.line("%-28s %9d %9.3f %9.3f %9.3f\n", named(x.Intent), x.Examples, x.Precision, x.Recall, x.F1)
	}
	t.head("Confused", len(q.Confused), "%-28s %-28s %5s  %s\n", "meant", "taken for", "times", "such as")
	for _, i := range t.of(len(q.Confused)) {
		x := q.Confused[i]
		t.line("%-28s %-28s %5d  %s\n", named(x.Meant), named(x.Taken), x.Count, strings.Join(x.Texts[:min(1, len(x.Texts))], ""))
	}
	t.head("Looks like another intent's", len(q.Doubtful), "%-28s %-28s %s\n", "labelled", "looks like", "sentence")
	for _, i := range t.of(len(q.Doubtful)) {
		x := q.Doubtful[i]
		t.line("%-28s %-28s %s\n", named(x.Intent), named(x.Taken), x.Text)
	}
	repeated := func(title string, all []api.RepeatedSentence) {
		t.head(title, len(all), "%5s  %-40s %s\n", "times", "intents", "sentence")
		for _, i := range t.of(len(all)) {
			x := all[i]
			names := make([]string, len(x.Intents))
			for k, name := range x.Intents {
				names[k] = named(name)
			}
			t.line("%5d  %-40s %s\n", x.Times, strings.Join(names, ", "), x.Text)
		}
	}
	slices.SortStableFunc(q.Duplicates, func(a, b api.RepeatedSentence) int { return cmp.Compare(b.Times, a.Times) })
	repeated("Contradictions: one sentence under several intents", q.Contradictions)
	repeated("Duplicates", q.Duplicates)
	return t.err
}

func named(intent string) string {
	if intent == classify.Outside {
		return "(no shop's matter)"
	}
	return intent
}

// table prints lists of which only the first rows are shown; the first error stays.
type table struct {
	con  *console
	rows int
	err  error
}

func (t *table) line(format string, values ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.con.out, format, values...)
	}
}

// head titles a list of n rows; an empty one is said to be empty and has no columns.
func (t *table) head(title string, n int, format string, columns ...any) {
	switch shown := len(t.of(n)); {
	case n == 0:
		t.line("\n%s: none\n", title)
		return
	case shown < n:
		t.line("\n%s (%d of %d)\n", title, shown, n)
	default:
		t.line("\n%s\n", title)
	}
	t.line(format, columns...)
}

// of are the rows that are shown of n.
func (t *table) of(n int) []int {
	if t.rows > 0 {
		n = min(n, t.rows)
	}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}
