package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// StrategyApproval is how a version stands with those who approve.
type StrategyApproval struct {
	Version      int               `json:"version"`
	TwoApprovers bool              `json:"two_approvers" doc:"The workspace asks for two."`
	Needed       bool              `json:"needed" doc:"It cannot be published as things are."`
	Against      int               `json:"against" doc:"The version in force, with which it is compared."`
	Changes      []strategy.Change `json:"changes" doc:"What it changes that bears on an action of major impact."`
	Request      *strategy.Request `json:"request,omitempty" doc:"The last one for this version."`
	MayApprove   []Member          `json:"may_approve" doc:"Who else than who asks may approve it."`
	You          bool              `json:"you" doc:"Whether the caller may approve the request that is open."`
}

// ApprovalNote is what somebody says to it.
type ApprovalNote struct {
	Note string `json:"note,omitempty" maxLength:"2000"`
}

func (s *server) approvalRoutes() {
	const tag = "Strategies"
	add(s, route{method: "GET", path: "/v1/strategies/{v}/approval", tag: tag, who: secretKey, summary: "Tell whether a version needs somebody else's approval, for what, and what became of it."}, numbered(func(c *call, n int, _ *none) (StrategyApproval, error) {
		return s.approval(c, n)
	}))
	add(s, route{method: "POST", path: "/v1/strategies/{v}/approval", tag: tag, who: secretKey, optional: true, summary: "Ask for somebody else's approval of a version."}, numbered(func(c *call, n int, in *ApprovalNote) (StrategyApproval, error) {
		if _, err := s.Engine.AskApproval(c.context(), c.workspace.ID, n, s.actor(c), in.Note); err != nil {
			return StrategyApproval{}, s.refusedApproval(c, err)
		}
		return s.approval(c, n)
	}))
	settle := func(method, path string, deed strategy.Deed, summary string) {
		add(s, route{method: method, path: "/v1/strategies/{v}/" + path, tag: tag, who: secretKey, optional: true, summary: summary}, numbered(func(c *call, n int, in *ApprovalNote) (StrategyApproval, error) {
			if deed == strategy.Rejected && strings.TrimSpace(in.Note) == "" {
				return StrategyApproval{}, faulty("/note", "missing")
			}
			if _, err := s.Engine.Settle(c.context(), c.workspace.ID, n, deed, s.actor(c), in.Note); err != nil {
				return StrategyApproval{}, s.refusedApproval(c, err)
			}
			return s.approval(c, n)
		}))
	}
	settle("POST", "approve", strategy.Approved, "Approve what somebody else asks for.")
	settle("POST", "reject", strategy.Rejected, "Reject what somebody else asks for, saying why.")
	settle("POST", "withdraw", strategy.Withdrawn, "Take one's own request for approval back.")
	add(s, route{method: "GET", path: "/v1/approvals", tag: tag, who: secretKey, summary: "List the requests for approval that are open, the oldest first."}, func(c *call, _ *none) (Page[strategy.Request], error) {
		all := s.Engine.Requests(c.workspace.ID)
		return paged(all, max(len(all), 1), func(r strategy.Request) string { return strconv.Itoa(r.Version) }), nil
	})
	add(s, route{
		method: "GET", path: "/v1/audit", tag: tag, who: secretKey, query: append([]string{"version: of the strategy; all when missing"}, pageQuery...),
		summary: "Tell who did what to the strategies, the newest first.",
	}, func(c *call, _ *none) (Page[strategy.Act], error) {
		return s.audit(c)
	})
}

func (s *server) audit(c *call) (Page[strategy.Act], error) {
	limit, after, err := page(c.r)
	if err != nil {
		return Page[strategy.Act]{}, err
	}
	version := 0
	if text := c.r.URL.Query().Get("version"); text != "" {
		if version, err = strconv.Atoi(text); err != nil || version < 1 {
			return Page[strategy.Act]{}, refuse(http.StatusNotFound, "not_found")
		}
	}
	if err := s.Engine.CatchUp(c.context(), c.workspace.ID); err != nil {
		return Page[strategy.Act]{}, err
	}
	all := s.Engine.History(c.workspace.ID, version)
	if after != "" {
		i := 0
		for i < len(all) && all[i].ID != after {
			i++
		}
		if i == len(all) {
			return Page[strategy.Act]{}, refuse(http.StatusBadRequest, "bad_cursor")
		}
		all = all[i+1:]
	}
	return paged(all[:min(len(all), limit+1)], limit, func(a strategy.Act) string { return a.ID }), nil
}

