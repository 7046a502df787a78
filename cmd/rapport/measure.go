package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/rapport-cx/rapport/internal/evaluate"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// planOf compiles the packs named, as a publish does.
func planOf(ctx context.Context, names []string) (*strategy.Version, error) {
	v, _, err := (&pack.Compiler{FS: packs.Files}).Compile(ctx, strategy.Source{Packs: names})
	return v, err
}

type evalCommand struct {
	Intents evalIntents `cmd:"" help:"Train on labelled sentences and answer the test part."`
	Needs   evalNeeds   `cmd:"" help:"Recognise the needs of labelled compound enquiries."`

	Propensity evalPropensity `cmd:"" help:"Let the learner of propensities, and a baseline beside it, act in made-up worlds."`
	Foresight  evalForesight  `cmd:"" help:"Foresee the needs of a made-up world, beside the Bayes predictor that knows how it works."`
	Identity   evalIdentity   `cmd:"" help:"Find the records of one person among person records, without the truth."`
}

type evalPropensity struct {
	Worlds    int    `help:"How many worlds." default:"3"`
	Seed      uint64 `help:"Seed of the first world; 0: a fresh one, printed." default:"0"`
	Decisions int    `help:"Decisions in each world." default:"60000"`
	Flip      int    `help:"Deal the customers' likings out anew after so many decisions; 0: never." default:"0"`
	Alone     bool   `help:"Leave the baseline out."`
}

func (e *evalPropensity) Run(ctx context.Context, con *console) error {
	o := evaluate.PropensityOptions{Decisions: e.Decisions, Flip: e.Flip, Baseline: !e.Alone}
	if e.Seed == 0 {
		e.Seed = rand.Uint64N(1 << 40)
		fmt.Fprintf(con.err, "seed %d\n", e.Seed)
	}
	for i := range e.Worlds {
		o.Seeds = append(o.Seeds, e.Seed+uint64(i))
	}
	report, err := evaluate.Propensity(ctx, o, con.err)
	if err != nil {
		return err
	}
	return con.show(report)
}

type evalForesight struct {
	Seed      uint64 `help:"Seed of the world; 0: a fresh one, printed." default:"0"`
	Customers int    `help:"Customers in it." default:"600"`
	Worlds    int    `help:"How many worlds, of the seeds that follow." default:"1"`
}

func (e *evalForesight) Run(ctx context.Context, con *console) error {
	if e.Seed == 0 {
		e.Seed = rand.Uint64N(1 << 40)
	}
	o := evaluate.ForesightOptions{Seed: e.Seed, Customers: e.Customers}
	if e.Worlds > 1 {
		report, err := evaluate.Foresights(ctx, o, e.Worlds, con.err)
		if err != nil {
			return err
		}
		return con.show(report)
	}
	report, err := evaluate.Foresight(ctx, o, con.err)
	if err != nil {
		return err
	}
	return con.show(report)
}

type evalIdentity struct {
	Path string `arg:"" help:"CSV file of person records with their rec_id, or a folder of them." type:"existingpath"`
}

func (e *evalIdentity) Run(ctx context.Context, con *console) error {
	reports, err := evaluate.Links(ctx, e.Path, con.err)
	if err != nil {
		return err
	}
	return con.show(reports)
}

type evalIntents struct {
	Path string `arg:"" help:"Folder or file of labelled sentences." type:"existingpath"`
	Part string `help:"Another training part of the folder, such as train_10." placeholder:"NAME"`

	HeldOut bool   `help:"Also hold intents out and measure how many of their sentences are told to be out of scope (docs/out-of-scope.md)."`
	Outside string `help:"Also measure on these sentences of another trade, all out of scope." type:"existingpath" placeholder:"PATH"`
}

func (e *evalIntents) Run(ctx context.Context, con *console) error {
	set, err := evaluate.Load(e.Path, e.Part)
	if err != nil {
		return err
	}
	report, err := evaluate.Intents(ctx, set, classify.Options{}, con.err)
	if err != nil {
		return err
	}
	if e.HeldOut {
		for _, by := range evaluate.Protocols {
			one, err := evaluate.HeldOut(ctx, set, by, evaluate.Seeds, classify.Options{}, con.err)
			if err != nil {
				return err
			}
			report.Scope = append(report.Scope, one)
		}
	}
	if e.Outside != "" {
		other, err := evaluate.Load(e.Outside, "")
		if err != nil {
			return err
		}
		one, err := evaluate.Outside(ctx, set, other, classify.Options{}, con.err)
		if err != nil {
			return err
		}
		report.Scope = append(report.Scope, one)
	}
	return con.show(report)
}

type evalNeeds struct {
	Path  string   `arg:"" help:"File of labelled enquiries." type:"existingfile"`
	Train string   `help:"Train on these single-intent sentences instead of the packs' examples." type:"existingpath" placeholder:"PATH"`
	Packs []string `help:"Packs to recognise with." default:"base,electronics"`
}

func (e *evalNeeds) Run(ctx context.Context, con *console) error {
	recognise, err := e.recogniser(ctx)
	if err != nil {
		return err
	}
	report, err := evaluate.Needs(ctx, e.Path, recognise, con.err)
	if err != nil {
		return err
	}
	return con.show(report)
}

func (e *evalNeeds) recogniser(ctx context.Context) (evaluate.Recogniser, error) {
	if e.Train != "" {
		set, err := evaluate.Load(e.Train, "")
		if err != nil {
			return nil, err
		}
		return evaluate.Learn(set.Train, split.Words{}, classify.Options{})
	}
	v, err := planOf(ctx, e.Packs)
	if err != nil {
		return nil, err
	}
	nobody := profile.New("", nil)
	return func(text string) []evaluate.Spoken {
		var out []evaluate.Spoken
		for _, n := range v.Need.Recognise(need.Enquiry{Text: text}, nobody, scene.Scene{}, need.NoNames{}).Needs {
			if n.Origin == need.Spoken && n.Span != nil && !n.Negated {
				out = append(out, evaluate.Spoken{Intent: n.Intent, Start: n.Span[0], End: n.Span[1]})
			}
		}
		return out
	}, nil
}

type needCommand struct {
	Text  string   `arg:"" help:"What a customer writes."`
	Packs []string `help:"Packs to recognise with." default:"base,electronics"`
}

func (n *needCommand) Run(ctx context.Context, con *console) error {
	v, err := planOf(ctx, n.Packs)
	if err != nil {
		return err
	}
	found := v.Need.Recognise(need.Enquiry{Text: n.Text}, profile.New("", nil), scene.Scene{}, need.NoNames{})
	if con.json {
		return con.print(found.Needs)
	}
	for _, x := range found.Needs {
		span := ""
		if x.Span != nil {
			span = fmt.Sprintf("[%d,%d)", x.Span[0], x.Span[1])
		}
		fmt.Fprintf(con.out, "%-3s %-9s %-36s %.2f %-9s %s\n", x.ID, x.Origin, x.Intent+slash(x.Sub()), x.Confidence, span, x.Text)
		for _, e := range x.Entities {
			fmt.Fprintf(con.out, "      %-10s %s %v\n", e.Type, e.Text, orElse(e.ID, fmt.Sprint(e.Value)))
		}
	}
	return nil
}

func slash(s string) string {
	if s == "" {
		return ""
	}
	return "/" + s
}
