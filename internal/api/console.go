package api

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/workspace"
)

// Logins are the console's doors: one-time links that become sessions. Both live
// in memory; after a restart a new link is made.
type Logins struct {
	mu       sync.Mutex
	links    map[string]login
	sessions map[string]login
}

// login is what a link or a session opens, and until when.
type login struct {
	until     time.Time
	workspace string // "": all
	member    string // whose it is
}

const (
	linkLife    = 24 * time.Hour
	sessionLife = 7 * 24 * time.Hour
	mostLogins  = 1000
	cookieName  = "rapport_session"
)

// NewLogins makes an empty set.
func NewLogins() *Logins {
	return &Logins{links: map[string]login{}, sessions: map[string]login{}}
}

// Token makes the token of a login link (/console/login?token=…), good once and
// for a day. It opens all workspaces, as their first keys do.
func (l *Logins) Token(now time.Time) string { return l.TokenFor("", workspace.FirstMember, now) }

// TokenFor makes one that opens a workspace as one of its members.
func (l *Logins) TokenFor(workspace, member string, now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	forget(l.links, now)
	t := token()
	l.links[t] = login{now.Add(linkLife), workspace, member}
	return t
}

func token() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func forget(m map[string]login, now time.Time) {
	for t, l := range m {
		if !now.Before(l.until) {
			delete(m, t)
		}
	}
	for t := range m { // bounded, whatever asks for links
		if len(m) < mostLogins {
			break
		}
		delete(m, t)
	}
}

// redeem turns a link's token into a session.
func (l *Logins) redeem(t string, now time.Time) (session string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	link, ok := l.links[t]
	delete(l.links, t)
	if !ok || !now.Before(link.until) {
		return "", false
	}
	forget(l.sessions, now)
	session = token()
	link.until = now.Add(sessionLife)
	l.sessions[session] = link
	return session, true
}

func (l *Logins) holds(session string, now time.Time) (of login, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of, ok = l.sessions[session]
	return of, ok && now.Before(of.until)
}

func (l *Logins) leave(session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, session)
}

func (s *server) consoleRoutes() {
	if s.Logins == nil {
		return
	}
	s.mux.HandleFunc("GET /console/login", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return // a messenger that previews a link must not use it up
		}
		session, ok := s.Logins.redeem(r.URL.Query().Get("token"), s.now())
		if !ok {
			s.problem(w, r, refuse(http.StatusUnauthorized, "session_unknown"))
			return
		}
		http.SetCookie(w, &http.Cookie{
			Name: cookieName, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
			Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", MaxAge: int(sessionLife / time.Second),
		})
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, "/console/", http.StatusSeeOther)
	})
	s.mux.HandleFunc("POST /console/logout", func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie(cookieName); err == nil {
			s.Logins.leave(cookie.Value)
		}
		http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.WriteHeader(http.StatusNoContent)
	})
}

// session is the caller behind a console cookie: the secret key of the workspace
// that the request names. A page of another origin cannot name one, for the
// header needs a preflight that is never granted; a GET, which changes nothing,
// may name it as ?workspace=.
func (s *server) session(r *http.Request) (c caller, ok bool, err error) {
	if s.Logins == nil {
		return c, false, nil
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return c, false, nil
	}
	of, ok := s.Logins.holds(cookie.Value, s.now())
	member := workspace.First()
	if ok && of.member != workspace.FirstMember {
		if ok = s.Members != nil; ok {
			member, ok = s.Members.Member(of.workspace, of.member) // unless the key was taken away
		}
	}
	if !ok {
		return c, false, refuse(http.StatusUnauthorized, "session_unknown")
	}
	name := r.Header.Get("X-Workspace")
	if name == "" && r.Method == http.MethodGet {
		name = r.URL.Query().Get("workspace")
	}
	all := s.Engine.Workspaces()
	if of.workspace != "" {
		all = slices.DeleteFunc(all, func(w workspaceNoun) bool { return w.ID != of.workspace })
	}
	if name == "" && r.Method == http.MethodGet && r.URL.Path == "/v1/workspaces" && len(all) > 0 {
		return caller{workspace: all[0], secret: true, session: true, member: member}, true, nil
	}
	if name == "" {
		return c, false, refuse(http.StatusBadRequest, "workspace_missing")
	}
	i := slices.IndexFunc(all, func(w workspaceNoun) bool { return w.ID == name })
	if i < 0 {
		return c, false, refuse(http.StatusNotFound, "not_found")
	}
	return caller{workspace: all[i], secret: true, session: true, member: member}, true, nil
}
