package api

import (
	"crypto/subtle"
	"encoding/base64"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/workspace"
)

// access says who may call a route.
type access int

const (
	anyone    access = iota // no key
	writeKey                // write key or secret key
	secretKey               // secret key or a console session
	oneself                 // write key with a proven identity
)

// caller is who calls, as far as keys tell.
type caller struct {
	workspace engine.Workspace
	secret    bool
	session   bool
	member    workspace.Member // whose key or session it is; nobody's with a write key
	subject   string           // the user id that X-Identity-Token proves; "" without one
}

// keyring finds a workspace by its keys. Keys are looked up by a hash whose seed
// is this process's own, and compared in constant time, so that the time of a
// look-up tells nothing about a key.
type keyring struct {
	seed    maphash.Seed
	holders map[uint64][]holder
	tenants int
	made    time.Time
}

// holder is what a key opens.
type holder struct {
	key string
	caller
}

func newKeyring(all []engine.Workspace, now time.Time) *keyring {
	k := &keyring{maphash.MakeSeed(), map[uint64][]holder{}, len(all), now}
	put := func(key string, c caller) {
		if key != "" {
			h := maphash.String(k.seed, key)
			k.holders[h] = append(k.holders[h], holder{key, c})
		}
	}
	for _, w := range all {
		put(w.WriteKey, caller{workspace: w})
		put(w.SecretKey, caller{workspace: w, secret: true, member: workspace.First()})
	}
	return k
}

func (k *keyring) find(key string) (c caller, ok bool) {
	for _, h := range k.holders[maphash.String(k.seed, key)] {
		if len(h.key) == len(key) && subtle.ConstantTimeCompare([]byte(h.key), []byte(key)) == 1 {
			return h.caller, true
		}
	}
	return c, false
}

// find looks a key up, and once more in a fresh ring when there are new
// workspaces, or once a second: a wrong key must not be dear to refuse.
func (s *server) find(key string, secretToo bool) (c caller, ok bool) {
	for try := range 2 {
		ring := s.keys.Load()
		if try == 1 && secretToo {
			if c, ok := s.memberKey(key); ok {
				return c, true
			}
		}
		if ring == nil || try == 1 {
			all, now := s.Engine.Workspaces(), s.now()
			if ring != nil && ring.tenants == len(all) && now.Sub(ring.made) < time.Second {
				return c, false
			}
			ring = newKeyring(all, now)
			s.keys.Store(ring)
		}
		if c, ok := ring.find(key); ok {
			return c, !c.secret || secretToo
		}
	}
	return c, false
}

// key is what the Authorization header brings.
func key(r *http.Request) (key string, basic, ok bool) {
	scheme, rest, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found {
		return "", false, false
	}
	switch rest = strings.TrimSpace(rest); {
	case strings.EqualFold(scheme, "bearer"):
		return rest, false, rest != ""
	case strings.EqualFold(scheme, "basic"):
		text, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return "", true, false
		}
		user, password, _ := strings.Cut(string(text), ":")
		return user, true, user != "" && password == ""
	}
	return "", false, false
}

// authenticate says who calls and whether they may call a route of that access.
// bodyKey is the writeKey that came in a body, "" when none did.
func (s *server) authenticate(w http.ResponseWriter, r *http.Request, a access, bodyKey string) (c caller, err error) {
	k, basic, ok := key(r)
	switch {
	case ok:
		if c, ok = s.find(k, !basic); !ok {
			return c, refuse(http.StatusUnauthorized, "key_unknown")
		}
	case r.Header.Get("Authorization") != "":
		return c, refuse(http.StatusUnauthorized, "key_missing")
	case bodyKey != "":
		if c, ok = s.find(bodyKey, false); !ok || c.secret {
			return c, refuse(http.StatusUnauthorized, "key_unknown")
		}
	default:
		if c, ok, err = s.session(r); err != nil {
			return c, err
		}
		if !ok {
			return c, refuse(http.StatusUnauthorized, "key_missing")
		}
	}
	if err := s.origin(w, r, c); err != nil {
		return c, err
	}
	switch {
	case a == secretKey && !c.secret:
		return c, refuse(http.StatusForbidden, "forbidden")
	case a == oneself && c.secret:
		return c, refuse(http.StatusForbidden, "not_shown_here")
	}
	if token := r.Header.Get("X-Identity-Token"); token != "" {
		if c.subject, err = prove(c.workspace, token, s.now); err != nil {
			return c, err
		}
	}
	if a == oneself && c.subject == "" {
		return c, refuse(http.StatusUnauthorized, "identity_required")
	}
	return c, nil
}

// origin answers the web page that called: with a write key any origin or those
// the workspace lists, with a secret key none.
func (s *server) origin(w http.ResponseWriter, r *http.Request, c caller) error {
	from := r.Header.Get("Origin")
	if from == "" || w == nil {
		return nil
	}
	h := w.Header()
	if c.secret {
		h.Del("Access-Control-Allow-Origin")
		return nil
	}
	if len(c.workspace.Origins) == 0 {
		return nil
	}
	h.Add("Vary", "Origin")
	if !slices.Contains(c.workspace.Origins, from) {
		h.Del("Access-Control-Allow-Origin")
		return refuse(http.StatusForbidden, "origin_forbidden")
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Origin", from)
	}
	return nil
}

// prove gives the user id that an identity token proves: HS256, signed with the
// workspace's identity secret, with a subject and an end.
func prove(w engine.Workspace, token string, now clock) (string, error) {
	wrong := func(cause error) error {
		return &refusal{status: http.StatusUnauthorized, code: "identity_wrong", cause: cause}
	}
	if w.IdentitySecret == "" || len(token) > 8<<10 {
		return "", wrong(nil)
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return []byte(w.IdentitySecret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(now))
	if err != nil {
		return "", wrong(err)
	}
	if claims.Subject == "" {
		return "", wrong(nil)
	}
	return claims.Subject, nil
}

// asker says on whose behalf a request with these ids speaks. token is the one of
// the body; the header's stands in c already.
func (s *server) asker(c caller, userID, anonymousID, token string) (identity.Asker, error) {
	subject := c.subject
	if token != "" {
		var err error
		if subject, err = prove(c.workspace, token, s.now); err != nil {
			return identity.Asker{}, err
		}
		if c.subject != "" && c.subject != subject {
			return identity.Asker{}, refuse(http.StatusUnauthorized, "foreign_token")
		}
	}
	if subject != "" {
		if userID != "" && userID != subject {
			return identity.Asker{}, refuse(http.StatusUnauthorized, "foreign_token")
		}
		userID = subject
	}
	// A placeholder such as "null" or "undefined" names everybody who sent one,
	// hence nobody.
	a := identity.Asker{Proven: c.secret || subject != ""}
	if !identity.Blocked(userID) {
		a.Keys = append(a.Keys, identity.User(userID))
	}
	if !identity.Blocked(anonymousID) {
		a.Keys = append(a.Keys, identity.Anonymous(anonymousID))
	}
	return a, nil
}
