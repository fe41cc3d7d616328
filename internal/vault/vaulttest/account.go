package vaulttest

import (
	"context"
	"time"

	"poststelle/internal/seal"
	"poststelle/internal/vault"
)

// Register is that of the wrapped service.
func (s *Switch) Register(ctx context.Context, r vault.Registration) (string, error) {
	if err := s.err(); err != nil {
		return "", err
	}
	return s.inner.Register(ctx, r)
}

// ConfirmAccount is that of the wrapped service.
func (s *Switch) ConfirmAccount(ctx context.Context, realm, link string, by vault.Confirmation) (vault.Grant, error) {
	if err := s.err(); err != nil {
		return vault.Grant{}, err
	}
	return s.inner.ConfirmAccount(ctx, realm, link, by)
}

// Recover is that of the wrapped service.
func (s *Switch) Recover(ctx context.Context, r vault.Recovery) (string, error) {
	if err := s.err(); err != nil {
		return "", err
	}
	return s.inner.Recover(ctx, r)
}

// RecoverSet is that of the wrapped service.
func (s *Switch) RecoverSet(ctx context.Context, realm, link, password string) (time.Time, string, error) {
	if err := s.err(); err != nil {
		return time.Time{}, "", err
	}
	return s.inner.RecoverSet(ctx, realm, link, password)
}

// RecoverFinish is that of the wrapped service.
func (s *Switch) RecoverFinish(ctx context.Context, token, request string) (bool, error) {
	if err := s.err(); err != nil {
		return false, err
	}
	return s.inner.RecoverFinish(ctx, token, request)
}

// RecoverCancel is that of the wrapped service.
func (s *Switch) RecoverCancel(ctx context.Context, realm, link string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.RecoverCancel(ctx, realm, link)
}

// CancelRecovery is that of the wrapped service.
func (s *Switch) CancelRecovery(ctx context.Context, token string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.CancelRecovery(ctx, token)
}

// ChangeMail is that of the wrapped service.
func (s *Switch) ChangeMail(ctx context.Context, token, tenant, newMail, lang string) (string, error) {
	if err := s.err(); err != nil {
		return "", err
	}
	return s.inner.ChangeMail(ctx, token, tenant, newMail, lang)
}

// ConfirmMail is that of the wrapped service.
func (s *Switch) ConfirmMail(ctx context.Context, realm, link, token string) (string, error) {
	if err := s.err(); err != nil {
		return "", err
	}
	return s.inner.ConfirmMail(ctx, realm, link, token)
}

// RequestMail is that of the wrapped service.
func (s *Switch) RequestMail(ctx context.Context, token, request, to string) (vault.Outgoing, error) {
	if err := s.err(); err != nil {
		return vault.Outgoing{}, err
	}
	return s.inner.RequestMail(ctx, token, request, to)
}

// SignInAccount is that of the wrapped service.
func (s *Switch) SignInAccount(ctx context.Context, p vault.AccountProof) (vault.Grant, error) {
	if err := s.err(); err != nil {
		return vault.Grant{}, err
	}
	return s.inner.SignInAccount(ctx, p)
}

// FinishSignIn is that of the wrapped service.
func (s *Switch) FinishSignIn(ctx context.Context, token, otp string) (vault.Grant, error) {
	if err := s.err(); err != nil {
		return vault.Grant{}, err
	}
	return s.inner.FinishSignIn(ctx, token, otp)
}

// Account is that of the wrapped service.
func (s *Switch) Account(ctx context.Context, token string) (vault.AccountInfo, error) {
	if err := s.err(); err != nil {
		return vault.AccountInfo{}, err
	}
	return s.inner.Account(ctx, token)
}

// SetAccountPassword is that of the wrapped service.
func (s *Switch) SetAccountPassword(ctx context.Context, token, tenant, password string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.SetAccountPassword(ctx, token, tenant, password)
}

// OfferSecondFactor is that of the wrapped service.
func (s *Switch) OfferSecondFactor(ctx context.Context, token string) (vault.Enrolment, error) {
	if err := s.err(); err != nil {
		return vault.Enrolment{}, err
	}
	return s.inner.OfferSecondFactor(ctx, token)
}

// TakeSecondFactor is that of the wrapped service.
func (s *Switch) TakeSecondFactor(ctx context.Context, token, otp string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.TakeSecondFactor(ctx, token, otp)
}

// DropSecondFactor is that of the wrapped service.
func (s *Switch) DropSecondFactor(ctx context.Context, token string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.DropSecondFactor(ctx, token)
}

// SetLang is that of the wrapped service.
func (s *Switch) SetLang(ctx context.Context, token, lang string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.SetLang(ctx, token, lang)
}

// DeleteAccount is that of the wrapped service.
func (s *Switch) DeleteAccount(ctx context.Context, token string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.DeleteAccount(ctx, token)
}

// ForgetAccount is that of the wrapped service.
func (s *Switch) ForgetAccount(ctx context.Context, token, account string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.ForgetAccount(ctx, token, account)
}

// AccountMail is that of the wrapped service.
func (s *Switch) AccountMail(ctx context.Context, token string, accounts []string) (map[string]vault.Address, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.AccountMail(ctx, token, accounts)
}

// AccountCards is that of the wrapped service.
func (s *Switch) AccountCards(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.AccountCards(ctx, token, tenant, messages)
}

// AccountOpen is that of the wrapped service.
func (s *Switch) AccountOpen(ctx context.Context, token, tenant, thread string, messages []string) (map[string]seal.Key, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.AccountOpen(ctx, token, tenant, thread, messages)
}

// Adopt is that of the wrapped service.
func (s *Switch) Adopt(ctx context.Context, token, tenant string, code seal.Code) (string, error) {
	if err := s.err(); err != nil {
		return "", err
	}
	return s.inner.Adopt(ctx, token, tenant, code)
}

// LetGo is that of the wrapped service.
func (s *Switch) LetGo(ctx context.Context, token, tenant, thread string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.LetGo(ctx, token, tenant, thread)
}

// Begin is that of the wrapped service.
func (s *Switch) Begin(ctx context.Context, staffToken, tenant, mailbox, from, thread, message string) (seal.Key, error) {
	if err := s.err(); err != nil {
		return seal.Key{}, err
	}
	return s.inner.Begin(ctx, staffToken, tenant, mailbox, from, thread, message)
}

// DraftKey is that of the wrapped service.
func (s *Switch) DraftKey(ctx context.Context, token, draft string) (seal.Key, error) {
	if err := s.err(); err != nil {
		return seal.Key{}, err
	}
	return s.inner.DraftKey(ctx, token, draft)
}

// DropDrafts is that of the wrapped service.
func (s *Switch) DropDrafts(ctx context.Context, token string, drafts []string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.DropDrafts(ctx, token, drafts)
}

// GoneAccounts is that of the wrapped service.
func (s *Switch) GoneAccounts(ctx context.Context, token string, accounts []string) ([]string, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.GoneAccounts(ctx, token, accounts)
}
