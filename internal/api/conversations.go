package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// ConversationRequest opens a conversation.
type ConversationRequest struct {
	Asking
	Greet bool   `json:"greet,omitempty" doc:"Begin with what the customer left open and its news, if there is anything."`
	Scene *Scene `json:"scene,omitempty"`
}

// Conversation is an open conversation.
type Conversation struct {
	ID       string         `json:"id"`
	Greeting *engine.Answer `json:"greeting,omitempty" doc:"The first words, when they were asked for and there is something to say."`
}

// ConversationMessage is one message of the customer, or, with a secret key and the
// role "agent", of a person of the company.
type ConversationMessage struct {
	Asking
	MessageID   string       `json:"message_id,omitempty" maxLength:"512" doc:"Makes the message count once; sent again it gets its first answer."`
	Role        string       `json:"role,omitempty" enum:"user,agent" doc:"Who speaks: the customer (user, when not given), or a person of the company (agent; secret key)."`
	Text        string       `json:"text,omitempty" maxLength:"8000" doc:"May be missing when there are attachments."`
	Attachments []Attachment `json:"attachments,omitempty" maxItems:"20"`
	Author      *Speaker     `json:"author,omitempty" doc:"Which of several people writes, when more than one speaks in the conversation."`
	Agent       *Speaker     `json:"agent,omitempty" doc:"The person of the company who speaks (role agent)."`
	Scene       *Scene       `json:"scene,omitempty"`
	Limit       int          `json:"limit,omitempty" minimum:"0" maximum:"20"`
}

// Speaker is somebody who speaks in a conversation.
type Speaker struct {
	ID   string `json:"id,omitempty" maxLength:"200"`
	Name string `json:"name,omitempty" maxLength:"200"`
}

func (w *Speaker) who() conversation.Who {
	if w == nil {
		return conversation.Who{}
	}
	return conversation.Who(*w)
}

// Handing is what a person does with a conversation.
type Handing struct {
	Agent  *Speaker `json:"agent,omitempty" doc:"Who takes it or hands it back; the name is told to the customer."`
	Note   string   `json:"note,omitempty" maxLength:"2000" doc:"For colleagues; the customer does not see it."`
	Solved bool     `json:"solved,omitempty" doc:"Handed back because the matter is solved."`
}

func (h *Handing) move() engine.Move {
	return engine.Move{Agent: h.Agent.who(), Note: h.Note, Solved: h.Solved}
}

