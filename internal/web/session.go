package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"poststelle/internal/fault"
)

// Store keeps sessions somewhere else than in the memory of one process, so that
// several nodes share them. It keeps what Sessions keeps: nothing for good,
// nothing that leads back to a person, and the limits of time and size.
type Store interface {
	// Create keeps a new session of a site; cookie is what names it.
	Create(ctx context.Context, site string) (kept Kept, cookie string, err error)
	// Find returns the live session of a site that a cookie names, and counts
	// the visit unless it is passive; nil if there is none.
	Find(ctx context.Context, cookie, site string, passive bool) (Kept, error)
}

// Kept is a session of a Store as one request holds it. The context of the
// request goes with it. All errors of a store that is away are
// fault.Unavailable.
type Kept interface {
	// Secret is what the form tokens of the session are made from: 32 random
	// bytes that Rotate does not change.
	Secret() []byte
	// Get, Keys and Update are those of Session.
	Get(key string) ([]byte, bool)
	Keys(prefix string) []string
	Update(key string, f func(old []byte) ([]byte, error)) error
	// Deadline is that of Session.
	Deadline() (end time.Time, final bool)
	// Rotate gives the session a new cookie; the old one is worth nothing.
	Rotate() (cookie string, err error)
	// End removes the session at once and returns the values left.
	End() map[string][]byte
}

// ErrEnded is the error of a session that ended in another request; it is a
// fault.Conflict.
var ErrEnded = fmt.Errorf("web: session has ended: %w", fault.Conflict)

// State says whether a request has a session.
type State uint8

// The states. None is a browser that sent no cookie of ours at all: it may
// refuse them. Ended is one that kept a cookie, but the session is over.
const (
	None State = iota
	Ended
	Live
)

// SessionState returns the state of the session of a request.
func SessionState(r *http.Request) State {
	sc := scopeOf(r.Context())
	sc.need(r)
	return sc.state
}

// SessionOf returns the live session of a request on its site, or nil. A post
// without the token of its session has none, see FormToken. While the store of
// the sessions is away the handler ends here, and the answer is 503.
func SessionOf(r *http.Request) *Session {
	sc := scopeOf(r.Context())
	sc.need(r)
	return sc.session
}

// SessionToEnd is SessionOf for signing out: also the session of a post whose
// form is older than it, when the browser itself says that the post comes from a
// page of this site. So who signs out from an old page is signed out, and another
// site cannot do it: its posts are refused before, and bring no cookie.
func SessionToEnd(r *http.Request) *Session {
	if s := SessionOf(r); s != nil {
		return s
	}
	from := r.Header.Get("Sec-Fetch-Site")
	// Without that header the origin was compared with the host, if there is one.
	if from == "same-origin" || from == "" && r.Header.Get("Origin") != "" {
		return scopeOf(r.Context()).hidden
	}
	return nil
}

// SessionEnd returns when the session of a request ends if nobody touches it
// again, false if there is none, or none can be found, or its end is final: for
// the frame of pages that need no session.
func SessionEnd(r *http.Request) (time.Time, bool) {
	sc := scopeOf(r.Context())
	sc.look(r)
	s := sc.session
	if s == nil {
		s = sc.hidden
	}
	if s == nil {
		return time.Time{}, false
	}
	end, final := s.Deadline()
	return end, !final
}

// FrameSession is SessionOf for what every page shows around its body: nil also
// while the store of the sessions is away.
func FrameSession(r *http.Request) *Session {
	sc := scopeOf(r.Context())
	sc.look(r)
	return sc.session
}

// sessionAway ends a handler that needs a session while the store is away.
type sessionAway struct{ err error }

// need is look for those who cannot do without an answer.
func (sc *scope) need(r *http.Request) {
	sc.look(r)
	if sc.away != nil {
		panic(sessionAway{sc.away})
	}
}

func (sc *scope) look(r *http.Request) {
	if sc.looked {
		return
	}
	sc.looked = true
	// A cookie tossed from a sub-domain may stand beside ours: any that is
	// live and of this site counts, so the foreign one cannot sign out.
	for i, c := range r.CookiesNamed(sc.sessionCookie()) {
		if i == 4 {
			break
		}
		kept, err := sc.rt.cfg.Sessions.find(r.Context(), c.Value, sc.site.ID, sc.matched != nil && sc.matched.passive)
		if err != nil {
			sc.away = err
			return
		}
		if kept == nil {
			continue
		}
		s := &Session{kept: kept, sc: sc}
		if sc.guarded && !fits(kept.Secret(), sc.token) {
			sc.rt.cfg.Log.Warn("form without the token of its session", "id", sc.id, "site", sc.site.ID, "route", sc.route)
			sc.hidden, sc.state = s, Ended
			return
		}
		sc.session, sc.state = s, Live
		return
	}
	if sc.anyOwnCookie(r) {
		sc.state = Ended
	}
}

