// Package inbound takes ordinary e-mail in: a listener for SMTP and LMTP, the
// parser for what comes, and the check of who sent it.
//
// What it keeps true:
//
//   - 250 is said after the durable commit and never before. When the answer gets
//     lost and the mail is sent again, it has the same Mark and is stored once.
//   - Nothing is dropped. A mail that a recogniser does not handle becomes a
//     letter; one that cannot be read becomes a letter with the mail as a file.
//     What is refused is refused in the dialogue, so that the sender learns it.
//   - Mail is taken in for published addresses alone. Every other recipient gets
//     the same refusal, so that nobody learns which tenants there are; nothing is
//     relayed.
//   - Lines end with CR LF (RFC 5321, 2.3.8). A bare CR or LF ends the
//     connection: two servers that disagree on where a mail ends are what SMTP
//     smuggling is made of.
//   - Size, time, number, depth and memory are bounded before they are used.
//   - Nobody is answered who did not ask: no mail from here goes to a null
//     sender, to a machine, or to a loop.
//
// The protocol is spoken here and not by a library, because strictness needs the
// raw bytes of the connection, which libraries for servers keep to themselves.
//
// What it does not do: relay, sign in, filter spam, keep a queue. The name service
// is asked through a Resolver for SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC
// 7489); the results are shown to clerks and used by recognisers, and refuse
// nothing. Logs hold ids and kinds, never an address or a word of a mail.
package inbound

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// Mail is a mail that has been taken in and read, for one tenant. Texts are valid
// UTF-8 without control characters other than line ends and tabs in Text.
type Mail struct {
	Tenant *tenant.Tenant
	// To is the address that the mail went to, as the sender wrote it; Sub what
	// stood there behind a plus sign.
	To, Sub string
	// Envelope is the address of MAIL FROM, "" for a report.
	Envelope string
	// From is the sender that the mail claims to have, with a name that anybody
	// may write; Address is "" when there is none that can be written to. Check
	// says what is proven of it.
	From    Person
	ReplyTo string
	Subject string
	// Text is what the mail says: its plain text, or what remains of markup.
	Text      string
	MessageID string
	// Machine says that no person wrote the mail (RFC 3834): it is never
	// answered.
	Machine bool
	// HTML says that Text was made from markup, Partial that not everything could
	// be read, Encrypted that the text is encrypted.
	HTML, Partial, Encrypted bool
	Files                    []File
	Check                    Check
	// Report is set when the mail is the report of a server about a mail that did
	// not arrive (RFC 3464).
	Report *Report
	// Original is the mail with our trace on top, as it is kept.
	Original []byte
	// Mark is a hash that is the same for the same mail sent again.
	Mark []byte
}

// Person is a name and an address.
type Person struct{ Name, Address string }

// File is an attachment.
type File struct {
	Name    string
	Content []byte
}

// Recogniser handles a mail that is not for a clerk: a wish to leave a
// newsletter, a report of a mail that did not arrive. Not handled, or an error,
// means that the next one is asked and that in the end the mail becomes a letter.
// It may be asked twice about the same mail. The reply, if any, is sent to the
// sender, never to a machine, also when the mail becomes a letter besides; a mail
// whose reply cannot be sent becomes one.
type Recogniser func(ctx context.Context, m Mail) (handled bool, reply *mail.Message, err error)

// Config is what a Server needs. Find, Deliver, Now and Log are required.
type Config struct {
	// Name is the host name that the server goes by: in its greeting, in the
	// trace of a mail, and as the name under which it reports its checks.
	Name string
	// Find returns the tenant that publishes an address, and the sub-address.
	Find func(address string) (*tenant.Tenant, string, bool)
	// Deliver stores a mail durably as a letter; the same Mark twice stores one.
	Deliver func(ctx context.Context, m Mail) error
	// Recognisers are asked in order.
	Recognisers []Recogniser
	// Send sends replies of recognisers; nil where no mail can be sent.
	Send func(ctx context.Context, m mail.Message) error
	// Own is the address from which this installation writes by machine. Mail of
	// its own that comes back is refused: it would go round for ever.
	Own string
	// Resolver answers questions to the name service; nil asks none, and nothing
	// is proven then.
	Resolver Resolver
	// TLS is offered by STARTTLS; nil offers none.
	TLS    *tls.Config
	Limits Limits
	// Now is the clock, also of the deadlines of connections: it must run.
	Now func() time.Time
	Log *slog.Logger
}

