package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/inbound"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// sendingFlags name what mail comes from.
type sendingFlags struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
	Domain string `help:"Domain of the sender; that of the tenant's newsletter otherwise, or of --mail-from of the running server."`
	Server string `help:"Name server to ask, host:port; that of the system otherwise." placeholder:"ADDR"`
}

// domain returns the domain that is meant.
func (c *sendingFlags) domain(ctx context.Context, a *App, t *tenant.Tenant) (string, error) {
	from := a.MailFrom
	if t.Has(tenant.Newsletter) {
		own, err := a.Newsletter.Sender(ctx, t.ID)
		if err != nil {
			return "", err
		}
		from = cmp.Or(own, from)
	}
	domain := strings.Trim(from[strings.LastIndexByte(from, '@')+1:], "> ")
	if domain = cmp.Or(c.Domain, domain); domain == "" {
		return "", usage("nobody has said what mail of %s comes from: give --domain", c.Tenant)
	}
	if domain = tenant.NormalHost(domain); domain == "" {
		return "", usage("--domain is no domain")
	}
	return domain, nil
}

// resolver asks the name server of the flags.
func (c *sendingFlags) resolver() inbound.Resolver {
	if c.Server == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, c.Server)
	}}
}

// keys are those of the tenant for a domain, or else what signs for it here.
func (a *App) keys(ctx context.Context, of tenant.ID, domain string) ([]mail.SigningKey, error) {
	all, err := a.Signing.Keys(ctx, string(of))
	return slices.DeleteFunc(all, func(k mail.SigningKey) bool { return k.Domain != domain }), err
}

type mailDKIM struct {
	sendingFlags
	Rotate bool `help:"Make another key; once its record is published, let it take over."`
}

// Help shows examples below the flags.
func (*mailDKIM) Help() string {
	return "Makes the key with which mail of a tenant is signed, when there is none, and prints the record to publish. Mail is signed from then on. " +
		"With --rotate twice: the first time a new key is made, the second time, when its record stands in the DNS, it signs and the old one is deleted; " +
		"leave the old record in the DNS for a week. The private key lies in the database, sealed under a key of the vault.\n\n" +
		examples(`poststelle mail dkim --tenant musterstadt`, `poststelle mail dkim --tenant musterstadt --rotate`)
}

func (c *mailDKIM) open(ctx context.Context, a *App, s Streams) error {
	t, err := a.tenant(c.Tenant)
	if err != nil {
		return err
	}
	domain, err := c.domain(ctx, a, t)
	if err != nil {
		return err
	}
	keys, err := a.keys(ctx, t.ID, domain)
	if err != nil {
		return err
	}
	waiting := slices.IndexFunc(keys, func(k mail.SigningKey) bool { return k.Since.IsZero() })
	switch {
	case len(keys) == 0, c.Rotate && waiting < 0:
		k, err := a.Signing.Make(ctx, c.Tenant, domain, func(tx *db.Tx, k mail.SigningKey) error { return a.signed(ctx, tx, "dkim.made", k) })
		if err != nil {
			return err
		}
		keys = append(keys, k)
	case c.Rotate:
		return c.takeOver(ctx, a, s, keys[waiting])
	}
	for _, k := range keys {
		state := "signs mail from " + domain
		if k.Since.IsZero() {
			state = "waits: publish it, then run the command with --rotate again"
		}
		fmt.Fprintf(s.Out, "%s %s\n", k.Selector, state)
		if err := printRecord(s.Out, k.Name(), "TXT", txtStrings(k.Record())); err != nil {
			return err
		}
	}
	return nil
}

// takeOver lets a new key sign once others can find it.
func (c *mailDKIM) takeOver(ctx context.Context, a *App, s Streams, k mail.SigningKey) error {
	for _, f := range inbound.Standing(ctx, c.resolver(), inbound.Sending{Domain: k.Domain, Keys: []mail.SigningKey{k}}) {
		if f.Record == "DKIM" && !f.Good {
			return plain(fault.Conflict, "%s; the old key goes on signing", f.Text)
		}
	}
	if err := a.Signing.TakeOver(ctx, k, func(tx *db.Tx) error { return a.signed(ctx, tx, "dkim.changed", k) }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "%s signs mail from %s; the record of the old key may go in a week\n", k.Selector, k.Domain)
	return err
}

