package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/kindred"
	"github.com/rapport-cx/rapport/need/veil"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/workspace"
)

// Embedder gives embeddings of sentences. It need not be trusted: what it gives is
// bounded here, and one that does not help is not listened to ([kindred.Train]). Its
// errors are those of a [Reader].
type Embedder interface {
	// Model names what makes the embeddings; those of two models say nothing of each other.
	Model() string
	// Embed gives one embedding for each text, in their order. The texts are customers'
	// words, without what names them; nothing of them is kept. It returns when ctx ends
	// at the latest.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	// Known does the same for sentences of packs and of the company's own, of which there
	// may be many; it may take minutes, and may keep what it was given.
	Known(ctx context.Context, texts []string) ([][]float32, error)
}

// errStranger says that a witness has another embedding than when the head learned.
var errStranger = fmt.Errorf("the endpoint embeds a sentence otherwise than before: %w", ErrCounselInvalid)

// liking is the head that a workspace is served with.
type liking struct {
	current atomic.Pointer[likenessHead]

	mu    sync.Mutex // guards what follows, and makes one head at a time
	done  string     // digest of the version whose sentences the head has learned
	again time.Time  // not before, since it failed
	pause time.Duration
}

type likenessHead struct {
	Key  string        `json:"key"` // of model and sentences
	Head *kindred.Head `json:"head"`
}

const (
	likenessModel = "likeness"
	// LikenEvery is how often it is worth looking whether sentences have changed.
	LikenEvery      = 2 * time.Second
	likenAgain      = 30 * time.Second // after a failure, doubling
	likenAgainMost  = 10 * time.Minute
	mostLikened     = 1000 // bytes of a stretch of an enquiry; longer ones are left to the classifier
	mostSentences   = 40_000
	longestSentence = 1000 // bytes of an example
)

