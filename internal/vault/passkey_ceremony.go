package vault

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

const (
	ceremonyTime = 5 * time.Minute
	// maxUsed bounds the challenges remembered as used. Only a right answer uses one up, so filling it takes as many signatures.
	maxUsed = 50_000
)

// ceremony is what an offer was made for. It travels in the challenge's id under a MAC, so that offers take no memory that a flood
// could fill; only used ones are remembered.
type ceremony struct {
	At     int64  `json:"t"` // Unix milliseconds
	Nonce  []byte `json:"x"`
	Host   string `json:"h"`
	Origin string `json:"o"`
	Realm  string `json:"r,omitempty"`
	Tenant string `json:"n,omitempty"`
	Owner  string `json:"w,omitempty"` // who was signed in
	Handle []byte `json:"k,omitempty"` // user handle of a new passkey
	New    bool   `json:"c,omitempty"`

	challenge []byte
}

func (c *ceremony) fill(now time.Time) {
	c.At = now.UnixMilli()
	c.Nonce = make([]byte, 16)
	rand.Read(c.Nonce)
}

// fits reports whether a passkey may answer the offer at all.
func (c ceremony) fits(owner, host string) bool {
	register := "account:"
	if c.Tenant != "" {
		register = "staff:" + c.Tenant + ":"
	}
	return host == c.Host && strings.HasPrefix(owner, register) && (c.Owner == "" || c.Owner == owner)
}

// party is the relying party of the offer: one host, one origin, the person unlocks the device.
func (c ceremony) party() (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{
		RPID: c.Host, RPDisplayName: c.Host, RPOrigins: []string{c.Origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: ceremonyTime},
			Registration: webauthn.TimeoutConfig{Timeout: ceremonyTime},
		},
		// Password managers add outputs of their own; none is read here.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
}

// session is what the library would have had us keep.
func (c ceremony) session() webauthn.SessionData {
	return webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(c.challenge), RelyingPartyID: c.Host, UserID: c.Handle,
		UserVerification: protocol.VerificationRequired, CredParams: passkeyKinds(),
	}
}

// passkeyKinds are the signatures taken: ES256, EdDSA and RS256, which together every device can.
func passkeyKinds() []protocol.CredentialParameter {
	var out []protocol.CredentialParameter
	for _, alg := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		out = append(out, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg})
	}
	return out
}

// passkeyUser is a person as the library wants them.
type passkeyUser struct {
	handle []byte
	name   string
	keys   []webauthn.Credential
}

func (u passkeyUser) WebAuthnID() []byte                         { return u.handle }
func (u passkeyUser) WebAuthnName() string                       { return u.name }
func (u passkeyUser) WebAuthnDisplayName() string                { return u.name }
func (u passkeyUser) WebAuthnCredentials() []webauthn.Credential { return u.keys }

// ceremonies makes and reads offers. Its key lives as long as the process.
type ceremonies struct {
	key  seal.Key
	mu   sync.Mutex
	used map[string]time.Time
}

func (s *ceremonies) init() { s.key, s.used = seal.NewKey(), map[string]time.Time{} }

// id signs the ceremony; the MAC is the challenge too.
func (s *ceremonies) id(c *ceremony) (string, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	c.challenge = mac(s.key, string(raw))
	b64 := base64.RawURLEncoding
	return b64.EncodeToString(raw) + "." + b64.EncodeToString(c.challenge), nil
}

// read returns the ceremony of an id that is ours and not too old.
func (s *ceremonies) read(id string, now time.Time) (c ceremony, ok bool) {
	head, tail, ok := strings.Cut(id, ".")
	b64 := base64.RawURLEncoding.Strict()
	raw, err := b64.DecodeString(head)
	sum, err2 := b64.DecodeString(tail)
	if !ok || err != nil || err2 != nil || !hmac.Equal(sum, mac(s.key, string(raw))) || json.Unmarshal(raw, &c) != nil {
		return ceremony{}, false
	}
	c.challenge = sum
	age := now.Sub(time.UnixMilli(c.At))
	return c, age >= -time.Minute && age < ceremonyTime
}

// use marks a challenge as used; false when it was before.
func (s *ceremonies) use(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, ok := s.used[id]; ok && now.Before(until) {
		return false
	}
	if len(s.used) >= maxUsed {
		s.forget(now)
		if len(s.used) >= maxUsed {
			return false
		}
	}
	s.used[id] = now.Add(2 * ceremonyTime)
	return true
}

func (s *ceremonies) forget(now time.Time) {
	for id, until := range s.used {
		if !now.Before(until) {
			delete(s.used, id)
		}
	}
}

func (s *ceremonies) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
}

// request makes the offer for an existing passkey.
func (s *ceremonies) request(c ceremony) (PasskeyChallenge, error) {
	id, err := s.id(&c)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	rp, err := c.party()
	if err != nil {
		return PasskeyChallenge{}, fmt.Errorf("relying party: %w", fault.Invalid)
	}
	out, _, err := rp.BeginDiscoverableLogin(webauthn.WithChallenge(c.challenge), webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return PasskeyChallenge{}, fmt.Errorf("relying party: %w", fault.Invalid)
	}
	options, err := json.Marshal(out.Response)
	return PasskeyChallenge{ID: id, Options: options}, err
}

// creation makes the offer for a new passkey.
func (s *ceremonies) creation(c ceremony, name string, known []webauthn.Credential) (PasskeyChallenge, error) {
	id, err := s.id(&c)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	rp, err := c.party()
	if err != nil {
		return PasskeyChallenge{}, fmt.Errorf("relying party: %w", fault.Invalid)
	}
	if name == "" {
		name = c.Host
	}
	challenge := func(o *protocol.PublicKeyCredentialCreationOptions) error {
		o.Challenge = c.challenge
		return nil
	}
	out, _, err := rp.BeginRegistration(passkeyUser{handle: c.Handle, name: name}, challenge,
		webauthn.WithCredentialParameters(passkeyKinds()), webauthn.WithExclusions(webauthn.Credentials(known).CredentialDescriptors()))
	if err != nil {
		return PasskeyChallenge{}, fmt.Errorf("relying party: %w", fault.Invalid)
	}
	options, err := json.Marshal(out.Response)
	return PasskeyChallenge{ID: id, Options: options}, err
}

// goodOrigin reports whether host can be an RP ID (WebAuthn 5.1.2: a domain, no IP address) and origin is a page of that host.
func goodOrigin(host, origin string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" || strings.ToLower(host) != host {
		return false
	}
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() != host || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || strings.HasSuffix(host, ".localhost"))
}