// sessionCookie is the name of the session cookie as sent.
func (sc *scope) sessionCookie() string {
	c, _ := sc.rt.cfg.Cookies.find(context.Background(), sc.site.Kind, SessionCookie)
	return c.wireName(SessionCookie, sc.secure)
}

// StartSession returns the live session of the request or starts one and sets
// its cookie. A session that was not counted because the form lacked its token
// is taken up under a new id: who comes back with an old form loses nothing that
// another tab keeps. The error is fault.Unavailable when there is no room, and
// fault.TooMany when the network has begun very many sessions in this minute.
func StartSession(w http.ResponseWriter, r *http.Request) (*Session, error) {
	if s := SessionOf(r); s != nil {
		return s, nil
	}
	sc := scopeOf(r.Context())
	if s := sc.hidden; s != nil {
		if err := s.Rotate(w); err != nil {
			return nil, err
		}
		sc.session, sc.hidden, sc.state = s, nil, Live
		return s, nil
	}
	kept, id, err := sc.rt.cfg.Sessions.begin(r.Context(), sc.site.ID, sc.ip)
	if err != nil {
		return nil, err
	}
	if err := sc.setSession(w, id, 0); err != nil {
		return nil, err
	}
	sc.session, sc.state = &Session{kept: kept, sc: sc}, Live
	return sc.session, nil
}

// setSession sets the session cookie; a negative lifetime deletes it.
func (sc *scope) setSession(w http.ResponseWriter, id string, life time.Duration) error {
	c, ok := sc.rt.cfg.Cookies.find(context.Background(), sc.site.Kind, SessionCookie)
	if !ok {
		return fmt.Errorf("web: cookie %s is not declared", SessionCookie)
	}
	sc.setCookie(w, c, SessionCookie, id, life)
	return nil
}

// Session is the session of one request. Its values are shared with the other
// requests of the session; all methods are safe for that.
type Session struct {
	kept Kept
	sc   *scope
}

// Get returns a copy of a value.
func (s *Session) Get(key string) ([]byte, bool) { return s.kept.Get(key) }

// Keys returns the keys with a prefix, sorted.
func (s *Session) Keys(prefix string) []string { return s.kept.Keys(prefix) }

// Put sets a value: fault.TooLarge over the limit of a session,
// fault.Unavailable when there is no room or the store is away, fault.Conflict
// when the session has ended meanwhile. Then the old value stays.
func (s *Session) Put(key string, value []byte) error {
	return s.Update(key, func([]byte) ([]byte, error) { return value, nil })
}

// Delete removes a value. OnEnd is not called for it.
func (s *Session) Delete(key string) {
	_ = s.Update(key, func([]byte) ([]byte, error) { return nil, nil })
}

// Update changes one value while no other request can: f gets a copy of the
// value (nil if there is none) and returns the new one; nil deletes. An error of
// f changes nothing. F must not use the session and may run several times.
// Errors are those of Put.
func (s *Session) Update(key string, f func(old []byte) ([]byte, error)) error {
	return s.kept.Update(key, f)
}

// Deadline returns when the session ends if nobody touches it again, and
// whether that is the final end, which no request puts off.
func (s *Session) Deadline() (end time.Time, final bool) { return s.kept.Deadline() }

// Rotate gives the session a new id and keeps its values: at every change of
// rights, so that an id planted before sign-in is worth nothing. The eight hours
// go on, since a session that could be renewed for ever would keep what was
// typed and uploaded for ever; only where nothing is kept yet they begin anew.
// Form tokens go on as well: a page in another tab stays good.
func (s *Session) Rotate(w http.ResponseWriter) error {
	cookie, err := s.kept.Rotate()
	if err != nil {
		return fmt.Errorf("web: rotate: %w", err)
	}
	return s.sc.setSession(w, cookie, 0)
}

// End ends the session, deletes its cookie and has the browser forget pages it
// kept.
func (s *Session) End(w http.ResponseWriter) {
	s.sc.rt.cfg.Sessions.release(s.kept.End())
	_ = s.sc.setSession(w, "", -1) // it is declared: it was set
	w.Header().Set("Clear-Site-Data", `"cache"`)
	s.sc.session, s.sc.hidden, s.sc.state = nil, nil, Ended
}
