// Package llm is an optional second reader beside the corridor: models behind an
// OpenAI-compatible endpoint. At step 4 one may be asked for embeddings of what the
// classifier does not read clearly; after step 6 and before step 7 another may be asked
// which reading of an unclear sentence is the likelier one, and how our own sentences
// may be worded. None is ever asked what is true, nor what to do.
//
// Every call goes to one base URL. What leaves has been through [veil]: no name,
// number or address of a customer is in it. What comes back is bounded, decoded
// strictly and checked again by who asked. An endpoint that fails is left alone for a
// while. Without a base URL nothing here is made, and nothing is called.
package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/engine"
)

// Options say where the endpoint is. The zero value is no endpoint.
type Options struct {
	URL        string // base, such as http://127.0.0.1:11434/v1; "/chat/completions" and "/embeddings" are put behind it
	Key        string // sent as a bearer token; "": none
	ChatModel  string // "": it is not asked to read or word anything
	EmbedModel string // "": it is not asked for embeddings
	// Cache is the file in which embeddings of known sentences are kept, "": none is;
	// CacheBytes how large it may become, 0: 256 MB.
	Cache      string
	CacheBytes int64
	// Wording lets the model word our sentences, and not only read unclear ones.
	Wording bool
	Client  *http.Client     // nil: one that follows no redirects and takes no proxy's word for it
	Clock   func() time.Time // nil: the machine's
}

// Bounds of what is sent and read.
const (
	mostBytes    = 64 << 10 // of an answer; one that is longer is no answer
	mostAtOnce   = 16       // calls under way
	mostSentence = 2000     // bytes of a sentence that is sent
	mostAsked    = 12       // sentences of one question
)

// Endpoint is one base URL. It is safe for concurrent use.
type Endpoint struct {
	o    Options
	base string
	// One of the two may be well while the other is not there at all.
	chatting, embedding breaker
	room                chan struct{}
	keeping             sync.Mutex // one at a time makes embeddings of known sentences
}

var _ engine.Reader = (*Endpoint)(nil)

// New checks the options; it calls nobody.
func New(o Options) (*Endpoint, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("llm: %q is no base URL: http:// or https:// and a host are needed", o.URL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("llm: the base URL has a user, a query or a fragment; the key has an option of its own")
	}
	if o.ChatModel == "" && o.EmbedModel == "" {
		return nil, errors.New("llm: the base URL needs the name of a model, for chat or for embeddings")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: mostAtOnce, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 32 << 10},
		}
	}
	return &Endpoint{o: o, base: strings.TrimRight(o.URL, "/"), chatting: breaker{now: o.Clock}, embedding: breaker{now: o.Clock}, room: make(chan struct{}, mostAtOnce)}, nil
}

// call posts one request and gives its answer, of so many bytes at most, to read, whose
// error says that it is not what was asked for. ctx bounds all of it.
func (e *Endpoint) call(ctx context.Context, b *breaker, path string, in any, most int, read func([]byte) error) error {
	select {
	case e.room <- struct{}{}:
		defer func() { <-e.room }()
	default:
		return fmt.Errorf("llm: %d calls are under way: %w", mostAtOnce, engine.ErrCounselOpen)
	}
	done, ok := b.enter()
	if !ok {
		return engine.ErrCounselOpen
	}
	err := e.post(ctx, path, in, most, read)
	switch {
	case errors.Is(err, context.Canceled):
		done(unknown) // the customer went away: it says nothing of the endpoint
	case err != nil:
		done(failed)
	default:
		done(worked)
	}
	return err
}

func (e *Endpoint) post(ctx context.Context, path string, in any, most int, read func([]byte) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("llm: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("llm: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if e.o.Key != "" {
		r.Header.Set("Authorization", "Bearer "+e.o.Key)
	}
	w, err := e.o.Client.Do(r)
	if err != nil {
		return fmt.Errorf("llm: %w", err)
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		return fmt.Errorf("llm: %s answers %s", path, w.Status)
	}
	answer, err := io.ReadAll(io.LimitReader(w.Body, int64(most)+1))
	switch {
	case err != nil:
		return fmt.Errorf("llm: reading the answer of %s: %w", path, err)
	case len(answer) > most:
		return fmt.Errorf("llm: the answer of %s is longer than %d bytes: %w", path, most, engine.ErrCounselInvalid)
	}
	if err := read(answer); err != nil {
		return fmt.Errorf("llm: the answer of %s: %w: %w", path, err, engine.ErrCounselInvalid)
	}
	return nil
}