// Limits bound what others may do to the listener. Zero fields take the default.
type Limits struct {
	MaxSize        int64         // bytes of one mail: 50 MiB
	Memory         int64         // bytes of all mails being taken in: 256 MiB
	Recipients     int           // of one mail: 100
	Connections    int           // at once: 200
	PerNetwork     int           // at once from one /24 or /48: 20
	MailsPerHour   int           // from one network: 500; negative for no limit
	RepliesPerDay  int           // to one address: 1
	CommandTimeout time.Duration // for one command: 2 minutes
	DataTimeout    time.Duration // for one whole mail: 10 minutes
}

func (l Limits) withDefaults() Limits {
	set(&l.MaxSize, 50<<20)
	set(&l.Memory, 256<<20)
	set(&l.Recipients, 100)
	set(&l.Connections, 200)
	set(&l.PerNetwork, 20)
	set(&l.MailsPerHour, 500)
	set(&l.RepliesPerDay, 1)
	set(&l.CommandTimeout, 2*time.Minute)
	set(&l.DataTimeout, 10*time.Minute)
	return l
}

func set[T int | int64 | time.Duration](v *T, normal T) {
	if *v == 0 {
		*v = normal
	}
}

// envelope is what a sender said before the mail.
type envelope struct {
	remote     string // address of the client, "" where a relay of ours stands before us
	helo       string
	tls        bool
	lmtp       bool
	from       string
	recipients []recipient
}

type recipient struct {
	address string
	sub     string
	tenant  *tenant.Tenant
}

// takeTimeout bounds what happens between the end of a mail and the answer.
const takeTimeout = 2 * time.Minute

// errLoop refuses a mail that would go round for ever.
var errLoop = errors.New("inbound: mail goes round")

// take reads a mail and hands it over, once for each tenant. The errors are those
// of the tenants of the recipients, in their order; nil is a durable commit.
func (s *Server) take(ctx context.Context, e envelope, raw []byte) []error {
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	out := make([]error, len(e.recipients))
	h, body := split(raw)
	if h.hops() > maxHops || s.fromHere(h) {
		for i := range out {
			out[i] = errLoop
		}
		return out
	}
	base := read(h, body)
	base.Envelope = e.from
	base.Machine = base.Machine || e.from == ""
	base.Check = s.check(ctx, e, h, raw)
	for _, group := range byTenant(e.recipients) {
		var mails []Mail
		for _, i := range group {
			m, r := base, e.recipients[i]
			m.Tenant, m.To, m.Sub = r.tenant, r.address, r.sub
			mails = append(mails, m)
		}
		first := e.recipients[group[0]]
		err := s.hand(ctx, mails, s.traced(e, first, h, body, base.Check), mark(h, body))
		for _, i := range group {
			out[i] = err
		}
	}
	return out
}

// byTenant groups the indices of recipients by their tenant, in order.
func byTenant(recipients []recipient) (groups [][]int) {
	at := map[tenant.ID]int{}
	for i, r := range recipients {
		g, ok := at[r.tenant.ID]
		if !ok {
			g = len(groups)
			at[r.tenant.ID] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// hand gives a mail, once for each address of one tenant that it went to, to the
// recognisers, and one time to a clerk when none of them handles it.
func (s *Server) hand(ctx context.Context, mails []Mail, original, mark []byte) error {
	for _, m := range mails {
		m.Original, m.Mark = original, mark
		for _, recognise := range s.Recognisers {
			handled, reply, err := recognise(ctx, m)
			if err != nil {
				s.Log.Warn("mail not recognised", "tenant", m.Tenant.ID, "kind", fault.KindOf(err).Error())
				continue
			}
			answered := reply == nil || s.reply(ctx, m, *reply)
			if handled && answered {
				return nil
			}
		}
	}
	m := mails[0]
	m.Original, m.Mark = original, mark
	return s.Deliver(ctx, m)
}

// reply sends what a recogniser answers, at most RepliesPerDay to one address.
// False means that nobody was answered and that a person must look.
func (s *Server) reply(ctx context.Context, m Mail, r mail.Message) bool {
	if m.Machine || m.Envelope == "" || s.Send == nil {
		return false
	}
	if !s.replies.take(r.To, s.Now()) {
		return false
	}
	if err := s.Send(ctx, r); err != nil {
		s.Log.Warn("answer to a mail not sent", "tenant", m.Tenant.ID)
		return false
	}
	return true
}