func (a *App) signed(ctx context.Context, tx *db.Tx, action string, k mail.SigningKey) error {
	return journal.Record(ctx, tx, journal.Entry{Tenant: k.Tenant, Actor: "cli", Action: action, Object: k.Selector})
}

type mailDNS struct {
	sendingFlags
	Relay []string `help:"Names or addresses of the machines that deliver your mail; the relay of --smtp otherwise." placeholder:"HOST"`
}

// Help shows examples below the flags.
func (*mailDNS) Help() string {
	return "Prints the records to publish for outgoing mail, and looks whether DKIM, SPF, DMARC, PTR and MX stand. " +
		"Ends with code 1 when one does not.\n\n" +
		examples(`poststelle mail dns --tenant musterstadt --relay mail.example`)
}

func (c *mailDNS) open(ctx context.Context, a *App, s Streams) error {
	t, err := a.tenant(c.Tenant)
	if err != nil {
		return err
	}
	domain, err := c.domain(ctx, a, t)
	if err != nil {
		return err
	}
	x := inbound.Sending{Domain: domain, Relays: c.relays(a)}
	if x.Keys, err = a.keys(ctx, t.ID, domain); err != nil {
		return err
	}
	if _, x.Replies, _ = strings.Cut(t.Address.Email, "@"); len(x.Keys) == 0 && strings.HasSuffix(strings.Trim(a.MailFrom, "> "), "@"+domain) {
		if x.Keys, err = a.Signing.OwnKeys(ctx); err != nil { // of the operator, or of whoever keeps the key
			return err
		}
	}
	if err := printRecords(s.Out, x); err != nil {
		return err
	}
	bad := 0
	w := table(s.Out)
	fmt.Fprintf(w, "\nWhat others find:\n\n")
	for _, f := range inbound.Standing(ctx, c.resolver(), x) {
		mark := "good"
		if !f.Good {
			mark = "MISSING"
			bad++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Record, mark, f.Text)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return plain(fault.Conflict, "%d of these do not stand as they should", bad)
	}
	return nil
}

// relays are those of the flag, or the relay of the running server where it is
// another machine.
func (c *mailDNS) relays(a *App) []string {
	if len(c.Relay) > 0 || a.relay == "" || loopback(net.JoinHostPort(a.relay, "25")) {
		return c.Relay
	}
	return []string{a.relay}
}

func printRecords(out io.Writer, x inbound.Sending) error {
	fmt.Fprintf(out, "Records to publish for mail from %s:\n\n", x.Domain)
	var errs []error
	for _, k := range x.Keys {
		errs = append(errs, printRecord(out, k.Name(), "TXT", txtStrings(k.Record())))
	}
	senders := "mx"
	if len(x.Relays) > 0 {
		senders = ""
		for _, r := range x.Relays {
			senders = strings.TrimSpace(senders + " " + mechanism(r))
		}
	}
	errs = append(errs, printRecord(out, x.Domain, "TXT", txtStrings("v=spf1 "+senders+" -all")),
		printRecord(out, "_dmarc."+x.Domain, "TXT", txtStrings("v=DMARC1; p=quarantine")))
	if x.Replies != "" {
		errs = append(errs, printRecord(out, x.Replies, "MX", "10 NAME, the server that takes mail in"))
	}
	return errors.Join(errs...)
}

// mechanism names a machine in SPF (RFC 7208, 5).
func mechanism(relay string) string {
	switch ip := net.ParseIP(relay); {
	case ip == nil:
		return "a:" + relay
	case ip.To4() == nil:
		return "ip6:" + relay
	}
	return "ip4:" + relay
}

func printRecord(out io.Writer, name, kind, value string) error {
	_, err := fmt.Fprintf(out, "  %s. %s %s\n", name, kind, value)
	return err
}

// txtStrings writes a TXT record as zone files do, in strings of at most 255 bytes.
func txtStrings(s string) string {
	var parts []string
	for part := range slices.Chunk([]byte(s), 255) {
		parts = append(parts, `"`+string(part)+`"`)
	}
	return strings.Join(parts, " ")
}
