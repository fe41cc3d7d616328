// Package vaulttest gives other packages a vault for their tests.
package vaulttest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
)

// Argon are costs so low that a test can sign in without waiting. Never for a running system.
var Argon = vault.Argon{MemoryKiB: 64, Time: 1}

// New opens a vault in a temporary directory and closes it when the test ends. now is its clock; nil is the system's.
func New(t testing.TB, now func() time.Time) *vault.Vault {
	t.Helper()
	return Open(t, vault.Config{Dir: t.TempDir(), Now: now})
}

// Open opens a vault with the given configuration; Argon and a nil clock are filled in.
func Open(t testing.TB, c vault.Config) *vault.Vault {
	t.Helper()
	c.Argon = Argon
	if c.Now == nil {
		c.Now = time.Now
	}
	v, err := vault.Open(context.Background(), c)
	if err != nil {
		t.Fatalf("vaulttest: %v", err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Errorf("vaulttest: close: %v", err)
		}
	})
	return v
}

// Service issues the token of a named service.
func Service(t testing.TB, v *vault.Vault, name string) string {
	t.Helper()
	token, err := v.ServiceToken(name)
	if err != nil {
		t.Fatalf("vaulttest: %v", err)
	}
	return token
}

// Clerk creates a person with the given role, without second factor, as a confirmed member of the mailboxes, and signs them in.
// The login is also the password, repeated.
func Clerk(t testing.TB, v *vault.Vault, tenant, login, role string, mailboxes ...string) vault.Grant {
	t.Helper()
	ctx := context.Background()
	console := Service(t, v, vault.ServiceConsole)
	password := Password(login)
	e, err := v.AddStaff(ctx, console, vault.StaffSpec{Tenant: tenant, Login: login, Password: password, Role: role, Mail: login + "@amt.example"})
	if err != nil {
		t.Fatalf("vaulttest: add %s: %v", login, err)
	}
	for _, m := range mailboxes {
		if _, err := v.Join(ctx, console, tenant, e.Person, m); err != nil {
			t.Fatalf("vaulttest: join %s: %v", m, err)
		}
	}
	g, err := v.SignIn(ctx, vault.Proof{Tenant: tenant, Login: login, Password: password})
	if err != nil {
		t.Fatalf("vaulttest: sign in %s: %v", login, err)
	}
	return g
}

// Password is the password that Clerk gives to a login.
func Password(login string) string { return login + "-" + login + "-pass" }

// Switch is a vault that can be turned off: every method then returns fault.Unavailable. It starts turned on.
type Switch struct {
	inner vault.Service
	off   atomic.Bool
}

var _ vault.Service = (*Switch)(nil)

// NewSwitch wraps a service.
func NewSwitch(inner vault.Service) *Switch { return &Switch{inner: inner} }

// Off takes the vault away.
func (s *Switch) Off() { s.off.Store(true) }

// On gives the vault back.
func (s *Switch) On() { s.off.Store(false) }

func (s *Switch) err() error {
	if s.off.Load() {
		return fmt.Errorf("vaulttest: turned off: %w", fault.Unavailable)
	}
	return nil
}

// CreateTenants is that of the wrapped service.
func (s *Switch) CreateTenants(ctx context.Context, specs []vault.TenantSpec) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.CreateTenants(ctx, specs)
}

// Delegate is that of the wrapped service.
func (s *Switch) Delegate(ctx context.Context, tenants []string) (vault.Delegation, error) {
	if err := s.err(); err != nil {
		return vault.Delegation{}, err
	}
	return s.inner.Delegate(ctx, tenants)
}

// TakeIn is that of the wrapped service.
func (s *Switch) TakeIn(ctx context.Context, boxes []vault.Box) ([]vault.Taken, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.TakeIn(ctx, boxes)
}

// Drained is that of the wrapped service.
func (s *Switch) Drained(ctx context.Context, day string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.Drained(ctx, day)
}

// Overdue is that of the wrapped service.
func (s *Switch) Overdue(ctx context.Context) ([]string, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Overdue(ctx)
}

// SignIn is that of the wrapped service.
func (s *Switch) SignIn(ctx context.Context, p vault.Proof) (vault.Grant, error) {
	if err := s.err(); err != nil {
		return vault.Grant{}, err
	}
	return s.inner.SignIn(ctx, p)
}

// Check is that of the wrapped service.
func (s *Switch) Check(ctx context.Context, token string) (vault.Grant, error) {
	if err := s.err(); err != nil {
		return vault.Grant{}, err
	}
	return s.inner.Check(ctx, token)
}

// EndGrant is that of the wrapped service.
func (s *Switch) EndGrant(ctx context.Context, token string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.EndGrant(ctx, token)
}

// CardKeys is that of the wrapped service.
func (s *Switch) CardKeys(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.CardKeys(ctx, token, tenant, messages)
}

// Open is that of the wrapped service.
func (s *Switch) Open(ctx context.Context, token, tenant, thread string, messages []string) (map[string]seal.Key, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Open(ctx, token, tenant, thread, messages)
}

