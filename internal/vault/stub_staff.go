package vault

import (
	"context"
	"time"

	"poststelle/internal/fault"
)

func (v *Vault) ProvePassword(ctx context.Context, token, password, otp string) error {
	return fault.Unavailable
}
func (v *Vault) ProvePasskey(ctx context.Context, token string, a PasskeyAnswer) error {
	return fault.Unavailable
}
func (v *Vault) Sessions(ctx context.Context, token string) ([]Session, error) {
	return nil, fault.Unavailable
}
func (v *Vault) EndSession(ctx context.Context, token, id string) error { return fault.Unavailable }
func (v *Vault) EndOtherSessions(ctx context.Context, token string) error {
	return fault.Unavailable
}
func (v *Vault) SetRole(ctx context.Context, token, tenant, person, role string) error {
	return fault.Unavailable
}
func (v *Vault) Proposals(ctx context.Context, token, tenant string) ([]Proposal, error) {
	return nil, fault.Unavailable
}
func (v *Vault) Confirm(ctx context.Context, token, tenant, proposal string) error {
	return fault.Unavailable
}
func (v *Vault) Refuse(ctx context.Context, token, tenant, proposal string) error {
	return fault.Unavailable
}
func (v *Vault) Substitute(ctx context.Context, token, tenant, person, deputy string, until time.Time) error {
	return fault.Unavailable
}
func (v *Vault) EndSubstitution(ctx context.Context, token, tenant, person, deputy string) error {
	return fault.Unavailable
}
func (v *Vault) Substitutions(ctx context.Context, token, tenant string) ([]Substitution, error) {
	return nil, fault.Unavailable
}
func (v *Vault) AuditRows(ctx context.Context, token, tenant string, before int64, limit int) (AuditPage, error) {
	return AuditPage{}, fault.Unavailable
}
