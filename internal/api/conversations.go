package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/treatment"
)

// ConversationRequest opens a conversation.
type ConversationRequest struct {
	Asking
}

// Conversation is an open conversation.
type Conversation struct {
	ID string `json:"id"`
}

// ConversationMessage is one message of the customer.
type ConversationMessage struct {
	Asking
	MessageID   string       `json:"message_id,omitempty" maxLength:"512" doc:"Makes the message count once."`
	Text        string       `json:"text" minLength:"1" maxLength:"8000"`
	Attachments []Attachment `json:"attachments,omitempty" maxItems:"20"`
	Scene       *Scene       `json:"scene,omitempty"`
	Limit       int          `json:"limit,omitempty" minimum:"0" maximum:"20"`
}

// Spoken is one entry of a conversation's stream.
type Spoken struct {
	Role     string         `json:"role" enum:"user,agent"`
	At       time.Time      `json:"at"`
	Text     string         `json:"text"`
	Decision *engine.Answer `json:"decision,omitempty" doc:"What an agent's message was decided by."`
}

func (s *server) conversationRoutes() {
	add(s, route{
		method: "POST", path: "/v1/conversations", tag: "Conversations", who: writeKey, status: http.StatusCreated, optional: true, summary: "Open a conversation.",
		details: "Its id belongs to who opened it: messages and the stream need the same identity.",
	}, func(c *call, in *ConversationRequest) (Conversation, error) {
		a, err := s.asker(c.caller, in.UserID, in.AnonymousID, in.IdentityToken)
		if err != nil {
			return Conversation{}, err
		}
		k, ok := speaker(a)
		if !ok {
			return Conversation{}, faulty("/user_id", "no_identity")
		}
		return Conversation{ID: s.conversation(c.workspace, k)}, nil
	})
	add(s, route{
		method: "POST", path: "/v1/conversations/{id}/messages", tag: "Conversations", who: writeKey, summary: "Say something: it is decided, stored and answered.",
	}, s.say)
	rt := route{
		method: "GET", path: "/v1/conversations/{id}/stream", tag: "Conversations", who: writeKey, stream: "text/event-stream", summary: "Follow a conversation (server-sent events).",
		query: []string{"anonymous_id: who opened it, with a write key and no identity token", "write_key: for browsers, whose EventSource cannot set a header"},
	}
	s.document(rt, nil, reflect.TypeFor[Spoken]())
	s.open["GET "+rt.path] = true
	s.mux.HandleFunc("GET "+rt.path, s.stream)
}

// speaker is the key under which somebody speaks: the user id when it is proven,
// else the anonymous id.
func speaker(a identity.Asker) (identity.Key, bool) {
	for _, k := range a.Keys {
		if k.Kind == "anon" || a.Proven {
			return k, true
		}
	}
	return identity.Key{}, false
}

var idLetters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// conversation makes the id of a conversation: random, and signed with whose it
// is, so that nothing need be stored to know who may speak in it.
func (s *server) conversation(w engine.Workspace, owner identity.Key) string {
	random := s.Random()
	body := idLetters.EncodeToString(random[:])
	return "cnv_" + body + conversationSeal(w, body, owner)
}

func conversationSeal(w engine.Workspace, body string, owner identity.Key) string {
	m := hmac.New(sha256.New, []byte("conversation\x00"+w.SecretKey))
	m.Write([]byte(body + "\x00" + owner.String()))
	return idLetters.EncodeToString(m.Sum(nil)[:10])
}

// speaksIn tells which of the keys a conversation belongs to. With a secret key,
// which vouches for anyone, an id that was made elsewhere (another channel's) is
// taken as it is.
func (s *server) speaksIn(c *call, id string, a identity.Asker) (identity.Key, bool) {
	rest, ours := strings.CutPrefix(id, "cnv_")
	if ours && len(rest) == 42 {
		for _, k := range a.Keys {
			if (a.Proven || k.Kind == "anon") && hmac.Equal([]byte(rest[26:]), []byte(conversationSeal(c.workspace, rest[:26], k))) {
				return k, true
			}
		}
		return identity.Key{}, false
	}
	if !c.secret {
		return identity.Key{}, false
	}
	return speaker(a)
}

// say decides and stores what the customer said and what was answered, all at
// once; both are events of the customer's own, so the next turn reads them.
func (s *server) say(c *call, in *ConversationMessage) (*engine.Answer, error) {
	id := c.r.PathValue("id")
	a, err := s.asker(c.caller, in.UserID, in.AnonymousID, in.IdentityToken)
	if err != nil {
		return nil, err
	}
	if len(a.Keys) == 0 {
		return nil, faulty("/user_id", "no_identity")
	}
	who, ok := s.speaksIn(c, id, a)
	if !ok {
		return nil, refuse(http.StatusNotFound, "not_found")
	}
	r, err := s.request(c, &DecisionRequest{
		Asking: in.Asking, ConversationID: id, Placement: "chat", Scene: in.Scene, Limit: in.Limit,
		Enquiry: &Enquiry{Text: in.Text, Attachments: in.Attachments},
	})
	if err != nil {
		return nil, err
	}
	sent := s.message(c, "Live Chat Message Sent", id, who, in.Text, nil, r.Asker.Proven)
	if in.MessageID != "" {
		sent.ID = event.MessageID(c.workspace.ID, in.MessageID)
	}
	text := ""
	answer, err := s.Engine.Converse(c.context(), r, func(a *engine.Answer) []event.Event {
		text = said(a)
		return []event.Event{sent, s.message(c, "Live Chat Message Received", id, who, text, map[string]any{"decision_id": a.ID}, true)}
	})
	if err != nil {
		return nil, unavailable(err)
	}
	s.counted(answer)
	at := s.now()
	s.streams.publish(c.workspace.ID, id, Spoken{Role: "user", At: at, Text: in.Text}, Spoken{Role: "agent", At: at, Text: text, Decision: answer})
	return answer, nil
}

