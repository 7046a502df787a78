package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type strategyCommand struct {
	List     strategyList     `cmd:"" help:"List the versions; * is in force."`
	Validate strategyValidate `cmd:"" help:"Say all that is wrong with a version."`
	Lint     strategyLint     `cmd:"" help:"Say what compiles and is probably wrong."`
	Diff     strategyDiff     `cmd:"" help:"Say what two versions differ in."`
	Simulate strategySimulate `cmd:"" help:"Say what a version would have changed of the logged past."`
	Approval strategyApproval `cmd:"" help:"Tell whether a version needs somebody else's approval, and for what."`
	Request  strategyRequest  `cmd:"" help:"Ask for somebody else's approval of a version."`
	Approve  strategyApprove  `cmd:"" help:"Approve what somebody else asks for."`
	Reject   strategyReject   `cmd:"" help:"Reject what somebody else asks for."`
	Withdraw strategyWithdraw `cmd:"" help:"Take one's own request for approval back."`
	Publish  strategyPublish  `cmd:"" help:"Put a version in force: for all, for a share, or later."`
	Rollback strategyRollback `cmd:"" help:"Put an older version in force again."`
	Export   strategyExport   `cmd:"" help:"Write a version to a folder, to be kept in Git."`
	Import   strategyImport   `cmd:"" help:"Make a draft of a folder that export has written."`
	Stop     strategyStop     `cmd:"" help:"Switch an action off, on every node."`
	Resume   strategyResume   `cmd:"" help:"Switch an action on again."`
}

// one is a command about one version.
type one struct {
	target  `embed:""`
	Version int `arg:"" help:"Number of the version."`
}

func (o *one) at(rest string) string { return fmt.Sprintf("/v1/strategies/%d%s", o.Version, rest) }

// show makes a call and prints what comes back.
func (o *one) show(ctx context.Context, con *console, method, path string, body any) error {
	c, err := o.open()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if body == nil {
		err = c.do(ctx, method, path, nil, &raw)
	} else {
		err = c.send(ctx, method, path, body, &raw)
	}
	if err != nil {
		return err
	}
	return con.print(raw)
}

type strategyList struct {
	target `embed:""`
}

func (l *strategyList) Run(ctx context.Context, con *console) error {
	c, err := l.open()
	if err != nil {
		return err
	}
	var page struct {
		Items []versionBrief `json:"items"`
	}
	if err := c.do(ctx, "GET", "/v1/strategies?limit=1000", nil, &page); err != nil {
		return err
	}
	if con.json {
		return con.print(page.Items)
	}
	for _, v := range page.Items {
		if err := con.version(v); err != nil {
			return err
		}
	}
	return nil
}

type strategyValidate struct {
	one `embed:""`
}

