package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

type strategyRequest struct {
	one  `embed:""`
	Note string `help:"What it is for." placeholder:"TEXT"`
}

func (r *strategyRequest) Run(ctx context.Context, con *console) error {
	return r.settle(ctx, con, "/approval", r.Note)
}

type strategyApprove struct {
	one  `embed:""`
	Note string `help:"What you say to it." placeholder:"TEXT"`
}

func (a *strategyApprove) Run(ctx context.Context, con *console) error {
	return a.settle(ctx, con, "/approve", a.Note)
}

type strategyReject struct {
	one  `embed:""`
	Note string `required:"" help:"Why." placeholder:"TEXT"`
}

func (r *strategyReject) Run(ctx context.Context, con *console) error {
	return r.settle(ctx, con, "/reject", r.Note)
}

type strategyWithdraw struct {
	one `embed:""`
}

func (w *strategyWithdraw) Run(ctx context.Context, con *console) error {
	return w.settle(ctx, con, "/withdraw", "")
}

type strategyApproval struct {
	one `embed:""`
}

func (a *strategyApproval) Run(ctx context.Context, con *console) error {
	c, err := a.open()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.do(ctx, "GET", a.at("/approval"), nil, &raw); err != nil {
		return err
	}
	return con.approval(raw)
}

func (o *one) settle(ctx context.Context, con *console, rest, note string) error {
	c, err := o.open()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.send(ctx, "POST", o.at(rest), map[string]any{"note": note}, &raw); err != nil {
		return err
	}
	return con.approval(raw)
}

// approval prints how a version stands with those who approve.
func (con *console) approval(raw json.RawMessage) error {
	if con.json {
		return con.print(raw)
	}
	var a struct {
		Version, Against int
		Needed           bool
		TwoApprovers     bool `json:"two_approvers"`
		Changes          []struct {
			Part, ID, How string
			Actions       []string
		}
		Request *struct {
			State, Note string
			By          struct{ Name string }
			Settled     *struct {
				By   struct{ Name string }
				Note string
			}
		}
		MayApprove []struct{ Name string } `json:"may_approve"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "version %d beside version %d: %s\n", a.Version, a.Against, approvalWord(a.TwoApprovers, a.Needed, len(a.Changes)))
	for _, ch := range a.Changes {
		fmt.Fprintf(con.out, "  %-8s %-8s %-24s bears on %s\n", ch.How, ch.Part, ch.ID, strings.Join(ch.Actions, ", "))
	}
	if r := a.Request; r != nil {
		fmt.Fprintf(con.out, "request by %s: %s %s\n", r.By.Name, r.State, r.Note)
		if s := r.Settled; s != nil {
			fmt.Fprintf(con.out, "  settled by %s %s\n", s.By.Name, s.Note)
		}
	}
	if a.Needed {
		names := make([]string, len(a.MayApprove))
		for i, m := range a.MayApprove {
			names[i] = m.Name
		}
		fmt.Fprintf(con.out, "may approve: %s\n", orElse(strings.Join(names, ", "), "nobody yet"))
	}
	return nil
}

func approvalWord(two, needed bool, changes int) string {
	switch {
	case needed:
		return "needs approval"
	case changes == 0:
		return "changes nothing of major impact"
	case !two:
		return "the workspace does not ask for two approvers"
	}
	return "is approved"
}

type keyCommand struct {
	List   keyList   `cmd:"" help:"List who works on the workspace."`
	Add    keyAdd    `cmd:"" help:"Make a secret key for a person or a program, and print it once."`
	Remove keyRemove `cmd:"" help:"Take a key away, on every node."`
	Login  keyLogin  `cmd:"" help:"Make a one-time link that opens the console as the key's holder."`
	Two    keyTwo    `cmd:"" help:"Ask for two approvers of rules of major impact, or ask that it end."`
}

type keyList struct {
	target `embed:""`
}

type memberBrief struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
	Key   string   `json:"key,omitempty"`
}

func (l *keyList) Run(ctx context.Context, con *console) error {
	c, err := l.open()
	if err != nil {
		return err
	}
	var page struct {
		Items []memberBrief `json:"items"`
	}
	if err := c.do(ctx, "GET", "/v1/keys", nil, &page); err != nil {
		return err
	}
	if con.json {
		return con.print(page.Items)
	}
	for _, m := range page.Items {
		fmt.Fprintf(con.out, "%-34s %-24s %s\n", m.ID, m.Name, strings.Join(m.Roles, ","))
	}
	return nil
}

type keyAdd struct {
	target `embed:""`
	Name   string   `arg:"" help:"Who it is for."`
	Role   []string `help:"owner or approver; may be given twice." placeholder:"ROLE"`
}

func (a *keyAdd) Run(ctx context.Context, con *console) error {
	c, err := a.open()
	if err != nil {
		return err
	}
	var m memberBrief
	if err := c.send(ctx, "POST", "/v1/keys", map[string]any{"name": a.Name, "roles": a.Role}, &m); err != nil {
		return err
	}
	if con.json {
		return con.print(m)
	}
	_, err = fmt.Fprintf(con.out, "id   %s\nkey  %s\n", m.ID, m.Key)
	return err
}

type keyRemove struct {
	target `embed:""`
	ID     string `arg:"" help:"Id of the key, as listed."`
}

func (r *keyRemove) Run(ctx context.Context, con *console) error {
	c, err := r.open()
	if err != nil {
		return err
	}
	if err := c.do(ctx, "DELETE", "/v1/keys/"+r.ID, nil, nil); err != nil {
		return err
	}
	con.say("the key of %s is taken away", r.ID)
	return nil
}

type keyLogin struct {
	target `embed:""`
}

func (l *keyLogin) Run(ctx context.Context, con *console) error {
	c, err := l.open()
	if err != nil {
		return err
	}
	var me struct{ You memberBrief }
	if err := c.do(ctx, "GET", "/v1/settings", nil, &me); err != nil {
		return err
	}
	var link struct {
		URL string `json:"url"`
	}
	if err := c.send(ctx, "POST", "/v1/keys/"+me.You.ID+"/login", map[string]any{}, &link); err != nil {
		return err
	}
	_, err = fmt.Fprintln(con.out, c.base+link.URL)
	return err
}

type keyTwo struct {
	target `embed:""`
	How    string `arg:"" enum:"on,off,confirm,insist" help:"on; off (asks another approver); confirm or insist: the other approver's answer to off."`
	Note   string `help:"Why." placeholder:"TEXT"`
}

func (t *keyTwo) Run(ctx context.Context, con *console) error {
	c, err := t.open()
	if err != nil {
		return err
	}
	method, path, body := "PUT", "/v1/settings", map[string]any{"note": t.Note}
	switch t.How {
	case "confirm":
		method, path = "POST", "/v1/settings/approve"
	case "insist":
		method, path = "POST", "/v1/settings/reject"
	default:
		body["two_approvers"] = t.How == "on"
	}
	var raw json.RawMessage
	if err := c.send(ctx, method, path, body, &raw); err != nil {
		return err
	}
	return con.print(raw)
}