// Collect is that of the wrapped service.
func (s *Switch) Collect(ctx context.Context, tenant string, lookup []byte) (vault.Collected, error) {
	if err := s.err(); err != nil {
		return vault.Collected{}, err
	}
	return s.inner.Collect(ctx, tenant, lookup)
}

// Answer is that of the wrapped service.
func (s *Switch) Answer(ctx context.Context, token, tenant, thread, message string, byMail bool) (seal.Key, error) {
	if err := s.err(); err != nil {
		return seal.Key{}, err
	}
	return s.inner.Answer(ctx, token, tenant, thread, message, byMail)
}

// DropMessage is that of the wrapped service.
func (s *Switch) DropMessage(ctx context.Context, token, tenant, thread, message string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.DropMessage(ctx, token, tenant, thread, message)
}

// Forward is that of the wrapped service.
func (s *Switch) Forward(ctx context.Context, token, tenant, thread, toMailbox string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.Forward(ctx, token, tenant, thread, toMailbox)
}

// Shred is that of the wrapped service.
func (s *Switch) Shred(ctx context.Context, token, tenant, thread string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.Shred(ctx, token, tenant, thread)
}

// State is that of the wrapped service.
func (s *Switch) State(ctx context.Context, tenant string, threads []string) (map[string]vault.ThreadState, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.State(ctx, tenant, threads)
}

// Reads is that of the wrapped service.
func (s *Switch) Reads(ctx context.Context, tenant, thread string) ([]vault.Read, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Reads(ctx, tenant, thread)
}

// AddStaff is that of the wrapped service.
func (s *Switch) AddStaff(ctx context.Context, token string, spec vault.StaffSpec) (vault.Enrolment, error) {
	if err := s.err(); err != nil {
		return vault.Enrolment{}, err
	}
	return s.inner.AddStaff(ctx, token, spec)
}

// SetPassword is that of the wrapped service.
func (s *Switch) SetPassword(ctx context.Context, token, tenant, person, password string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.SetPassword(ctx, token, tenant, person, password)
}

// RenewSecondFactor is that of the wrapped service.
func (s *Switch) RenewSecondFactor(ctx context.Context, token, tenant, person string) (vault.Enrolment, error) {
	if err := s.err(); err != nil {
		return vault.Enrolment{}, err
	}
	return s.inner.RenewSecondFactor(ctx, token, tenant, person)
}

// DisableStaff is that of the wrapped service.
func (s *Switch) DisableStaff(ctx context.Context, token, tenant, person string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.DisableStaff(ctx, token, tenant, person)
}

// EndStaffSessions is that of the wrapped service.
func (s *Switch) EndStaffSessions(ctx context.Context, token, tenant, person string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.EndStaffSessions(ctx, token, tenant, person)
}

// Join is that of the wrapped service.
func (s *Switch) Join(ctx context.Context, token, tenant, person, mailbox string) (bool, error) {
	if err := s.err(); err != nil {
		return false, err
	}
	return s.inner.Join(ctx, token, tenant, person, mailbox)
}

// Leave is that of the wrapped service.
func (s *Switch) Leave(ctx context.Context, token, tenant, person, mailbox string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.Leave(ctx, token, tenant, person, mailbox)
}

// Members is that of the wrapped service.
func (s *Switch) Members(ctx context.Context, tenant, mailbox string) ([]vault.Member, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Members(ctx, tenant, mailbox)
}

// Staff is that of the wrapped service.
func (s *Switch) Staff(ctx context.Context, token, tenant string) ([]vault.Person, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Staff(ctx, token, tenant)
}

// ContactKeys is that of the wrapped service.
func (s *Switch) ContactKeys(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.ContactKeys(ctx, token, tenant, messages)
}

// StaffMail is that of the wrapped service.
func (s *Switch) StaffMail(ctx context.Context, token, tenant string, persons []string) (map[string]string, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.StaffMail(ctx, token, tenant, persons)
}

// OpenLog is that of the wrapped service.
func (s *Switch) OpenLog(ctx context.Context, token, day string, boxes, ads [][]byte, ground, reason string) ([]seal.Key, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.OpenLog(ctx, token, day, boxes, ads, ground, reason)
}

// Citizen registers an account with the address and confirms it; the password is Password(mail). tenant is the one on whose host the
// citizen is.
func Citizen(t testing.TB, v *vault.Vault, realm, tenant, mail string) vault.Grant {
	t.Helper()
	ctx := context.Background()
	request, err := v.Register(ctx, vault.Registration{Realm: realm, Tenant: tenant, Mail: mail, Password: Password(mail), Lang: "de"})
	if err != nil {
		t.Fatalf("vaulttest: register: %v", err)
	}
	out, err := v.RequestMail(ctx, Service(t, v, vault.ServiceNotifier), request, "new")
	if err != nil || out.Kind != vault.MailRegister {
		t.Fatalf("vaulttest: mail of the registration: %q, %v", out.Kind, err)
	}
	g, err := v.ConfirmAccount(ctx, realm, out.Token, vault.Confirmation{Request: request})
	if err != nil {
		t.Fatalf("vaulttest: confirm: %v", err)
	}
	return g
}
