package vault

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// AccountService is what citizens with an account do, and what is done for them. An account lives in a realm: "*" for all tenants
// that share one register, or the id of a tenant with a register of its own. Methods with a token take that of SignInAccount,
// FinishSignIn or SignInPasskey unless they name a service; that of a person of the staff is fault.Denied. Methods that demand a
// fresh proof return an error that wraps ErrProve when the person last proved who they are more than 10 minutes ago.
//
// A link is the secret part of a link in a mail, as Outgoing.Token holds it. One that is malformed, forged, of another realm, made
// for another purpose, used or expired is fault.Denied, all alike.
//
// No answer, no mail to somebody else and no amount of work tells whether an address has an account.
type AccountService interface {
	// Registration, recovery and change of the address. Each returns the id of a request, which a job hands to RequestMail.
	Register(ctx context.Context, r Registration) (request string, err error)
	ConfirmAccount(ctx context.Context, realm, link string, by Confirmation) (Grant, error)
	Recover(ctx context.Context, r Recovery) (request string, err error)
	RecoverSet(ctx context.Context, realm, link, password string) (ready time.Time, request string, err error)
	RecoverFinish(ctx context.Context, token, request string) (done bool, err error)
	RecoverCancel(ctx context.Context, realm, link string) error
	CancelRecovery(ctx context.Context, token string) error
	ChangeMail(ctx context.Context, token, tenant, newMail, lang string) (request string, err error)
	ConfirmMail(ctx context.Context, realm, link, token string) (request string, err error)
	RequestMail(ctx context.Context, token, request, to string) (Outgoing, error)

	// Sign-in and the account itself.
	SignInAccount(ctx context.Context, p AccountProof) (Grant, error)
	FinishSignIn(ctx context.Context, token, otp string) (Grant, error)
	Account(ctx context.Context, token string) (AccountInfo, error)
	SetAccountPassword(ctx context.Context, token, tenant, password string) error
	OfferSecondFactor(ctx context.Context, token string) (Enrolment, error)
	TakeSecondFactor(ctx context.Context, token, otp string) error
	DropSecondFactor(ctx context.Context, token string) error
	SetLang(ctx context.Context, token, lang string) error
	DeleteAccount(ctx context.Context, token string) error
	ForgetAccount(ctx context.Context, token, account string) error
	GoneAccounts(ctx context.Context, token string, accounts []string) ([]string, error)
	AccountMail(ctx context.Context, token string, accounts []string) (map[string]Address, error)

	// Keys.
	AccountCards(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error)
	AccountOpen(ctx context.Context, token, tenant, thread string, messages []string) (map[string]seal.Key, error)
	Adopt(ctx context.Context, token, tenant string, code seal.Code) (thread string, err error)
	LetGo(ctx context.Context, token, tenant, thread string) error
	Begin(ctx context.Context, staffToken, tenant, mailbox, from, thread, message string) (seal.Key, error)
	DraftKey(ctx context.Context, token, draft string) (seal.Key, error)
	DropDrafts(ctx context.Context, token string, drafts []string) error
}

// RealmAll is the realm of all tenants that share one register of accounts.
const RealmAll = "*"

// auditAccount stands in the audit for any citizen: which one it was is nobody's business, and the row outlives the account.
const auditAccount = "account"

// Registration is the wish for an account. It needs a password, a passkey or both.
type Registration struct {
	Realm, Tenant  string // Tenant is the one on whose host the person is; the links lead there
	Mail, Password string
	Passkey        *PasskeyAnswer // to a challenge with New and the realm
	Lang           string         // "de" or "en": of the mails
	Origin         string         // as in Proof
}

// Confirmation shows that whoever opens the link of a registration is the one who registered: with the password, or with the id of
// the request, which only the session of the same browser knows. So an address that somebody else typed makes no account.
type Confirmation struct {
	Password, Request string
	Origin, Label     string // of the session that begins, as in AccountProof
}

// Recovery is the wish to get back into an account whose password or second factor is lost.
type Recovery struct {
	Realm, Tenant, Mail, Lang, Origin string // as in Registration
}

// AccountProof is what a citizen shows at sign-in.
type AccountProof struct {
	Realm, Mail, Password string
	Origin                string // as in Proof
	Label                 string // how the list of sessions names this one, for example "Firefox, Windows"
}

// AccountInfo is what an account is, for its person.
type AccountInfo struct {
	ID, Realm, Mail, Lang  string
	Created                time.Time
	Password, SecondFactor bool
	RecoveryReady          time.Time // when a waiting recovery takes effect; zero without one
	PendingMail            string    // new address that waits for its confirmation
}

// Address is where a mail to an account goes.
type Address struct{ Mail, Lang, Realm string }

// Kinds of Outgoing.
const (
	MailRegister    = "register"       // confirm the registration; Token for ConfirmAccount
	MailKnown       = "known"          // somebody wanted to register, or to move to, an address that has an account; no Token
	MailRecover     = "recover"        // set a new password; Token for RecoverSet
	MailWaiting     = "recoverwait"    // the wait has begun, until Ready; Token for RecoverCancel
	MailRecovered   = "recovered"      // the new password holds
	MailAddress     = "address"        // confirm the new address; Token for ConfirmMail
	MailAddressDone = "addresschanged" // the address was changed
)

// Outgoing is one mail to be sent: what, to whom, in which language, with links to which tenant's host. Nothing is to be sent when
// To is "".
type Outgoing struct {
	Kind, Tenant, To, Lang string
	Token                  string // secret part of the link; "" when the mail has none
	Ready                  time.Time
}

// realmHolds reports whether accounts of the realm may have threads with the tenant. Which tenants share the realm "*" is not known
// here; whoever opens a session for a tenant's host asks for the right realm.
func realmHolds(realm, tenant string) bool {
	return realm != "" && tenant != "" && (realm == RealmAll || realm == tenant)
}

// foldMail is an address as it is compared.
func foldMail(mail string) string { return strings.ToLower(strings.TrimSpace(mail)) }

// mailKey is how an account is found by its address without the address standing in the file.
func (v *Vault) mailKey(realm, mail string) []byte {
	return mac(v.keys.mail, canonical("mail", realm, foldMail(mail)))
}

// badMail is a last look at what package mail has parsed: nothing that breaks a header or names two addresses.
func badMail(mail string) (fault.Field, bool) {
	m := strings.TrimSpace(mail)
	local, domain, ok := strings.Cut(m, "@")
	bad := !ok || local == "" || domain == "" || strings.Contains(domain, "@") || len(m) > 254 || !utf8.ValidString(m) ||
		strings.ContainsFunc(m, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(",;<>", r)
		})
	return fault.Field{Name: "email", Key: "vault.account.mail"}, bad
}

func validLang(lang string) bool {
	return len(lang) >= 2 && len(lang) <= 8 && url.PathEscape(lang) == lang
}

// accountOf reads the account of a grant. It is fault.Denied, and ends the grants, when the account was deleted.
func (v *Vault) accountOf(ctx context.Context, tx *db.Tx, g *grant) (accountRow, error) {
	row, err := accountByID(ctx, tx, g.person)
	if errors.Is(err, fault.NotFound) {
		v.grants.endPerson("", g.person, "")
		err = fmt.Errorf("account %s: %w", g.person, fault.Denied)
	}
	return row, err
}

// stillThere is accountOf for who needs nothing of the row.
func (v *Vault) stillThere(ctx context.Context, tx *db.Tx, g *grant) error {
	_, err := v.accountOf(ctx, tx, g)
	return err
}
