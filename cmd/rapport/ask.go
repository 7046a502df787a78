package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// The parts of an answer that are printed; the whole is there with --json.
type printedAnswer struct {
	ID    string `json:"id"`
	Needs []struct {
		ID, Origin, Intent, Text, Status string
		Subintent                        *string
		Confidence                       float64
	} `json:"needs"`
	Blocks []struct {
		Kind, Title, Text string
		Columns           []struct{ Title string }
		Rows              []struct {
			Label string
			Cells []struct {
				Text string
				Best bool
			}
		}
		Steps   []string
		Cards   []struct{ Title, Text, Price string }
		Fields  []struct{ Label, Value string }
		Options []struct{ Label string }
		URL     string `json:"url"`
	} `json:"blocks"`
	Actions []struct {
		Action, Nature, Title string
		Score, Probability    float64
		Reasons               []printedReason
	} `json:"actions"`
	Evidence map[string]struct{ Kind, Ref, At, Summary string } `json:"evidence"`
}

type printedReason struct {
	Text     string
	Evidence []string
}

type decideCommand struct {
	target    `embed:""`
	Text      string `arg:"" optional:"" help:"What the customer writes; without it, what to offer unasked."`
	User      string `help:"User id of the customer." placeholder:"ID"`
	Anonymous string `help:"Anonymous id of the customer." placeholder:"ID"`
	Locale    string `help:"zh-CN or en; default: the text's language." placeholder:"TAG"`
	Device    string `help:"mobile, desktop, tablet or speaker." default:"desktop"`
	Time      string `help:"The moment to decide at (RFC 3339); default: now." placeholder:"TIME"`
}

func (d *decideCommand) Run(ctx context.Context, con *console) error {
	c, err := d.open()
	if err != nil {
		return err
	}
	scene := map[string]any{"channel": "cli", "device": map[string]any{"type": d.Device}}
	if d.Locale != "" {
		scene["locale"] = d.Locale
	}
	if d.Time != "" {
		scene["time"] = d.Time
	}
	body := map[string]any{"placement": "chat", "scene": scene}
	if d.Text != "" {
		body["enquiry"] = map[string]any{"text": d.Text}
	}
	if d.User != "" {
		body["user_id"] = d.User
	}
	if d.Anonymous != "" || d.User == "" {
		body["anonymous_id"] = orElse(d.Anonymous, "cli")
	}
	var raw json.RawMessage
	if err := c.post(ctx, "/v1/decisions", body, &raw); err != nil {
		return err
	}
	if con.json {
		return con.print(raw)
	}
	var a printedAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	a.print(con)
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (a *printedAnswer) print(con *console) {
	p := func(format string, args ...any) { fmt.Fprintf(con.out, format+"\n", args...) }
	p("%s", a.ID)
	for _, n := range a.Needs {
		label := n.Intent
		if n.Subintent != nil {
			label += "/" + *n.Subintent
		}
		p("  %-3s %-9s %-36s %.2f %-10s %s", n.ID, n.Origin, label, n.Confidence, n.Status, n.Text)
	}
	for _, b := range a.Blocks {
		p("")
		p("[%s] %s", b.Kind, b.Title)
		if b.Text != "" {
			p("%s", b.Text)
		}
		for _, r := range b.Rows {
			cells := make([]string, len(r.Cells))
			for i, c := range r.Cells {
				cells[i] = c.Text
				if c.Best {
					cells[i] += " *"
				}
			}
			p("  %s: %s", r.Label, strings.Join(cells, " | "))
		}
		for i, s := range b.Steps {
			p("  %d. %s", i+1, s)
		}
		for _, c := range b.Cards {
			p("  %s %s %s", c.Title, c.Price, c.Text)
		}
		for _, f := range b.Fields {
			p("  %s: %s", f.Label, f.Value)
		}
		for _, o := range b.Options {
			p("  ( ) %s", o.Label)
		}
		if b.URL != "" {
			p("  %s", b.URL)
		}
	}
	for _, x := range a.Actions {
		p("")
		p("-> %s (%s, p=%.2f, score %.3f) %s", x.Action, x.Nature, x.Probability, x.Score, x.Title)
		for _, r := range x.Reasons {
			p("   %s", r.Text)
			for _, e := range r.Evidence {
				p("     %s  %s", a.Evidence[e].Ref, a.Evidence[e].Summary)
			}
		}
	}
}

type whyCommand struct {
	target   `embed:""`
	Decision string `arg:"" help:"Id of the decision (dec_…)."`
}

func (w *whyCommand) Run(ctx context.Context, con *console) error {
	c, err := w.open()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.do(ctx, "GET", "/v1/decisions/"+url.PathEscape(w.Decision)+"/explanation", nil, &raw); err != nil {
		return err
	}
	if con.json {
		return con.print(raw)
	}
	var x struct {
		Procedure []string
		Chosen    []struct {
			Action, Nature     string
			Score, Probability float64
			Terms              []struct {
				Name  string
				Value float64
			}
		}
		Rejected        []struct{ Action, Stage, Rule, Reason string }
		Counterfactuals []struct{ Change, Outcome string }
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		return err
	}
	p := func(format string, args ...any) { fmt.Fprintf(con.out, format+"\n", args...) }
	for i, s := range x.Procedure {
		p("%d. %s", i+1, s)
	}
	for _, ch := range x.Chosen {
		p("\n+ %s (%s, p=%.2f)", ch.Action, ch.Nature, ch.Probability)
		for _, t := range ch.Terms {
			p("    %+9.4f  %s", t.Value, t.Name)
		}
		p("    %+9.4f  = score", ch.Score)
	}
	p("")
	for _, r := range x.Rejected {
		p("- %s: %s / %s: %s", r.Action, r.Stage, r.Rule, r.Reason)
	}
	for _, cf := range x.Counterfactuals {
		p("? %s -> %s", cf.Change, cf.Outcome)
	}
	return nil
}

type replayCommand struct {
	target          `embed:""`
	Decision        string   `arg:"" help:"Id of the decision (dec_…)."`
	Strategy        int      `help:"Decide under this strategy version." placeholder:"N"`
	Without         []string `help:"Leave out this evidence (ref); may be repeated." placeholder:"REF"`
	Personalization string   `help:"on or off." enum:"on,off," default:""`
}

func (r *replayCommand) Run(ctx context.Context, con *console) error {
	c, err := r.open()
	if err != nil {
		return err
	}
	body := map[string]any{}
	if r.Strategy != 0 {
		body["strategy_version"] = r.Strategy
	}
	if len(r.Without) > 0 {
		body["without"] = r.Without
	}
	if r.Personalization != "" {
		body["personalization"] = r.Personalization
	}
	var raw json.RawMessage
	if err := c.post(ctx, "/v1/decisions/"+url.PathEscape(r.Decision)+"/replay", body, &raw); err != nil {
		return err
	}
	if con.json {
		return con.print(raw)
	}
	var x struct {
		Identical bool
		Changed   []string
		Decision  printedAnswer
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "identical: %t\n", x.Identical)
	for _, ch := range x.Changed {
		fmt.Fprintf(con.out, "  changed %s\n", ch)
	}
	if !x.Identical {
		x.Decision.print(con)
	}
	return nil
}
