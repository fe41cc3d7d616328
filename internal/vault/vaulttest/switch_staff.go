package vaulttest

import (
	"context"
	"time"

	"poststelle/internal/vault"
)

// PasskeyOffer is that of the wrapped service.
func (s *Switch) PasskeyOffer(ctx context.Context, a vault.PasskeyAsk) (vault.PasskeyChallenge, error) {
	if err := s.err(); err != nil {
		return vault.PasskeyChallenge{}, err
	}
	return s.inner.PasskeyOffer(ctx, a)
}

// SignInPasskey is that of the wrapped service.
func (s *Switch) SignInPasskey(ctx context.Context, a vault.PasskeyAnswer) (vault.Grant, error) {
	if err := s.err(); err != nil {
		return vault.Grant{}, err
	}
	return s.inner.SignInPasskey(ctx, a)
}

// AddPasskey is that of the wrapped service.
func (s *Switch) AddPasskey(ctx context.Context, token string, a vault.PasskeyAnswer) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.AddPasskey(ctx, token, a)
}

// Passkeys is that of the wrapped service.
func (s *Switch) Passkeys(ctx context.Context, token string) ([]vault.Passkey, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Passkeys(ctx, token)
}

// RemovePasskey is that of the wrapped service.
func (s *Switch) RemovePasskey(ctx context.Context, token, id string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.RemovePasskey(ctx, token, id)
}

// ProvePassword is that of the wrapped service.
func (s *Switch) ProvePassword(ctx context.Context, token, password, otp string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.ProvePassword(ctx, token, password, otp)
}

// ProvePasskey is that of the wrapped service.
func (s *Switch) ProvePasskey(ctx context.Context, token string, a vault.PasskeyAnswer) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.ProvePasskey(ctx, token, a)
}

// Sessions is that of the wrapped service.
func (s *Switch) Sessions(ctx context.Context, token string) ([]vault.Session, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Sessions(ctx, token)
}

// EndSession is that of the wrapped service.
func (s *Switch) EndSession(ctx context.Context, token, id string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.EndSession(ctx, token, id)
}

// EndOtherSessions is that of the wrapped service.
func (s *Switch) EndOtherSessions(ctx context.Context, token string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.EndOtherSessions(ctx, token)
}

// SetRole is that of the wrapped service.
func (s *Switch) SetRole(ctx context.Context, token, tenant, person, role string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.SetRole(ctx, token, tenant, person, role)
}

// Proposals is that of the wrapped service.
func (s *Switch) Proposals(ctx context.Context, token, tenant string) ([]vault.Proposal, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Proposals(ctx, token, tenant)
}

// Confirm is that of the wrapped service.
func (s *Switch) Confirm(ctx context.Context, token, tenant, proposal string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.Confirm(ctx, token, tenant, proposal)
}

// Refuse is that of the wrapped service.
func (s *Switch) Refuse(ctx context.Context, token, tenant, proposal string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.Refuse(ctx, token, tenant, proposal)
}

// Substitute is that of the wrapped service.
func (s *Switch) Substitute(ctx context.Context, token, tenant, person, deputy string, until time.Time) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.Substitute(ctx, token, tenant, person, deputy, until)
}

// EndSubstitution is that of the wrapped service.
func (s *Switch) EndSubstitution(ctx context.Context, token, tenant, person, deputy string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.EndSubstitution(ctx, token, tenant, person, deputy)
}

// Substitutions is that of the wrapped service.
func (s *Switch) Substitutions(ctx context.Context, token, tenant string) ([]vault.Substitution, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.Substitutions(ctx, token, tenant)
}

// AuditRows is that of the wrapped service.
func (s *Switch) AuditRows(ctx context.Context, token, tenant string, f vault.AuditFilter) (vault.AuditPage, error) {
	if err := s.err(); err != nil {
		return vault.AuditPage{}, err
	}
	return s.inner.AuditRows(ctx, token, tenant, f)
}
