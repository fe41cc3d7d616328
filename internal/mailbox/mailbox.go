// Package mailbox is the post office itself: letters from citizens, the
// answers of an office, and the threads that both belong to. The citizen's
// assistant and collection page and the staff inbox are two views of one thing.
//
// What it keeps true:
//
//   - A letter is acknowledged only after its commit is durable, and one check
//     page makes one letter, however often it is sent (Send).
//   - Subject, text, names, addresses, notes and files are stored sealed; the
//     keys are in the vault alone. What stands in clear columns is listed in
//     privacy.go and compared with the live schema by a test.
//   - Before sending nothing is stored durably: the text is in the session's
//     memory, files are sealed under a key that only the session holds, and both
//     go when the session ends (A31–A34).
//   - Nothing here deletes a letter by itself. Deletion is an act of a clerk
//     (A45–A47); it destroys the keys first, then the rows, then the files.
//   - Whether a clerk may read is decided by the vault for every key, not by
//     the code here.
//   - An office writes first only to who holds a thread of it or gave it a
//     permission; nobody searches for people (begin.go, permission.go).
//
// Operations that touch both the vault and the database enqueue a settling job
// in the database first, so that a crash between the two is repaired from what
// the vault says (settle).
package mailbox

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/jobs"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// Config is what the post office needs. All fields are required, except that
// Mail may be nil where no mail can be sent.
type Config struct {
	DB        *db.DB
	Vault     vault.Service
	Deputy    *vault.Deputy
	Blobs     blob.Store
	Refs      *blob.Refs
	Jobs      *jobs.Queue
	Directory *tenant.Directory
	Accounts  *account.Accounts
	Sessions  *web.Sessions
	Mail      mail.Sender
	Tokens    Tokens
	// MailFrom is the sender address of notices.
	MailFrom string
	// BaseURL returns the address of a tenant's pages without a final slash,
	// for links in mails.
	BaseURL func(*tenant.Tenant) string
	// Limits bounds what one network may upload and send; zero is the default.
	Limits Limits
	Now    func() time.Time
	Log    *slog.Logger
}

// Tokens are the named grants of the vault under which jobs work without a
// person: notices, answers by plain e-mail, and tidying up.
type Tokens struct {
	Notifier, Mailer, Retention string
}

// Service is the post office of all tenants of an installation.
type Service struct {
	Config
	numbers  numbers
	counts   counts
	collects collectRate
	uploads  *uploadBudget
	letters  *web.Quota[letterSource]
	told     sync.Map // by tenant and mailbox the minute for which tellOffice has done all
	wake     chan struct{}
}

// New returns the post office and registers its jobs. It starts nothing: Run
// does.
func New(c Config) *Service {
	c.Limits = c.Limits.withDefaults()
	s := &Service{Config: c, uploads: newUploadBudget(c.Limits), letters: newLetterQuota(c.Limits), wake: make(chan struct{}, 1)}
	s.Sessions.OnEnd(s.forgetDraft)
	s.registerJobs()
	return s
}

// state is where a thread stands.
type state string

const (
	stateNew     state = "new"     // nobody has worked on it
	stateOpen    state = "open"    // an office works on it
	stateWaiting state = "waiting" // the office has asked the citizen
	stateClosed  state = "closed"
)

func (st state) known() bool {
	switch st {
	case stateNew, stateOpen, stateWaiting, stateClosed:
		return true
	}
	return false
}

// replyWay is how the citizen wants to be answered.
type replyWay string

const (
	replyCode   replyWay = "code"
	replyLetter replyWay = "letter"
	replyEmail  replyWay = "email"
	// replyAccount is the mailbox of a person with an account.
	replyAccount replyWay = "account"
)

// kind tells the messages of a thread apart.
type kind string

const (
	fromCitizen kind = "citizen"
	fromOffice  kind = "office"
	note        kind = "note"  // internal, never shown to the citizen
	event       kind = "event" // forwarded, closed …: a line in the thread
)

// thread is a row of mailbox_threads: what is known without any key.
type thread struct {
	ID         string
	Tenant     tenant.ID
	Mailbox    tenant.MailboxID
	Topic      string
	Number     string
	State      state
	Unread     bool
	Assignee   string
	Reply      replyWay
	Notice     bool
	Files      int
	SizeClass  int
	Withdrawal bool
	Deleting   bool // a clerk has said so: it takes nothing more in
	Registered bool // begun by, or for, a person with an account: it has no collection code
	First      string
	Received   time.Time
	Changed    time.Time
	Due        time.Time
	Closed     time.Time
	Version    int
}

// message is a row of mailbox_messages with its sealed parts.
type message struct {
	ID     string
	Tenant tenant.ID
	Thread string
	Kind   kind
	Author string
	ByMail bool
	// Undelivered says that the mail with this answer was given up. Only
	// selectMessages reads it.
	Undelivered bool
	Created     time.Time
	card        []byte
	body        []byte
	contact     []byte
	receipt     []byte
	files       []storedFile
}

// storedFile is a row of mailbox_files.
type storedFile struct {
	message string
	part    string
	blob    blob.ID
	card    []byte
}

// card is what a list shows of a thread: the sealed part "card" of its first
// message.
type card struct {
	Subject string `json:"subject"`
	Sender  string `json:"sender,omitempty"`
	// Excerpt is the beginning of an answer, for the list of the person who gets
	// it. Letters of citizens have none: what they write is opened as content, and
	// never with a list.
	Excerpt string `json:"excerpt,omitempty"`
}

// contact is how the citizen can be reached: the sealed part "contact".
type contact struct {
	Email   string `json:"email,omitempty"`
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	// Lang is the language of mails to the citizen, "" the reference.
	Lang string `json:"lang,omitempty"`
	// MailID and MailTo are the Message-ID of a letter that came by e-mail, and
	// the address that it came to.
	MailID string `json:"mailID,omitempty"`
	MailTo string `json:"mailTo,omitempty"`
}

// empty reports whether there is no way to reach the citizen.
func (c contact) empty() bool { return c.sameReach(contact{}) }

// sameReach compares everything but the language, which follows the page that
// was used last and makes no other letter.
func (c contact) sameReach(o contact) bool {
	c.Lang, o.Lang = "", ""
	return c == o
}

// fileCard describes a file: the sealed part "filecard/…".
type fileCard struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// eventNote is the body of an event message. Reason is for the office alone;
// the citizen's view never renders it.
type eventNote struct {
	Event  string `json:"event"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Reason string `json:"reason,omitempty"`
	Tell   bool   `json:"tell,omitempty"`
}

// encode marshals one of the small structures above, which cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Run keeps the intake queue flowing until ctx ends.
func (s *Service) Run(ctx context.Context) error { return s.runIntake(ctx) }
