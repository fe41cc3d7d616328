package app

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"

	"poststelle/internal/inbound"
	"poststelle/internal/mail"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
)

// mailListener is where incoming mail is taken in.
type mailListener struct {
	net.Listener
	protocol inbound.Protocol
}

// inboundOptions are what the command line says about incoming mail.
type inboundOptions struct {
	name     string
	tls      *tls.Config
	resolver inbound.Resolver
}

// inboundServer joins incoming mail with the tenants, the post office and what
// recognises mail that is not for a clerk.
func (a *App) inboundServer(name string, offer *tls.Config, resolver inbound.Resolver) *inbound.Server {
	c := inbound.Config{
		Name: name, Find: a.findMail, Deliver: a.deliverMail, Recognisers: a.recognisers(), Own: a.MailFrom, Resolver: resolver, TLS: offer,
		Limits: a.InboundLimits, Now: a.Now, Log: a.Log,
	}
	if a.sender != nil {
		c.Send = a.sender.Send
	}
	return inbound.New(c)
}

// findMail returns whose mail an address is. The postmaster, whom every server
// has to have (RFC 5321, 4.5.1), is the operator.
func (a *App) findMail(address string) (*tenant.Tenant, string, bool) {
	if t, sub, ok := a.Directory.ByMail(address); ok {
		return t, sub, true
	}
	local, domain, _ := strings.Cut(address, "@")
	if !strings.EqualFold(local, "postmaster") {
		return nil, "", false
	}
	var operator *tenant.Tenant
	served := domain == ""
	for _, t := range a.Directory.All() {
		if t.Kind == tenant.Operator && operator == nil {
			operator = t
		}
		for _, p := range t.Published() {
			served = served || strings.HasSuffix(p, "@"+strings.ToLower(domain))
		}
	}
	return operator, "", served && operator != nil
}

// deliverMail makes a letter of a mail.
func (a *App) deliverMail(ctx context.Context, m inbound.Mail) error {
	out := mailbox.Mailed{
		Subject: m.Subject, Body: m.Text, Name: m.From.Name, Address: m.From.Address, ReplyTo: m.ReplyTo, To: m.To, MessageID: m.MessageID,
		Proof: proofOf(m.Check), SPF: m.Check.SPF, DKIM: m.Check.Signatures(), DMARC: m.Check.DMARC,
		Machine: m.Machine, HTML: m.HTML, Partial: m.Partial, Encrypted: m.Encrypted, Original: m.Original, Mark: m.Mark,
	}
	for _, f := range m.Files {
		out.Files = append(out.Files, mailbox.File{Name: f.Name, Content: f.Content})
	}
	id, known, err := a.Mailboxes.TakeMail(ctx, m.Tenant, out)
	if err != nil {
		return err
	}
	a.Log.Info("mail taken in", "tenant", m.Tenant.ID, "thread", id, "known", known)
	return nil
}

func proofOf(c inbound.Check) mailbox.Proof {
	switch {
	case c.Trusted():
		return mailbox.ProofYes
	case c.Refused():
		return mailbox.ProofForged
	case c.Unknown():
		return mailbox.ProofUnknown
	}
	return mailbox.ProofNo
}

// recognisers are asked about every mail, in order.
func (a *App) recognisers() []inbound.Recogniser {
	return []inbound.Recogniser{a.bouncedAnswer, a.newsletterMail}
}

// bouncedAnswer recognises the report that an answer of an office by e-mail did
// not arrive.
func (a *App) bouncedAnswer(ctx context.Context, m inbound.Mail) (bool, *mail.Message, error) {
	if m.Report == nil || !m.Report.Failed() {
		return false, nil, nil
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(m.Report.OriginalID, "<"), "@")
	found, err := a.Mailboxes.Bounced(ctx, id)
	return found, nil, err
}

// serveMail takes mail in until ctx ends. What it returns waits for the mails that
// are on their way.
func (a *App) serveMail(ctx context.Context, on []mailListener, s *inbound.Server) (wait func()) {
	var wg sync.WaitGroup
	for _, l := range on {
		wg.Go(func() {
			if err := s.Serve(ctx, l.Listener, l.protocol); err != nil {
				a.Log.Error("incoming mail ended", "error", err)
			}
		})
	}
	return wg.Wait
}

// ServeMail takes mail in by SMTP on a listener until ctx ends: for programs that
// bring their own listeners, as Serve is.
func (a *App) ServeMail(ctx context.Context, on net.Listener) {
	a.serveMail(ctx, []mailListener{{on, inbound.SMTP}}, a.inboundServer("localhost", nil, a.Resolver))()
}