// Spoken is one entry of a conversation: a message, or a change of who has the word.
type Spoken struct {
	ID          string          `json:"id" doc:"Resumes the stream behind it, as Last-Event-ID."`
	Type        string          `json:"type" enum:"message,handover"`
	Role        string          `json:"role,omitempty" enum:"user,agent"`
	By          string          `json:"by,omitempty" enum:"adviser,person" doc:"Who of the company speaks."`
	At          time.Time       `json:"at"`
	Text        string          `json:"text" doc:"What was said; of a hand-over the sentence for the customer."`
	Author      *Speaker        `json:"author,omitempty"`
	Agent       *Speaker        `json:"agent,omitempty"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
	State       string          `json:"state,omitempty" enum:"adviser,waiting,person" doc:"Of a hand-over: who has the word now."`
	Note        string          `json:"note,omitempty" doc:"For colleagues (secret key)."`
	Decision    json.RawMessage `json:"decision,omitempty" doc:"What an adviser's message was decided by."`
}

// Transcript is a conversation read back.
type Transcript struct {
	Conversation engine.Talk `json:"conversation"`
	Messages     []Spoken    `json:"messages"`
}

// Handover is a conversation that waits for a person, or is with one.
type Handover struct {
	ConversationID string          `json:"conversation_id"`
	State          string          `json:"state" enum:"waiting,person"`
	Since          time.Time       `json:"since"`
	RequestedAt    *time.Time      `json:"requested_at,omitempty"`
	Seconds        int64           `json:"seconds" doc:"How long it has been in this state."`
	Person         string          `json:"person,omitempty" doc:"The customer."`
	Agent          *Speaker        `json:"agent,omitempty"`
	Reason         string          `json:"reason,omitempty" doc:"The action that asked for a person."`
	Brief          json.RawMessage `json:"brief,omitempty" doc:"Summary, needs, facts, what was tried, fields filled in, attachments."`
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
		out := Conversation{ID: s.conversation(c.workspace, k)}
		if !in.Greet {
			return out, nil
		}
		r, err := s.request(c, &DecisionRequest{Asking: in.Asking, ConversationID: out.ID, Scene: in.Scene})
		if err != nil {
			return out, err
		}
		if out.Greeting, err = s.Engine.Greet(c.context(), r, k); err != nil {
			return out, unavailable(err)
		}
		if out.Greeting != nil {
			s.counted(out.Greeting)
		}
		return out, nil
	})
	add(s, route{
		method: "POST", path: "/v1/conversations/{id}/messages", tag: "Conversations", who: writeKey, summary: "Say something: it is decided, stored and answered.",
		details: "While a person has the conversation the message is kept and passed on, and the answer has no id and no blocks. With a secret key and role agent a person answers; who answers has the conversation.",
	}, s.say)
	add(s, route{
		method: "GET", path: "/v1/conversations/{id}", tag: "Conversations", who: writeKey, summary: "Read a conversation back.",
		details: "With a write key by who opened it.", query: []string{"anonymous_id: who opened it, with a write key and no identity token", "user_id: with a secret key: whose it is, when it has long been silent"},
	}, s.transcript)
	add(s, route{
		method: "GET", path: "/v1/handovers", tag: "Conversations", who: secretKey, summary: "Conversations that wait for a person, the longest waiting first.",
		query: append([]string{"state: waiting (the usual) or person"}, pageQuery...),
	}, s.handovers)
	add(s, route{
		method: "POST", path: "/v1/conversations/{id}/accept", tag: "Conversations", who: secretKey, optional: true, summary: "Take a conversation: from now on a person answers.",
		details: "Only then is the customer told that somebody is there.",
	}, func(c *call, in *Handing) (engine.Talk, error) {
		return s.Engine.Accept(c.context(), c.workspace.ID, c.r.PathValue("id"), in.move())
	})
	add(s, route{
		method: "POST", path: "/v1/conversations/{id}/return", tag: "Conversations", who: secretKey, optional: true, summary: "Hand a conversation back to the adviser.",
	}, func(c *call, in *Handing) (engine.Talk, error) {
		return s.Engine.HandBack(c.context(), c.workspace.ID, c.r.PathValue("id"), in.move())
	})
	rt := route{
		method: "GET", path: "/v1/conversations/{id}/stream", tag: "Conversations", who: writeKey, stream: "text/event-stream", summary: "Follow a conversation (server-sent events).",
		details: "Events are message and handover; Last-Event-ID (or ?last_event_id=) brings what came since.",
		query:   []string{"anonymous_id: who opened it, with a write key and no identity token", "write_key: for browsers, whose EventSource cannot set a header", "last_event_id: as the header, for a first connection"},
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

// speaksIn tells under which of the keys somebody speaks in a conversation. With a
// secret key, which vouches for anyone, an id that was made elsewhere (another
// channel's) is taken as it is, and more than one customer may speak.
func (s *server) speaksIn(c *call, id string, a identity.Asker) (identity.Key, bool) {
	rest, ours := strings.CutPrefix(id, "cnv_")
	if ours && len(rest) == 42 {
		for _, k := range a.Keys {
			if (a.Proven || k.Kind == "anon") && hmac.Equal([]byte(rest[26:]), []byte(conversationSeal(c.workspace, rest[:26], k))) {
				return k, true
			}
		}
	}
	if !c.secret || id == "" || len(id) > 512 {
		return identity.Key{}, false
	}
	return speaker(a)
}

// openedBy tells whether a conversation was opened under a key: our own ids tell it,
// of others it is who the caller vouches for.
func openedBy(w engine.Workspace, id string, k identity.Key, vouched []identity.Key) bool {
	if rest, ours := strings.CutPrefix(id, "cnv_"); ours && len(rest) == 42 {
		return hmac.Equal([]byte(rest[26:]), []byte(conversationSeal(w, rest[:26], k)))
	}
	return slices.Contains(vouched, k)
}

// say decides and stores what the customer said and what was answered, all at
// once; both are events of the customer's own, so the next turn reads them.
func (s *server) say(c *call, in *ConversationMessage) (*engine.Answer, error) {
	id := c.r.PathValue("id")
	if in.Text == "" && len(in.Attachments) == 0 {
		return nil, &refusal{status: http.StatusBadRequest, code: "body_faulty", faults: []flaw{{pointer: "/text", code: "missing"}}}
	}
	if in.Role == "agent" {
		return s.reply(c, id, in)
	}
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
	m := engine.Message{Key: who, Verified: r.Asker.Proven, Author: in.Author.who()}
	if in.MessageID != "" {
		m.ID = messageID(c, id, in.MessageID)
	}
	answer, err := s.Engine.Converse(c.context(), r, m)
	if err != nil {
		return nil, unavailable(err)
	}
	if answer.ID != "" {
		s.counted(answer)
	} else if !c.secret {
		answer.Conversation.Agent.ID = ""
	}
	return answer, nil
}

// messageID names a message within its conversation: the same number in another
// customer's conversation is another message.
func messageID(c *call, conversation, sent string) event.ID {
	return event.MessageID(c.workspace.ID, conversation+"\x00"+sent)
}

// reply is a person's answer.
func (s *server) reply(c *call, id string, in *ConversationMessage) (*engine.Answer, error) {
	switch {
	case !c.secret:
		return nil, refuse(http.StatusForbidden, "forbidden")
	case in.Text == "":
		return nil, faulty("/text", "missing")
	}
	message := event.ID{}
	if in.MessageID != "" {
		message = messageID(c, id, in.MessageID)
	}
	talk, err := s.Engine.Reply(c.context(), c.workspace.ID, id, in.Text, engine.Move{Agent: in.Agent.who()}, message)
	if err != nil {
		return nil, err
	}
	return engine.Undecided(talk, s.now()), nil
}

// transcript reads a conversation back for who speaks in it, or for the company.
func (s *server) transcript(c *call, _ *none) (Transcript, error) {
	id := c.r.PathValue("id")
	key, known, err := s.listener(c, id)
	if err != nil {
		return Transcript{}, err
	}
	talk, all, err := s.Engine.Conversation(c.context(), c.workspace.ID, id, known, event.ID{})
	if err != nil {
		return Transcript{}, err
	}
	if len(all) == 0 && key.Zero() {
		return Transcript{}, refuse(http.StatusNotFound, "not_found")
	}
	if !c.secret {
		talk.Agent.ID = "" // the number of an employee is nobody's but the company's
	}
	t := Transcript{Conversation: talk, Messages: make([]Spoken, 0, len(all))}
	for i := range all {
		t.Messages = append(t.Messages, spoken(&all[i], c.secret, key))
	}
	return t, nil
}

// listener says who reads a conversation: one of its speakers, or, with a secret key,
// the company.
func (s *server) listener(c *call, id string) (key identity.Key, known []identity.Key, err error) {
	q := c.r.URL.Query()
	anonymous := q.Get("anonymous_id")
	if anonymous == "" {
		anonymous = c.r.Header.Get("X-Anonymous-Id")
	}
	a, err := s.asker(c.caller, q.Get("user_id"), anonymous, "")
	if err != nil {
		return key, nil, err
	}
	key, ok := s.speaksIn(c, id, a)
	switch {
	case ok:
		return key, []identity.Key{key}, nil
	case c.secret:
		return key, nil, nil
	}
	return key, nil, refuse(http.StatusNotFound, "not_found")
}

func (s *server) handovers(c *call, _ *none) (Page[Handover], error) {
	limit, after, err := page(c.r)
	if err != nil {
		return Page[Handover]{}, err
	}
	phase := conversation.Waiting
	switch c.r.URL.Query().Get("state") {
	case "", string(conversation.Waiting):
	case string(conversation.WithPerson):
		phase = conversation.WithPerson
	default:
		return Page[Handover]{}, faulty("/state", "one_of", "choices", "waiting, person")
	}
	queue, err := s.Engine.Queue(c.context(), c.workspace.ID, phase)
	if err != nil {
		return Page[Handover]{}, err
	}
	if i := slices.IndexFunc(queue, func(w engine.Waiting) bool { return w.ID == after }); i >= 0 {
		queue = queue[i+1:]
	}
	now := s.now()
	items := make([]Handover, 0, min(len(queue), limit+1))
	for i := range queue[:min(len(queue), limit+1)] {
		w := &queue[i]
		h := Handover{
			ConversationID: w.ID, State: string(w.Phase), Since: w.Since, Seconds: max(0, int64(now.Sub(w.Since)/time.Second)),
			Person: string(w.Person), Agent: speakerOf(w.Agent), Reason: w.Reason, Brief: w.Brief,
		}
		if !w.RequestedAt.IsZero() {
			h.RequestedAt = &w.RequestedAt
		}
		items = append(items, h)
	}
	return paged(items, limit, func(h Handover) string { return h.ConversationID }), nil
}

func speakerOf(w conversation.Who) *Speaker {
	if w == (conversation.Who{}) {
		return nil
	}
	s := Speaker(w)
	return &s
}

// spoken is an entry as it is read. Notes are for the company alone; of several
// customers in one conversation each reads the words of all and the decisions, with
// the records behind them, of their own questions.
func spoken(sp *engine.Spoken, company bool, reader identity.Key) Spoken {
	out := Spoken{ID: sp.Event.String(), Type: "message", At: sp.At, Text: sp.Text, Author: speakerOf(sp.Author), Agent: speakerOf(sp.Agent), Attachments: sp.Attachments, Decision: sp.Answer}
	switch sp.Name {
	case conversation.Sent:
		out.Role = "user"
	case conversation.Received:
		out.Role, out.By = "agent", "adviser"
		if sp.By == "person" {
			out.By = "person"
		}
	default:
		out.Type, out.Text = "handover", sp.Notice
		out.State = map[string]string{conversation.Requested: "waiting", conversation.Accepted: "person", conversation.Returned: "adviser"}[sp.Name]
		if company {
			out.Note = sp.Note
		}
	}
	if !company && sp.Key != reader.String() {
		out.Decision = nil
	}
	if !company && out.Agent != nil {
		out.Agent.ID = ""
	}
	return out
}

// heartbeat keeps proxies from closing a quiet stream.
const heartbeat = 20 * time.Second

// stream follows a conversation: first what came behind Last-Event-ID, then what
// comes. What is told comes from the log, so it does not matter which node or which
// part of the house wrote it.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	who, err := s.authenticate(w, r, writeKey, r.URL.Query().Get("write_key"))
	if err != nil {
		s.problem(w, r, err)
		return
	}
	c := &call{caller: who, s: s, w: w, r: r}
	id := r.PathValue("id")
	mine, known, err := s.listener(c, id)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	entries, leave, ok := s.Engine.Listen(who.workspace.ID, id)
	if !ok {
		s.problem(w, r, refuse(http.StatusServiceUnavailable, "unavailable"))
		return
	}
	defer leave()
	defer s.Engine.Attend(who.workspace.ID, id, func(k identity.Key) bool { return openedBy(who.workspace, id, k, known) })()
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("last_event_id")
	}
	var missed []engine.Spoken
	if last != "" {
		after, _ := event.ParseID(last) // an id that is not known brings everything
		if _, missed, err = s.Engine.Conversation(r.Context(), who.workspace.ID, id, known, after); err != nil {
			s.problem(w, r, err)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{})
	_, _ = fmt.Fprint(w, ": open\n\n")
	tell := func(sp *engine.Spoken) error {
		v := spoken(sp, who.secret, mine)
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", v.ID, v.Type, text)
		return err
	}
	told := map[event.ID]bool{}
	for i := range missed {
		told[missed[i].Event] = true
		if tell(&missed[i]) != nil {
			return
		}
	}
	if out.Flush() != nil {
		return
	}
	quiet := time.NewTicker(heartbeat)
	defer quiet.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case en := <-entries:
			if told[en.Event] {
				continue // it came while the past was read
			}
			sp, err := s.Engine.Said(r.Context(), who.workspace.ID, en)
			if err != nil || tell(&sp) != nil {
				return // who comes back with Last-Event-ID misses nothing
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