func (s *server) message(c *call, name, conversation string, who identity.Key, text string, more map[string]any, verified bool) event.Event {
	at := s.now()
	properties := map[string]any{"conversation_id": conversation, "message_body": text}
	for k, v := range more {
		properties[k] = v
	}
	body, err := json.Marshal(properties)
	if err != nil {
		panic(err) // texts only
	}
	e := event.Event{ID: s.ids(), Kind: event.Track, Name: name, Time: at, Received: at, Verified: verified, Body: body}
	if who.Kind == "user" {
		e.UserID = who.Value
	} else {
		e.AnonymousID = who.Value
	}
	return e
}

// said is an answer as one text, for transcripts and channels that have no blocks.
func said(a *engine.Answer) string {
	var parts []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" && len(text) < 8000 {
			parts = append(parts, text)
		}
	}
	for _, b := range a.Blocks {
		add(b.Title)
		add(b.Text)
		for _, step := range b.Steps {
			add(step)
		}
		for _, card := range b.Cards {
			add(strings.TrimSpace(card.Title + " " + card.Price + " " + card.Text))
		}
		add(optionText(b.Options))
	}
	return strings.Join(parts, "\n")
}

func optionText(options []treatment.Option) string {
	labels := make([]string, len(options))
	for i, o := range options {
		labels[i] = o.Label
	}
	return strings.Join(labels, " / ")
}

// streams carry what is said to who follows. They hold nothing: the log does.
type streams struct {
	mu        sync.Mutex
	listeners map[string]map[chan []byte]struct{}
	count     int
}

const mostListeners = 10_000

func newStreams() *streams { return &streams{listeners: map[string]map[chan []byte]struct{}{}} }

func (st *streams) listen(workspace, conversation string) (ch chan []byte, leave func(), ok bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.count >= mostListeners {
		return nil, nil, false
	}
	at := workspace + "\x00" + conversation
	if st.listeners[at] == nil {
		st.listeners[at] = map[chan []byte]struct{}{}
	}
	ch = make(chan []byte, 32)
	st.listeners[at][ch] = struct{}{}
	st.count++
	return ch, func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		delete(st.listeners[at], ch)
		if len(st.listeners[at]) == 0 {
			delete(st.listeners, at)
		}
		st.count--
	}, true
}

// publish hands messages to the listeners; one who does not keep up misses some
// and reads them from the timeline.
func (st *streams) publish(workspace, conversation string, all ...Spoken) {
	st.mu.Lock()
	defer st.mu.Unlock()
	listeners := st.listeners[workspace+"\x00"+conversation]
	if len(listeners) == 0 {
		return
	}
	for _, m := range all {
		text, err := json.Marshal(m)
		if err != nil {
			continue // our own types
		}
		for ch := range listeners {
			select {
			case ch <- text:
			default:
			}
		}
	}
}

// heartbeat keeps proxies from closing a quiet stream.
const heartbeat = 20 * time.Second

func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	who, err := s.authenticate(w, r, writeKey, r.URL.Query().Get("write_key"))
	if err != nil {
		s.problem(w, r, err)
		return
	}
	c := &call{caller: who, s: s, w: w, r: r}
	q := r.URL.Query()
	anonymous := q.Get("anonymous_id")
	if anonymous == "" {
		anonymous = r.Header.Get("X-Anonymous-Id")
	}
	a, err := s.asker(who, q.Get("user_id"), anonymous, "")
	if err != nil {
		s.problem(w, r, err)
		return
	}
	id := r.PathValue("id")
	if _, ok := s.speaksIn(c, id, a); !ok && !who.secret {
		s.problem(w, r, refuse(http.StatusNotFound, "not_found"))
		return
	}
	messages, leave, ok := s.streams.listen(who.workspace.ID, id)
	if !ok {
		s.problem(w, r, refuse(http.StatusServiceUnavailable, "unavailable"))
		return
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{})
	_, _ = fmt.Fprint(w, ": open\n\n")
	if out.Flush() != nil {
		return
	}
	quiet := time.NewTicker(heartbeat)
	defer quiet.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case text := <-messages:
			if _, err := fmt.Fprintf(w, "event: message\ndata: %s\n\n", text); err != nil {
				return
			}
		case <-quiet.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}
