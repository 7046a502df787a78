package api

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// firstAnswers remember, for POSTs that carry an Idempotency-Key, the first answer
// for 24 hours: at most so many a workspace and so large, the oldest going first.
// They live in memory: after a restart an event is still known by its message id
// and a record by what it says, which is why this need not be durable.
type firstAnswers struct {
	now        clock
	mu         sync.Mutex
	workspaces map[string]*answerShelf
}

const (
	keepAnswer        = 24 * time.Hour
	mostAnswers       = 10_000
	mostAnswerBytes   = 32 << 20
	longestIdempotent = 255
)

type answerShelf struct {
	byKey map[string]*firstAnswer
	order []*firstAnswer // oldest first
	bytes int
}

type firstAnswer struct {
	key    string
	print  [32]byte // of method, path and body
	at     time.Time
	done   bool
	status int
	kind   string
	body   []byte
}

func newFirstAnswers(now clock) *firstAnswers {
	return &firstAnswers{now: now, workspaces: map[string]*answerShelf{}}
}

// begin finds the first answer of a key, or makes room for it: mine is true for
// whoever has to give it.
func (f *firstAnswers) begin(workspace, key string, print [32]byte) (a *firstAnswer, mine bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shelf := f.workspaces[workspace]
	if shelf == nil {
		shelf = &answerShelf{byKey: map[string]*firstAnswer{}}
		f.workspaces[workspace] = shelf
	}
	now := f.now()
	for len(shelf.order) > 0 && (now.Sub(shelf.order[0].at) >= keepAnswer || len(shelf.order) >= mostAnswers || shelf.bytes > mostAnswerBytes) {
		shelf.drop(shelf.order[0])
	}
	if a = shelf.byKey[key]; a != nil {
		switch {
		case a.print != print:
			return nil, false, refuse(http.StatusUnprocessableEntity, "idempotency_reused")
		case !a.done:
			return nil, false, refuse(http.StatusConflict, "idempotency_in_progress")
		}
		return a, false, nil
	}
	a = &firstAnswer{key: key, print: print, at: now}
	shelf.byKey[key] = a
	shelf.order = append(shelf.order, a)
	return a, true, nil
}

func (s *answerShelf) drop(a *firstAnswer) {
	if s.byKey[a.key] == a {
		delete(s.byKey, a.key)
	}
	for i, o := range s.order {
		if o == a {
			s.order = append(s.order[:i], s.order[i+1:]...)
			s.bytes -= len(a.body)
			return
		}
	}
}

// end keeps an answer, or forgets the key when the request failed on our side or
// was refused: then nothing happened, and it may be tried again.
func (f *firstAnswers) end(workspace string, a *firstAnswer, got *recording) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shelf := f.workspaces[workspace]
	if got == nil || got.status >= 300 {
		shelf.drop(a)
		return
	}
	a.done, a.status, a.kind, a.body = true, got.status, got.Header().Get("Content-Type"), bytes.Clone(got.body.Bytes())
	if shelf.byKey[a.key] == a {
		shelf.bytes += len(a.body)
	}
}

// forget drops every answer of a workspace in which a text stands: who is erased
// must not live on in an answer that was kept.
func (f *firstAnswers) forget(workspace, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shelf := f.workspaces[workspace]
	if shelf == nil {
		return
	}
	for _, a := range slices.Clone(shelf.order) {
		if bytes.Contains(a.body, []byte(text)) {
			shelf.drop(a)
		}
	}
}

// once answers a POST with an Idempotency-Key: by doing it, or by the first answer.
func (s *server) once(c *call, do func(w http.ResponseWriter) error) {
	key := c.r.Header.Get("Idempotency-Key")
	if len(key) > longestIdempotent {
		s.problem(c.w, c.r, refuse(http.StatusBadRequest, "idempotency_key_long"))
		return
	}
	w := c.w
	// Two callers of one workspace who chose one key by chance are kept apart.
	who := c.r.Header.Get("Authorization") + "\x00" + c.member.ID + "\x00" + c.r.Header.Get("X-Identity-Token")
	h := sha256.New()
	for _, part := range []string{c.r.Method, c.r.URL.RequestURI(), who} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(c.raw)
	var print [32]byte
	h.Sum(print[:0])
	a, mine, err := s.answers.begin(c.workspace.ID, key, print)
	if err != nil {
		s.problem(w, c.r, err)
		return
	}
	if !mine {
		w.Header().Set("Content-Type", a.kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.Header().Set("Idempotent-Replayed", "true")
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
		return
	}
	got := &recording{ResponseWriter: w, status: http.StatusOK}
	finished := false
	defer func() {
		if !finished { // the handler failed; serve answers
			s.answers.end(c.workspace.ID, a, nil)
		}
	}()
	if err := do(got); err != nil {
		s.problem(got, c.r, err)
	}
	finished = true
	s.answers.end(c.workspace.ID, a, got)
}

// recording keeps what is being answered.
type recording struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recording) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recording) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}