func (v *strategyValidate) Run(ctx context.Context, con *console) error {
	c, err := v.open()
	if err != nil {
		return err
	}
	var out struct {
		Valid  bool `json:"valid"`
		Faults []struct {
			File, Message, Caret string
			Line, Column         int
		} `json:"faults"`
	}
	var raw json.RawMessage
	if err := c.do(ctx, "POST", v.at("/validate"), nil, &raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	if con.json {
		err = con.print(raw)
	} else {
		for _, f := range out.Faults {
			fmt.Fprintf(con.out, "%s:%d:%d: %s\n%s\n", f.File, f.Line, f.Column, f.Message, f.Caret)
		}
	}
	if !out.Valid {
		return errors.Join(err, fmt.Errorf("version %d has %d faults", v.Version, len(out.Faults)))
	}
	if !con.json {
		con.say("version %d is in order", v.Version)
	}
	return err
}

type strategyLint struct {
	one `embed:""`
}

func (l *strategyLint) Run(ctx context.Context, con *console) error {
	return l.show(ctx, con, "POST", l.at("/lint"), nil)
}

type strategyDiff struct {
	one     `embed:""`
	Against int `help:"The other version; default: the one in force." placeholder:"N"`
}

func (d *strategyDiff) Run(ctx context.Context, con *console) error {
	c, err := d.open()
	if err != nil {
		return err
	}
	path := d.at("/diff")
	if d.Against != 0 {
		path += fmt.Sprintf("?against=%d", d.Against)
	}
	var raw json.RawMessage
	if err := c.do(ctx, "GET", path, nil, &raw); err != nil {
		return err
	}
	if con.json {
		return con.print(raw)
	}
	var out struct {
		Files []struct{ Diff string } `json:"files"`
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	for _, f := range out.Files {
		fmt.Fprint(con.out, f.Diff)
	}
	return nil
}

type strategySimulate struct {
	one    `embed:""`
	Since  string `help:"RFC 3339; default: 30 days back." placeholder:"TIME"`
	Limit  int    `help:"Most decisions, the newest." default:"1000"`
	Reward string `help:"What it is valued by: accepted, dismissed, resolved, or a metric of its packs." default:"accepted" placeholder:"NAME"`
}

func (s *strategySimulate) Run(ctx context.Context, con *console) error {
	body := map[string]any{"limit": s.Limit, "reward": s.Reward}
	if s.Since != "" {
		body["since"] = s.Since
	}
	c, err := s.open()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.send(ctx, "POST", s.at("/simulate"), body, &raw); err != nil {
		return err
	}
	if con.json {
		return con.print(raw)
	}
	return con.simulation(raw)
}

// simulation prints what a version would have changed, and what that would have brought.
func (con *console) simulation(raw json.RawMessage) error {
	type estimate struct{ Value, Low, High float64 }
	var s struct {
		Version, Decisions, Changed, People int
		Before                              int `json:"nothing_before"`
		After                               int `json:"nothing_after"`
		Actions                             []struct {
			Action                      string
			Before, After, Gained, Lost int
		}
		Value struct {
			Reward, Reason         string
			Rounds                 int
			Effective, Tried       float64
			Enough                 bool
			Logged, IPS, SNIPS, DR estimate
		}
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "version %d: %d of %d decisions of %d customers would change; nothing to give: %d before, %d after\n", s.Version, s.Changed, s.Decisions, s.People, s.Before, s.After)
	for _, a := range s.Actions {
		fmt.Fprintf(con.out, "  %-28s %6d → %-6d gained %d, lost %d\n", a.Action, a.Before, a.After, a.Gained, a.Lost)
	}
	v := &s.Value
	fmt.Fprintf(con.out, "%s, by %d answers that were shown: ", v.Reward, v.Rounds)
	if !v.Enough {
		_, err := fmt.Fprintf(con.out, "not enough evidence (%s)\n", v.Reason)
		return err
	}
	fmt.Fprintf(con.out, "worth %.0f of the version's own, %.0f %% of its choices were tried\n", v.Effective, 100*v.Tried)
	for _, l := range []struct {
		name string
		estimate
	}{{"as it was", v.Logged}, {"IPS", v.IPS}, {"SNIPS", v.SNIPS}, {"DR", v.DR}} {
		fmt.Fprintf(con.out, "  %-10s %.4f  95 %% from %.4f to %.4f\n", l.name, l.Value, l.Low, l.High)
	}
	return nil
}

type strategyPublish struct {
	one    `embed:""`
	Canary float64 `help:"Only for this share of the customers, 0 to 1." placeholder:"SHARE"`
	At     string  `help:"Later, at this time (RFC 3339)." placeholder:"TIME"`
	Note   string  `help:"Why, for the list of versions." placeholder:"TEXT"`
}

func (p *strategyPublish) Run(ctx context.Context, con *console) error {
	body := map[string]any{"note": p.Note}
	if p.Canary > 0 {
		body["canary"] = p.Canary
	}
	if p.At != "" {
		body["at"] = p.At
	}
	return p.change(ctx, con, "/publish", body)
}

// change makes a call that gives a version back, and prints it.
func (o *one) change(ctx context.Context, con *console, rest string, body any) error {
	c, err := o.open()
	if err != nil {
		return err
	}
	var v versionBrief
	if err := c.send(ctx, "POST", o.at(rest), body, &v); err != nil {
		return err
	}
	return con.version(v)
}

type strategyRollback struct {
	one  `embed:""`
	Note string `help:"Why, for the record." placeholder:"TEXT"`
}

func (r *strategyRollback) Run(ctx context.Context, con *console) error {
	return r.change(ctx, con, "/rollback", map[string]any{"note": r.Note})
}

// strategyFile names the packs of an exported version; the rest of the folder are
// its files.
const strategyFile = "strategy.json"

type strategyExport struct {
	one `embed:""`
	Dir string `arg:"" help:"Folder to write; what it holds of an older export is replaced." type:"path"`
}

func (e *strategyExport) Run(ctx context.Context, con *console) error {
	c, err := e.open()
	if err != nil {
		return err
	}
	var v versionBrief
	if err := c.do(ctx, "GET", e.at(""), nil, &v); err != nil {
		return err
	}
	head, err := json.MarshalIndent(map[string]any{"packs": v.Packs, "note": v.Note}, "", "  ")
	if err != nil {
		return err
	}
	files := map[string]string{strategyFile: string(head) + "\n"}
	for name, text := range v.Files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("the version has a file %q, which lies outside of a folder", name)
		}
		files["files/"+name] = text
	}
	if err := os.RemoveAll(filepath.Join(e.Dir, "files")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(e.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	con.say("wrote version %d to %s: %d files", v.Version, e.Dir, len(files))
	return nil
}

type strategyImport struct {
	target `embed:""`
	Dir    string `arg:"" help:"Folder that export has written." type:"existingdir"`
}

func (i *strategyImport) Run(ctx context.Context, con *console) error {
	c, err := i.open()
	if err != nil {
		return err
	}
	head, err := os.ReadFile(filepath.Join(i.Dir, strategyFile))
	if err != nil {
		return err
	}
	var draft struct {
		Packs []string          `json:"packs"`
		Note  string            `json:"note,omitempty"`
		Files map[string]string `json:"files,omitempty"`
	}
	if err := json.Unmarshal(head, &draft); err != nil {
		return fmt.Errorf("%s: %w", strategyFile, err)
	}
	draft.Files = map[string]string{}
	root := os.DirFS(filepath.Join(i.Dir, "files"))
	err = fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == "." {
			return nil // a version without files of its own
		}
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, p)
		draft.Files[p] = string(text)
		return err
	})
	if err != nil {
		return err
	}
	var v versionBrief
	if err := c.send(ctx, "POST", "/v1/strategies", draft, &v); err != nil {
		return err
	}
	return con.version(v)
}

type strategyStop struct {
	target `embed:""`
	Action string `arg:"" help:"Id of the action."`
	Reason string `required:"" help:"Stands in the explanations and in the log." placeholder:"TEXT"`
	Until  string `help:"Until then (RFC 3339); default: until it is lifted." placeholder:"TIME"`
}

func (s *strategyStop) Run(ctx context.Context, con *console) error {
	body := map[string]any{"reason": s.Reason}
	if s.Until != "" {
		body["until"] = s.Until
	}
	return s.turn(ctx, con, s.Action, "stop", body)
}

type strategyResume struct {
	target `embed:""`
	Action string `arg:"" help:"Id of the action."`
}

func (s *strategyResume) Run(ctx context.Context, con *console) error {
	return s.turn(ctx, con, s.Action, "resume", map[string]any{})
}

func (t target) turn(ctx context.Context, con *console, action, to string, body any) error {
	c, err := t.open()
	if err != nil {
		return err
	}
	if strings.ContainsAny(action, "/?#") {
		return fmt.Errorf("%q is no id of an action", action)
	}
	var raw json.RawMessage
	if err := c.send(ctx, "POST", "/v1/actions/"+action+"/"+to, body, &raw); err != nil {
		return err
	}
	return con.print(raw)
}
