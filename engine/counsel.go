package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/veil"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
	"github.com/rapport-cx/rapport/workspace"
)

// Reader is a second opinion on words, a language model as a rule. It is asked after
// the decision is made, and what it says can move two things only: which reading of an
// unclear sentence the customer is asked about first, and how sentences of ours are
// worded. What it says is checked here; a Reader need not be trusted.
//
// Consult returns when ctx ends at the latest. An error is one of ErrCounsel…, or any
// other for a failure; what came before it is used.
type Reader interface {
	Consult(ctx context.Context, q Question) (Opinion, error)
}

// Why there is no (whole) opinion.
var (
	ErrCounselInvalid = errors.New("what was answered is not what was asked for")
	ErrCounselOpen    = errors.New("not asked, for it failed too often lately")
)

// Question is what a Reader is asked.
type Question struct {
	Locale  scene.Locale
	Doubts  []need.Doubt
	Intents []Intent // that a doubt may be taken for
	Wording []string // sentences that may be said in other words
	Private []string // names and ids of the customer, which may not leave the house
}

// Intent is an intent as it is offered to a Reader.
type Intent struct {
	Label string
	Title string
}

// Opinion is what a Reader says, unchecked.
type Opinion struct {
	Parts   map[string][]need.Part // by the id of the doubt
	Wording map[int]string         // by the place in Question.Wording
}

// Counsel is an opinion as it was taken in: it is an input of the decision, so that
// a replay shows the same without asking again.
type Counsel struct {
	Views    []need.View           `json:"views,omitempty"`
	Wordings []treatment.Rewording `json:"wordings,omitempty"`
	// Degraded says why there is none, or only a part: timeout, error, invalid, open.
	Degraded string `json:"degraded,omitempty"`
}

// counselBudget is how long all questions of one answer may take together.
const counselBudget = 800 * time.Millisecond

// counselGrace is how much longer a reader has that must still say what it has got.
const counselGrace = 100 * time.Millisecond

// counselOf asks the reader about one walk. nil: there was nothing to ask, or nobody.
func (e *Engine) counselOf(p patience, in *Inputs, m moment, w *walked) *Counsel {
	if e.Reader == nil || in.Unasked != nil || in.Enquiry.Text == "" {
		return nil
	}
	q := Question{Locale: in.Scene.Locale, Doubts: need.Doubts(w.decision.Needs), Wording: treatment.Wordable(&w.solution), Private: private(in.Keys, m.who)}
	if len(q.Doubts) == 0 && len(q.Wording) == 0 {
		return nil
	}
	offered := m.version.Need.Labels()
	for _, l := range offered {
		q.Intents = append(q.Intents, Intent{l, m.version.Treatment.Title(l, "", in.Scene.Locale)})
	}
	o, err := within(p, func(ctx context.Context) (Opinion, error) { return e.Reader.Consult(ctx, q) })
	return checked(&q, offered, o, err)
}

// checked takes in of an opinion what can be true.
func checked(q *Question, offered []string, o Opinion, err error) *Counsel {
	c := &Counsel{Degraded: degradedBy(err)}
	for i := range q.Doubts {
		d := &q.Doubts[i]
		v, ok := d.Checked(o.Parts[d.Need], offered)
		if !ok && c.Degraded == "" {
			c.Degraded = "invalid"
		}
		if len(v.Parts) > 0 {
			c.Views = append(c.Views, v)
		}
	}
	for i, text := range q.Wording {
		if worded := o.Wording[i]; worded != text && treatment.Faithful(text, worded) {
			c.Wordings = append(c.Wordings, treatment.Rewording{Text: text, Worded: worded})
		}
	}
	return c
}

// namesOf are the traits that name somebody or tell where to find them.
var namesOf = []string{"name", "first_name", "firstName", "last_name", "lastName", "full_name", "nickname", "username", "email", "phone", "mobile", "birthday", "id_card", "passport", "wechat", "qq", "address", "street", "company", "employer"}

