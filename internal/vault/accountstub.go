package vault

import (
	"context"
	"poststelle/internal/fault"
	"time"
)

func (v *Vault) Register(ctx context.Context, r Registration) (request string, err error) {
	return "", fault.Unavailable
}
func (v *Vault) ConfirmAccount(ctx context.Context, realm, link string, by Confirmation) (Grant, error) {
	return Grant{}, fault.Unavailable
}
func (v *Vault) Recover(ctx context.Context, r Recovery) (request string, err error) {
	return "", fault.Unavailable
}
func (v *Vault) RecoverSet(ctx context.Context, realm, link, password string) (ready time.Time, request string, err error) {
	return time.Time{}, "", fault.Unavailable
}
func (v *Vault) RecoverFinish(ctx context.Context, token, request string) (done bool, err error) {
	return false, fault.Unavailable
}
func (v *Vault) RecoverCancel(ctx context.Context, realm, link string) error {
	return fault.Unavailable
}
func (v *Vault) CancelRecovery(ctx context.Context, token string) error { return fault.Unavailable }
func (v *Vault) ChangeMail(ctx context.Context, token, tenant, newMail, lang string) (request string, err error) {
	return "", fault.Unavailable
}
func (v *Vault) ConfirmMail(ctx context.Context, token, link string) (request string, err error) {
	return "", fault.Unavailable
}
func (v *Vault) RequestMail(ctx context.Context, token, request, to string) (Outgoing, error) {
	return Outgoing{}, fault.Unavailable
}
func (v *Vault) SignInAccount(ctx context.Context, p AccountProof) (Grant, error) {
	return Grant{}, fault.Unavailable
}
func (v *Vault) FinishSignIn(ctx context.Context, token, otp string) (Grant, error) {
	return Grant{}, fault.Unavailable
}
func (v *Vault) Account(ctx context.Context, token string) (AccountInfo, error) {
	return AccountInfo{}, fault.Unavailable
}
func (v *Vault) SetAccountPassword(ctx context.Context, token, password string) error {
	return fault.Unavailable
}
func (v *Vault) OfferSecondFactor(ctx context.Context, token string) (Enrolment, error) {
	return Enrolment{}, fault.Unavailable
}
func (v *Vault) TakeSecondFactor(ctx context.Context, token, otp string) error {
	return fault.Unavailable
}
func (v *Vault) DropSecondFactor(ctx context.Context, token string) error { return fault.Unavailable }
func (v *Vault) SetLang(ctx context.Context, token, lang string) error    { return fault.Unavailable }
func (v *Vault) DeleteAccount(ctx context.Context, token string) error    { return fault.Unavailable }
func (v *Vault) ForgetAccount(ctx context.Context, token, account string) error {
	return fault.Unavailable
}
func (v *Vault) AccountMail(ctx context.Context, token string, accounts []string) (map[string]Address, error) {
	return nil, fault.Unavailable
}