func (s *server) approval(c *call, n int) (StrategyApproval, error) {
	a, err := s.Engine.Approval(c.context(), c.workspace.ID, n)
	if err != nil {
		return StrategyApproval{}, refusedStrategy(err)
	}
	out := StrategyApproval{Version: n, TwoApprovers: a.Guarded, Needed: a.Needed, Against: a.Against, Changes: a.Changes, Request: a.Request, MayApprove: []Member{}}
	if out.Changes == nil {
		out.Changes = []strategy.Change{}
	}
	me := s.actor(c)
	asks := &me
	if a.Request != nil && a.Request.State == strategy.RequestOpen {
		asks = &a.Request.By
		out.You = me.Approver && me.Apart(asks)
	}
	for _, m := range s.mayApprove(c.workspace.ID, asks) {
		out.MayApprove = append(out.MayApprove, memberOf(m))
	}
	return out, nil
}

// mayApprove lists who may approve what somebody asks for.
func (s *server) mayApprove(id string, asks *strategy.Actor) (all []workspace.Member) {
	if s.Members == nil {
		return nil
	}
	by := *asks
	by.From = s.Members.From(id, by.ID)
	for _, m := range s.Members.Of(id) {
		other := strategy.Actor{ID: m.ID, From: s.Members.From(id, m.ID)}
		if m.Has(workspace.Approver) && other.Apart(&by) {
			all = append(all, m)
		}
	}
	return all
}

// refusedApproval is why something was not approved or published, in words that say
// who may approve it.
func (s *server) refusedApproval(c *call, err error) error {
	var u *engine.Unapproved
	switch {
	case errors.As(err, &u):
		return s.unapproved(c, u)
	case errors.Is(err, engine.ErrSameActor):
		me := s.actor(c)
		return &refusal{status: http.StatusForbidden, code: "same_approver", args: []string{"who", s.whoMayApprove(c, &me)}, cause: err}
	case errors.Is(err, engine.ErrNoApprover):
		return &refusal{status: http.StatusForbidden, code: "approver_needed", args: []string{"who", s.whoMayApprove(c, &strategy.Actor{})}, cause: err}
	case errors.Is(err, engine.ErrNoRequest):
		return &refusal{status: http.StatusConflict, code: "no_request", cause: err}
	case errors.Is(err, engine.ErrNothingToDo):
		return &refusal{status: http.StatusConflict, code: "nothing_to_approve", cause: err}
	}
	return refusedStrategy(err)
}

// unapproved refuses to publish, naming what must be approved and by whom.
func (s *server) unapproved(c *call, u *engine.Unapproved) error {
	asks, code := s.actor(c), "approval_needed"
	if u.Request != nil && u.Request.State == strategy.RequestOpen {
		asks, code = u.Request.By, "approval_open"
	}
	r := &refusal{status: http.StatusConflict, code: code, args: []string{"who", s.whoMayApprove(c, &asks)}, cause: u}
	for i := range u.Changes {
		r.faults = append(r.faults, flaw{pointer: "", code: "major_impact", said: toldChange(&u.Changes[i])})
	}
	return r
}

// whoMayApprove names them in the caller's language.
func (s *server) whoMayApprove(c *call, asks *strategy.Actor) string {
	l := language(c.r)
	var names []string
	for _, m := range s.mayApprove(c.workspace.ID, asks) {
		names = append(names, memberName(l, m.ID, m.Name))
	}
	if len(names) == 0 {
		return sentence(l, "approver_nobody", nil)
	}
	if l == scene.Chinese {
		return strings.Join(names, "、")
	}
	return strings.Join(names, ", ")
}

func memberName(l scene.Locale, id, name string) string {
	if id == workspace.FirstMember {
		return sentence(l, "member_first", nil)
	}
	return name
}

// toldChange is a change in both languages.
func toldChange(ch *strategy.Change) *candidate.Text {
	tell := func(l scene.Locale) string {
		name := ch.Title.In(l)
		if name == "" {
			name = ch.ID
		}
		key := "change." + string(ch.Part)
		if name == "" {
			key += ".only"
		}
		actions := strings.Join(ch.Actions, map[bool]string{true: "、", false: ", "}[l == scene.Chinese])
		return sentence(l, "change", []string{"what", sentence(l, key, []string{"name", name}), "how", sentence(l, "change."+string(ch.How), nil), "actions", actions})
	}
	return &candidate.Text{Zh: tell(scene.Chinese), En: tell(scene.English)}
}