// private lists what must not leave the house: names, addresses and ids of the
// customer, the longest first.
func private(keys []identity.Key, who *profile.Profile) (all []string) {
	var add func(v any)
	add = func(v any) {
		switch v := v.(type) {
		case string:
			if len([]rune(v)) >= 2 {
				all = append(all, v)
			}
		case map[string]any:
			for _, x := range v {
				add(x)
			}
		case []any:
			for _, x := range v {
				add(x)
			}
		}
	}
	for _, name := range namesOf {
		add(who.Traits[name].Value)
	}
	for _, k := range keys {
		add(k.Value)
	}
	for _, records := range who.Records {
		for id := range records {
			add(id)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	return slices.Compact(all)
}

// Papers keep small documents beside the log; see [workspace.Paper].
type Papers interface {
	SavePapers(ctx context.Context, of string, papers []workspace.Paper) error
	// Papers lists up to limit papers of a kind by id, beginning behind after.
	Papers(ctx context.Context, of, kind, after string, limit int) ([]workspace.Paper, error)
}

// paperCandidate is the kind of paper a [Candidate] is.
const paperCandidate = "training-candidate"

// MostCandidates bounds how many sentences wait to be looked at.
const MostCandidates = 2000

// Who proposes what a sentence means.
const (
	byReader   = "model"
	byCustomer = "customer"
)

// Candidate is a sentence that the classifier and the reader took for different
// things, or of which the customer said what they had meant when they were asked back.
// Somebody has to confirm what it means before anything is learned from it.
type Candidate struct {
	ID       string       `json:"id"`
	Text     string       `json:"text"` // without what names the customer
	Lang     scene.Locale `json:"lang"`
	Taken    string       `json:"taken"`    // by the classifier
	Proposed string       `json:"proposed"` // by the reader, or the customer
	By       string       `json:"by"`       // model, customer
	At       time.Time    `json:"at"`
	Decision string       `json:"decision"`

	Keys []identity.Key `json:"keys,omitempty"` // whose words they are, for their erasure
}

// learnFrom keeps what the reader saw otherwise, and what a customer said they had meant
// when they were asked back. The customer has their decision by then; a failure is told to
// who runs the house.
func (e *Engine) learnFrom(ctx context.Context, workspaceID, decision string, in *Inputs, m moment, w *walked) {
	if e.Papers == nil || in.Counsel == nil && in.Enquiry.Chosen == nil {
		return
	}
	var papers []workspace.Paper
	wait := func(text, taken, proposed, by string) {
		c := Candidate{Text: veil.Conceal(text, private(in.Keys, m.who)), Lang: in.Scene.Locale, Taken: taken, Proposed: proposed, By: by, At: in.Scene.Time, Decision: decision, Keys: in.Keys}
		if l, ok := scene.LocaleOf(text); ok {
			c.Lang = l
		}
		sum := sha256.Sum256([]byte(c.Text + "\x00" + c.Proposed))
		c.ID = "tc_" + hex.EncodeToString(sum[:10])
		body, err := json.Marshal(c)
		if err != nil {
			panic(err) // texts and times
		}
		papers = append(papers, workspace.Paper{Kind: paperCandidate, ID: c.ID, Body: body})
	}
	if chosen := in.Enquiry.Chosen; chosen != nil && in.Enquiry.About != "" {
		taken := ""
		for _, n := range m.version.Need.Recognise(need.Enquiry{Text: in.Enquiry.About}, profile.New("", nil), in.Scene, m.catalogue).Needs {
			if n.Origin == need.Spoken && taken == "" {
				taken = n.Intent
			}
		}
		wait(in.Enquiry.About, taken, chosen.Intent, byCustomer)
	}
	for _, d := range need.Doubts(w.decision.Needs) {
		if in.Counsel == nil {
			break
		}
		i := slices.IndexFunc(in.Counsel.Views, func(v need.View) bool { return v.Need == d.Need && v.Differs(&d) })
		if i < 0 {
			continue
		}
		for _, p := range in.Counsel.Views[i].Parts {
			if p.Intent != d.Readings[0].Intent {
				wait(p.Text, d.Readings[0].Intent, p.Intent, byReader)
			}
		}
	}
	if len(papers) == 0 {
		return
	}
	full, err := e.Papers.Papers(ctx, workspaceID, paperCandidate, "", MostCandidates)
	if err == nil && len(full) < MostCandidates {
		err = e.Papers.SavePapers(ctx, workspaceID, papers)
	}
	if err != nil {
		e.Report(fmt.Errorf("training candidates of %s: %w", decision, err))
	}
}
