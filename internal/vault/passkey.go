package vault

import (
	"context"
	"encoding/json"
	"time"
)

// PasskeyService is sign-in with passkeys (WebAuthn Level 3) for staff and for accounts. A passkey counts as both factors, because
// every ceremony demands that the person unlocked it. It is discoverable: an offer names nobody, so it tells nothing about who has
// an account.
type PasskeyService interface {
	PasskeyOffer(ctx context.Context, a PasskeyAsk) (PasskeyChallenge, error)
	SignInPasskey(ctx context.Context, a PasskeyAnswer) (Grant, error)
	AddPasskey(ctx context.Context, token string, a PasskeyAnswer) error
	Passkeys(ctx context.Context, token string) ([]Passkey, error)
	RemovePasskey(ctx context.Context, token, id string) error
}

// PasskeyAsk says for what a challenge is drawn. Exactly one of Realm (accounts) and Tenant (staff) is set.
type PasskeyAsk struct {
	Host   string // the RP ID: the host name the person sees, never an IP address
	Origin string // scheme://host[:port] of the page
	Realm  string
	Tenant string
	Token  string // of the signed-in person who adds a passkey or proves themselves; "" at sign-in and registration
	Mail   string // the name shown in the device's list, for registration; ignored when Token is set
	New    bool   // a new passkey is made; otherwise an existing one answers
}

// PasskeyChallenge goes to navigator.credentials. It can be answered once, within five minutes.
type PasskeyChallenge struct {
	ID      string
	Options json.RawMessage // PublicKeyCredentialCreationOptionsJSON or ...RequestOptionsJSON, as parse...FromJSON takes them
}

// PasskeyAnswer is what the device gave back.
type PasskeyAnswer struct {
	Challenge string          // PasskeyChallenge.ID
	Response  json.RawMessage // PublicKeyCredential.toJSON()
	Name      string          // the person's name for a new passkey, at most 60 characters; "" is fine
	Origin    string          // hash of the network, as in Proof
	Label     string          // of the browser, as in Proof
}

// Passkey is one row of the list of a person's passkeys.
type Passkey struct {
	ID, Name, Host string
	Created, Used  time.Time // Used is zero before the first sign-in
}
