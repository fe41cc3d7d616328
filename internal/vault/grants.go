package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

const (
	grantIdle = 30 * time.Minute
	grantMax  = 8 * time.Hour
	// grantFresh is how long after a proof the methods that demand one work.
	grantFresh = 10 * time.Minute
	// grantCode is how long a sign-in waits for its second factor, and maxCodes how many wrong codes it takes.
	grantCode = 5 * time.Minute
	maxCodes  = 5
	// maxGrants bounds the sessions of one person; the oldest ends.
	maxGrants = 20
)

// ErrProve says that the person must prove anew who they are (ProvePassword, ProvePasskey) before this step. Its kind is Denied.
var ErrProve = fmt.Errorf("proof is older than %v: %w", grantFresh, fault.Denied)

// Named services. Each may do only what its methods say, and is audited under its name.
const (
	ServiceNotifier  = "notifier"  // ContactKeys of any message, StaffMail
	ServiceMailer    = "mailer"    // Open of answers by mail, ContactKeys of their threads
	ServiceRetention = "retention" // Shred, DropMessage
	ServiceWebsite   = "website"   // ModuleKey: newsletter and blog
	ServiceConsole   = "console"   // staff and memberships, OpenLog: for the command line on the vault's own machine
)

// Grant is a signed-in person: of the staff of a tenant, or a citizen with an account in a realm. It ends 8 hours after sign-in, or
// after 30 minutes without use.
type Grant struct {
	Token          string // secret; goes into the web session and nowhere else
	Realm          string // of a citizen's account; Tenant, Login, Role and Mailboxes are empty then, and Person is the account's id
	Tenant, Person string
	Login          string
	Role           string   // "clerk", "lead", "admin" or "operator"
	Mailboxes      []string // at the time of the call, sorted
	Expires        time.Time
	Fresh          time.Time // when the person last proved who they are: at sign-in or with ProvePassword, ProvePasskey
	NeedsCode      bool      // the password was right and a second factor is due: good for FinishSignIn alone, for 5 minutes
}

// grant is what the vault remembers of a token: in memory only, found by the token's hash.
type grant struct {
	service                     string // "" for a person
	tenant, person, login, role string
	realm                       string // of a citizen; tenant is "" then and person is the account
	issued, used, fresh         time.Time
	needsCode                   bool // only FinishSignIn takes it
	wrongCodes                  int
	id                          string // names the grant to its person; no secret
	label                       string // of the browser
	since                       uint64 // grants.mark before the proof was looked at
}

// overFor is how long it is remembered that the grants of a person were ended: longer than a sign-in can stand in the queue.
const overFor = time.Hour

// over says when the grants of a person were last ended.
type over struct {
	mark uint64
	at   time.Time
}

// citizen reports whether the grant is that of an account.
func (g *grant) citizen() bool { return g.realm != "" }

// staff reports whether the grant is that of a person of the staff.
func (g *grant) staff() bool { return g.service == "" && g.realm == "" }

// actor is how the grant appears in the audit.
func (g *grant) actor() string {
	switch {
	case g.service != "":
		return "service:" + g.service
	case g.citizen():
		return auditAccount
	}
	return g.person
}

func (g *grant) expires() time.Time {
	if g.needsCode {
		return g.issued.Add(grantCode)
	}
	end, idle := g.issued.Add(grantMax), g.used.Add(grantIdle)
	if idle.Before(end) {
		return idle
	}
	return end
}

type grants struct {
	now func() time.Time
	mu  sync.Mutex
	all map[[32]byte]*grant
	// marks counts the calls of endPerson, over keeps the last one of each person: a sign-in that was begun before does not come in
	// after it, with a password that holds no more.
	marks uint64
	over  map[string]over
}

func (g *grants) init(now func() time.Time) {
	g.now, g.all, g.over = now, map[[32]byte]*grant{}, map[string]over{}
}

// mark is to be taken before a proof is looked at, for grant.since.
func (g *grants) mark() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.marks
}

// issue returns the token of a new grant, "" when the person's grants were ended after n.since.
func (g *grants) issue(n grant) string {
	var raw [32]byte
	rand.Read(raw[:])
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	n.issued = g.now()
	n.used, n.id = n.issued, rand.Text()
	if n.service == "" && !n.needsCode {
		n.fresh = n.issued
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n.service == "" && g.over[canonical(n.tenant, n.person)].mark > n.since {
		return ""
	}
	if n.service == "" {
		var oldest [32]byte
		count := 0
		for h, o := range g.all {
			if o.service != "" || o.tenant != n.tenant || o.person != n.person || o.needsCode != n.needsCode {
				continue // whoever knows only the password does not push out a whole session
			}
			if count++; count == 1 || o.issued.Before(g.all[oldest].issued) {
				oldest = h
			}
		}
		if count >= maxGrants {
			delete(g.all, oldest)
		}
	}
	g.all[sha256.Sum256([]byte(token))] = &n
	return token
}

// use returns a copy of a live grant and marks it as used.
func (g *grants) use(token string) (*grant, bool) {
	h := sha256.Sum256([]byte(token))
	g.mu.Lock()
	defer g.mu.Unlock()
	n, ok := g.all[h]
	if !ok {
		return nil, false
	}
	now := g.now()
	if n.service == "" {
		if !now.Before(n.expires()) || now.Before(n.issued.Add(-time.Hour)) {
			delete(g.all, h) // a clock that jumped back does not revive old sessions
			return nil, false
		}
		n.used = now
	}
	c := *n
	return &c, true
}

func (g *grants) end(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, sha256.Sum256([]byte(token)))
}

