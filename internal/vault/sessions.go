package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// SessionService is what a signed-in person, staff or account, can do about their own sessions.
type SessionService interface {
	ProvePassword(ctx context.Context, token, password, otp string) error
	ProvePasskey(ctx context.Context, token string, a PasskeyAnswer) error
	Sessions(ctx context.Context, token string) ([]Session, error)
	EndSession(ctx context.Context, token, id string) error
	EndOtherSessions(ctx context.Context, token string) error
}

// Session is one live grant of a person. It is known in memory only.
type Session struct {
	ID          string // no secret; only good for EndSession of the same person
	Label       string // such as "Firefox, Windows", as given at sign-in
	Tenant      string // "" for an account
	Begun, Used time.Time
	Current     bool
}

// ProvePassword makes the grant fresh: the signed-in person shows password and, if they have one, second factor again. A wrong part is
// fault.Denied; after three the next attempt must wait, at most 60 s (fault.TooMany). The session goes on either way.
func (v *Vault) ProvePassword(ctx context.Context, token, password, otp string) error {
	g, err := v.personal(token)
	if err != nil {
		return fmt.Errorf("vault: prove: %w", err)
	}
	key := slowKey("prove", []byte(g.owner()), "")
	undo, ok := v.slow.attempt(key, slowLogin)
	if !ok {
		return fmt.Errorf("vault: prove: slowed down: %w", fault.TooMany)
	}
	if g.citizen() {
		err = v.proveAccount(ctx, g, password, otp, "")
	} else {
		err = v.proveStaff(ctx, g, password, otp)
	}
	if !errors.Is(err, fault.Denied) {
		undo()
	}
	if err != nil {
		return fmt.Errorf("vault: prove: %w", err)
	}
	v.slow.forget(key)
	v.grants.prove(token)
	return nil
}

func (v *Vault) proveStaff(ctx context.Context, g *grant, password, otp string) error {
	who, err := v.verify(ctx, Proof{Tenant: g.tenant, Login: g.login, Password: password, OTP: otp}, v.loginKey(g.tenant, g.login), actionProve)
	if err == nil && who.person != g.person {
		err = fault.Denied
	}
	return err
}

// ProvePasskey makes the grant fresh: the answer is to an offer with the same token and of a passkey of the same person. Everything
// else is fault.Denied.
func (v *Vault) ProvePasskey(ctx context.Context, token string, a PasskeyAnswer) error {
	g, err := v.personal(token)
	if err != nil {
		return fmt.Errorf("vault: prove with passkey: %w", err)
	}
	c, _, settle, err := v.assertPasskey(ctx, a)
	if err == nil && c.Owner != g.owner() {
		err = fmt.Errorf("offer is of somebody else: %w", fault.Denied)
	}
	if err != nil {
		return fmt.Errorf("vault: prove with passkey: %w", err)
	}
	err = v.update(ctx, "prove with passkey", func(tx *db.Tx) error {
		if err := v.stillHere(ctx, tx, g); err != nil {
			return err
		}
		if err := settle(tx); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: g.tenant, person: g.actor(), action: actionProve, purpose: "passkey", items: 1})
	})
	if err != nil {
		return err
	}
	v.grants.prove(token)
	return nil
}

// Sessions lists the live sessions of the signed-in person, the newest first.
func (v *Vault) Sessions(_ context.Context, token string) ([]Session, error) {
	g, err := v.personal(token)
	if err != nil {
		return nil, fmt.Errorf("vault: sessions: %w", err)
	}
	return v.grants.sessions(g), nil
}

// EndSession ends one session of the signed-in person, which may be the current one. Somebody else's and an ended one are
// fault.NotFound alike.
func (v *Vault) EndSession(_ context.Context, token, id string) error {
	g, err := v.personal(token)
	if err != nil {
		return fmt.Errorf("vault: end session: %w", err)
	}
	if !v.grants.endID(g, id) {
		return fmt.Errorf("vault: end session: %w", fault.NotFound)
	}
	return nil
}

// EndOtherSessions ends all sessions of the signed-in person but this one.
func (v *Vault) EndOtherSessions(_ context.Context, token string) error {
	g, err := v.personal(token)
	if err != nil {
		return fmt.Errorf("vault: end other sessions: %w", err)
	}
	v.grants.endPerson(g.tenant, g.person, token)
	return nil
}

// EndStaffSessions ends all sessions of a person at once, sign-ins under way included; their access stays as it is, so they may sign in
// again. token is that of an administrator of the tenant with a fresh proof (ErrProve), who ends their own sessions with it as well, or
// of the console. An unknown or disabled person is fault.NotFound. It may be repeated.
func (v *Vault) EndStaffSessions(ctx context.Context, token, tenant, person string) error {
	g, err := v.provedAdmin(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: end sessions of %s: %w", person, err)
	}
	return v.update(ctx, "end sessions", func(tx *db.Tx) error {
		if err := stillAdmin(ctx, tx, g); err != nil {
			return err
		}
		if err := activePerson(ctx, tx, tenant, person); err != nil {
			return err
		}
		tx.AfterCommit(func() { v.grants.endPerson(tenant, person, "") })
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionSessions, object: person, items: 1})
	})
}

// prove notes that the person behind a token has just proved themselves.
func (g *grants) prove(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n, ok := g.all[sha256.Sum256([]byte(token))]; ok {
		n.fresh = g.now()
	}
}

// same reports whether two grants are sessions of one person. One that waits for its second factor is none yet.
func (g *grant) same(o *grant) bool {
	return o.service == "" && !o.needsCode && o.tenant == g.tenant && o.realm == g.realm && o.person == g.person
}

func (g *grants) sessions(of *grant) []Session {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	var out []Session
	for _, n := range g.all {
		if of.same(n) && now.Before(n.expires()) {
			out = append(out, Session{ID: n.id, Label: n.label, Tenant: n.tenant, Begun: n.issued, Used: n.used, Current: n.id == of.id})
		}
	}
	slices.SortFunc(out, func(a, b Session) int { return cmp.Or(b.Begun.Compare(a.Begun), cmp.Compare(a.ID, b.ID)) })
	return out
}

// endID ends one session of a person by its id.
func (g *grants) endID(of *grant, id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for h, n := range g.all {
		if of.same(n) && n.id == id && g.now().Before(n.expires()) {
			delete(g.all, h)
			return true
		}
	}
	return false
}
