package vault

import (
	"context"
	"time"
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