// likesOf asks for embeddings of what the classifier does not read clearly, and says what
// the head makes of them. nil: there was nothing to ask, or nobody.
func (e *Engine) likesOf(p patience, t *tenant, in *Inputs, m moment) *need.Likes {
	k := t.liking.current.Load()
	if e.Embedder == nil || k == nil || k.Head.Weight == 0 || in.Unasked != nil || in.Enquiry.Text == "" && in.Enquiry.About == "" {
		return nil
	}
	who := m.who.Masked(profile.Mask{Off: !in.Personal, On: in.Personal, Fields: m.version.Decision.Fields})
	var texts []string
	for _, s := range m.version.Need.Recognise(in.Enquiry, who, in.Scene, m.catalogue).Unsettled {
		if len(s) <= mostLikened {
			texts = append(texts, s)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	likes := &need.Likes{Head: k.Key, Sure: k.Head.Sure}
	v := veil.New(private(in.Keys, m.who))
	witness := &k.Head.Witnesses[int(sha256.Sum256([]byte(texts[0]))[0])%len(k.Head.Witnesses)]
	sent := make([]string, 0, len(texts)+1)
	for _, s := range texts {
		sent = append(sent, v.Hide(s))
	}
	vectors, err := within(p, func(ctx context.Context) ([][]float32, error) {
		return e.Embedder.Embed(ctx, append(sent, witness.Text))
	})
	if err == nil && (len(vectors) != len(texts)+1 || !witness.Recognises(vectors[len(texts)])) {
		err = errStranger
	}
	for i := 0; err == nil && i < len(texts); i++ {
		var l kindred.Lean
		if l, err = k.Head.Lean(vectors[i]); err == nil {
			likes.Of = append(likes.Of, need.Like{Text: texts[i], Lean: l})
		}
	}
	if errors.Is(err, kindred.ErrVector) {
		err = fmt.Errorf("%w: %w", err, ErrCounselInvalid)
	}
	if err != nil { // half of them would be no fair hearing
		likes.Of, likes.Degraded = nil, degradedBy(err)
	}
	return likes
}

// Liken makes a head for the sentences of the version in force, when they are not those of
// the head in use, and puts it into use as a whole. Embeddings are asked for in batches, by
// one process at a time; the others read what that one has kept. It takes seconds, and
// minutes where the embeddings are slow; customers are served meanwhile.
func (e *Engine) Liken(ctx context.Context, workspaceID string, alone func(ctx context.Context, job string, do func(ctx context.Context) error) error) error {
	t, err := e.tenant(workspaceID)
	if err != nil || e.Embedder == nil || e.Models == nil {
		return err
	}
	l := &t.liking
	l.mu.Lock()
	defer l.mu.Unlock()
	v := t.current.Load()
	if v == nil || v.Digest == l.done || e.now().Before(l.again) {
		return nil
	}
	err = alone(ctx, "liken "+workspaceID, func(ctx context.Context) error { return e.liken(ctx, t, v.Number) })
	if err != nil {
		l.pause = min(max(2*l.pause, likenAgain), likenAgainMost)
		l.again = e.now().Add(l.pause)
		return fmt.Errorf("likeness of %s: %w", workspaceID, err)
	}
	l.done, l.pause, l.again = v.Digest, 0, time.Time{}
	return nil
}

func (e *Engine) liken(ctx context.Context, t *tenant, version int) error {
	s, err := e.source(ctx, t.ID, version)
	if err != nil {
		return err
	}
	examples := e.Compiler.Sentences(s)
	examples = examples[:min(len(examples), mostSentences)]
	sum := sha256.New()
	fmt.Fprintf(sum, "%q\n", e.Embedder.Model())
	texts := make([]string, len(examples))
	for i, x := range examples {
		texts[i] = veil.Conceal(x.Text, nil)
		if len(texts[i]) > longestSentence || texts[i] == "" {
			texts[i] = "-"
		}
		fmt.Fprintf(sum, "%q %q\n", x.Intent, x.Text)
	}
	key := hex.EncodeToString(sum.Sum(nil)[:8])
	if k := t.liking.current.Load(); k != nil && k.Key == key {
		return nil
	}
	const kind = modelPaper + likenessModel
	if p, ok, err := e.Models.Paper(ctx, t.ID, kind, newestModel); err != nil {
		return err
	} else if k, err := readLikeness(p.Body); ok && err == nil && k.Key == key {
		t.liking.current.Store(k)
		return nil
	}
	vectors, err := e.Embedder.Known(ctx, texts)
	if err != nil {
		return err
	}
	for i := range examples {
		examples[i].Text = texts[i] // the witnesses among them will be sent again
	}
	head, err := kindred.Train(ctx, e.Embedder.Model(), examples, vectors, kindred.Options{})
	if errors.Is(err, kindred.ErrTooFew) {
		head, err = &kindred.Head{Model: e.Embedder.Model()}, nil
	}
	if err != nil {
		return err
	}
	kept, err := head.Marshal()
	if err != nil {
		return err
	}
	body, err := json.Marshal(keptLikeness{key, kept})
	if err != nil {
		return err
	}
	if err := e.Models.SavePapers(ctx, t.ID, []workspace.Paper{{Kind: kind, ID: newestModel, Body: body}}); err != nil {
		return err
	}
	t.liking.current.Store(&likenessHead{key, head})
	return nil
}

type keptLikeness struct {
	Key  string          `json:"key"`
	Head json.RawMessage `json:"head"`
}

func readLikeness(body []byte) (*likenessHead, error) {
	var k keptLikeness
	if err := json.Unmarshal(body, &k); err != nil {
		return nil, err
	}
	head, err := kindred.Unmarshal(k.Head)
	return &likenessHead{k.Key, head}, err
}

// KeepLikeness keeps the heads of all workspaces fresh until ctx ends.
func (e *Engine) KeepLikeness(ctx context.Context, alone func(ctx context.Context, job string, do func(ctx context.Context) error) error) {
	if e.Embedder == nil {
		return
	}
	for ctx.Err() == nil {
		for _, w := range e.Workspaces() {
			if err := e.Liken(ctx, w.ID, alone); err != nil && ctx.Err() == nil {
				e.Report(err)
			}
		}
		pause(ctx, LikenEvery)
	}
}

// Liking is what is told of the embeddings that stand beside a workspace's classifier.
type Liking struct {
	Model  string        `json:"model"`
	Weight float64       `json:"weight"` // 0: they do not help, and are not asked
	About  kindred.About `json:"about"`
}

// Liking tells of the head in use; ok is false when there is none yet.
func (e *Engine) Liking(workspaceID string) (l Liking, ok bool, err error) {
	t, err := e.tenant(workspaceID)
	if err != nil {
		return l, false, err
	}
	k := t.liking.current.Load()
	if k == nil {
		return l, false, nil
	}
	return Liking{k.Head.Model, k.Head.Weight, k.Head.About}, true, nil
}

// patience bounds everything that one answer asks of others: ask ends when the budget is
// over, wait when nobody is waited for any longer, whatever they do.
type patience struct{ ask, wait context.Context }

// asking begins to be patient; stop ends it.
func asking(ctx context.Context, budget time.Duration) (p patience, stop func()) {
	wait, leave := context.WithTimeout(ctx, budget+counselGrace)
	ask, cancel := context.WithTimeout(ctx, budget)
	return patience{ask, wait}, func() { cancel(); leave() }
}

// within asks, and waits no longer than patience lasts whatever is asked.
func within[T any](p patience, ask func(ctx context.Context) (T, error)) (T, error) {
	type answer struct {
		said T
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		said, err := ask(p.ask)
		answered <- answer{said, err}
	}()
	select {
	case a := <-answered:
		return a.said, a.err
	case <-p.wait.Done():
		var nothing T
		return nothing, p.wait.Err()
	}
}

// degradedBy names why somebody outside said nothing.
func degradedBy(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrCounselOpen):
		return "open"
	case errors.Is(err, ErrCounselInvalid):
		return "invalid"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "error"
}