// wrongCode counts a wrong second factor. It ends the sign-in that got too many and is false then.
func (g *grants) wrongCode(token string) (again bool) {
	h := sha256.Sum256([]byte(token))
	g.mu.Lock()
	defer g.mu.Unlock()
	n, ok := g.all[h]
	if !ok {
		return false
	}
	if n.wrongCodes++; n.wrongCodes >= maxCodes {
		delete(g.all, h)
		return false
	}
	return true
}

// endPerson ends all grants of a person except that of one token ("" for none).
func (g *grants) endPerson(tenant, person, except string) {
	keep := sha256.Sum256([]byte(except))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.marks++
	g.over[canonical(tenant, person)] = over{g.marks, g.now()}
	for h, n := range g.all {
		if n.service == "" && n.tenant == tenant && n.person == person && h != keep {
			delete(g.all, h)
		}
	}
}

func (g *grants) sweep() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for h, n := range g.all {
		if n.service == "" && !now.Before(n.expires()) {
			delete(g.all, h)
		}
	}
	for who, o := range g.over {
		if now.Sub(o.at) > overFor {
			delete(g.over, who)
		}
	}
}

func (g *grants) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.all)
}

// grant resolves a token: fault.Denied when it is unknown or has ended.
func (v *Vault) grant(token string) (*grant, error) {
	if v.closed.Load() {
		return nil, fault.Unavailable
	}
	g, ok := v.grants.use(token)
	if !ok || g.needsCode {
		return nil, fault.Denied
	}
	return g, nil
}

// person resolves the token of a person of the tenant. Another tenant's things do not exist for them: fault.NotFound.
func (v *Vault) person(token, tenant string) (*grant, error) {
	g, err := v.grant(token)
	switch {
	case err != nil:
		return nil, err
	case !g.staff():
		return nil, fault.Denied
	case g.tenant != tenant:
		return nil, fault.NotFound
	}
	return g, nil
}

// account resolves the token of a citizen with an account.
func (v *Vault) account(token string) (*grant, error) {
	g, err := v.grant(token)
	if err != nil {
		return nil, err
	}
	if !g.citizen() {
		return nil, fault.Denied
	}
	return g, nil
}

// proved demands that the person behind the grant has proved who they are within the last 10 minutes.
func (v *Vault) proved(g *grant) error {
	if g.service == "" && v.cfg.Now().Sub(g.fresh) >= grantFresh {
		return ErrProve
	}
	return nil
}

// provedAccount is account and proved in one.
func (v *Vault) provedAccount(token string) (*grant, error) {
	g, err := v.account(token)
	if err == nil {
		err = v.proved(g)
	}
	return g, err
}

func (v *Vault) service(token string, names ...string) (*grant, error) {
	g, err := v.grant(token)
	if err != nil {
		return nil, err
	}
	if g.service == "" || !slices.Contains(names, g.service) {
		return nil, fault.Denied
	}
	return g, nil
}

// ServiceToken issues the token of a named service, valid as long as this Vault is open. It is not part of Service: whoever holds
// the Vault itself hands each service its own token and nothing else. An unknown name is fault.Invalid.
func (v *Vault) ServiceToken(name string) (string, error) {
	if !slices.Contains([]string{ServiceNotifier, ServiceMailer, ServiceRetention, ServiceWebsite, ServiceConsole}, name) {
		return "", fmt.Errorf("vault: service %q: %w", name, fault.Invalid)
	}
	if v.closed.Load() {
		return "", gone("service token")
	}
	return v.grants.issue(grant{service: name}), nil
}

// Check returns the grant of a token with the person's memberships as they are now, and counts as use. fault.Denied when it has
// ended, waits for its second factor, or the person was disabled or the account deleted; then the person signs in again.
func (v *Vault) Check(ctx context.Context, token string) (Grant, error) {
	g, err := v.grant(token)
	if err != nil {
		return Grant{}, fmt.Errorf("vault: check: %w", err)
	}
	if g.service != "" {
		return Grant{}, fmt.Errorf("vault: check: %w", fault.Denied)
	}
	return v.describe(ctx, token, g)
}

func (v *Vault) describe(ctx context.Context, token string, g *grant) (Grant, error) {
	out := Grant{Token: token, Realm: g.realm, Tenant: g.tenant, Person: g.person, Login: g.login, Role: g.role, Expires: g.expires(),
		Fresh: g.fresh, NeedsCode: g.needsCode}
	err := v.view(ctx, "check", func(tx *db.Tx) error {
		if g.citizen() {
			return v.stillThere(ctx, tx, g)
		}
		if err := activePerson(ctx, tx, g.tenant, g.person); err != nil {
			if errors.Is(err, fault.NotFound) {
				v.grants.endPerson(g.tenant, g.person, "")
				return fmt.Errorf("person %s: %w", g.person, fault.Denied)
			}
			return err
		}
		var err error
		out.Mailboxes, err = selectMailboxesOf(ctx, tx, g.tenant, g.person)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	return out, nil
}

// EndGrant ends a grant (sign-out). An unknown token is fine.
func (v *Vault) EndGrant(_ context.Context, token string) error {
	if v.closed.Load() {
		return gone("end grant")
	}
	if g, ok := v.grants.use(token); ok && g.service == "" {
		v.grants.end(token)
	}
	return nil
}
