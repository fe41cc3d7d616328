package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"poststelle/internal/inbound"
	"poststelle/internal/tenant"
)

// inboundFlags are the flags of serve for incoming mail.
type inboundFlags struct {
	SMTP   string `name:"inbound-smtp" help:"Address that takes mail for published addresses in by SMTP, as :25; none otherwise." placeholder:"ADDR" env:"POSTSTELLE_INBOUND_SMTP"`
	LMTP   string `name:"inbound-lmtp" help:"The same by LMTP, for a mail server on this machine: 127.0.0.1:24 or unix:/run/poststelle/lmtp." placeholder:"ADDR" env:"POSTSTELLE_INBOUND_LMTP"`
	Name   string `name:"inbound-name" help:"Host name of this mail server, as in its MX record." placeholder:"HOST" env:"POSTSTELLE_INBOUND_NAME"`
	Cert   string `name:"inbound-tls-cert" help:"Certificate chain for STARTTLS, PEM; that of --tls-cert otherwise." placeholder:"FILE"`
	Key    string `name:"inbound-tls-key" help:"Its key, PEM." placeholder:"FILE"`
	Hourly int    `name:"mails-per-hour" help:"Mails that one network, a /24 or a /48, may send in an hour; 0 for no limit." default:"500"`
	MaxMB  int    `name:"inbound-max-size" help:"Largest mail in MB." default:"50" placeholder:"MB"`
}

func (c inboundFlags) wanted() bool { return c.SMTP != "" || c.LMTP != "" }

func (c inboundFlags) check() error {
	switch {
	case c.wanted() && tenant.NormalHost(c.Name) == "":
		return usage("--inbound-smtp and --inbound-lmtp need --inbound-name, the host name of this mail server")
	case (c.Cert == "") != (c.Key == ""):
		return usage("--inbound-tls-cert and --inbound-tls-key belong together")
	case c.Hourly < 0 || c.MaxMB < 1 || c.MaxMB > 1024:
		return usage("--mails-per-hour must not be negative, --inbound-max-size between 1 and 1024")
	case c.LMTP != "" && !strings.HasPrefix(c.LMTP, "unix:") && !loopback(c.LMTP):
		return usage("--inbound-lmtp is for a mail server on this machine: a loopback address or unix:PATH")
	}
	if c.Key != "" {
		if err := checkSecretFile(c.Key); err != nil {
			return fmt.Errorf("--inbound-tls-key: %w", err)
		}
	}
	return nil
}

func (c inboundFlags) limits() inbound.Limits {
	l := inbound.Limits{MailsPerHour: int(unlimited(int64(c.Hourly))), MaxSize: int64(c.MaxMB) << 20}
	l.Memory = max(256<<20, 4*l.MaxSize)
	return l
}

// listen opens the listeners for incoming mail. The certificate is that of the
// flags, else the given one; without either mail comes in the clear.
func (c inboundFlags) listen(ctx context.Context, cert, key string) (on []mailListener, o inboundOptions, err error) {
	if !c.wanted() {
		return nil, o, nil
	}
	o = inboundOptions{name: tenant.NormalHost(c.Name), resolver: net.DefaultResolver}
	if c.Cert != "" {
		cert, key = c.Cert, c.Key
	}
	if cert != "" {
		if o.tls, err = mailTLS(cert, key); err != nil {
			return nil, o, err
		}
	}
	for _, l := range []struct {
		at       string
		protocol inbound.Protocol
	}{{c.SMTP, inbound.SMTP}, {c.LMTP, inbound.LMTP}} {
		if l.at == "" {
			continue
		}
		listener, err := listenMail(ctx, l.at)
		if err != nil {
			for _, open := range on {
				_ = open.Close()
			}
			return nil, o, err
		}
		on = append(on, mailListener{listener, l.protocol})
	}
	return on, o, nil
}

// listenMail listens on a TCP address or a socket in the file system. A socket
// that a killed process left is taken over.
func listenMail(ctx context.Context, at string) (net.Listener, error) {
	path, isFile := strings.CutPrefix(at, "unix:")
	if !isFile {
		return new(net.ListenConfig).Listen(ctx, "tcp", at)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	on, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil { // owner and group: the mail server
		return nil, errors.Join(err, on.Close())
	}
	return on, nil
}

// mailTLS reads the certificate anew for each handshake, so that a renewal needs
// no restart. Mail servers that know only TLS 1.2 are many.
func mailTLS(cert, key string) (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		return &pair, err
	}
	if _, err := load(); err != nil {
		return nil, fmt.Errorf("certificate for incoming mail: %w", err)
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}, nil
}

// mailFlags name an address of a tenant.
type mailFlags struct {
	dataFlags
	Tenant  string `required:"" help:"The tenant's short name."`
	Address string `arg:"" help:"Mail address, without anything behind a plus sign."`
}

type mailAdd struct{ mailFlags }

// Help shows examples below the flags.
func (*mailAdd) Help() string {
	return "Mail to a published address is taken in and becomes a letter. The contact address of a tenant is published anyway.\n\n" +
		examples(`poststelle tenant mail add --tenant musterstadt datenschutz@musterstadt.example`)
}

func (c *mailAdd) open(ctx context.Context, a *App, s Streams) error {
	err := tenant.AddMail(ctx, a.DB, tenant.ID(c.Tenant), c.Address)
	if err != nil {
		return absent(taken(err, "another tenant publishes %q; nothing was added", c.Address), noTenant, c.Tenant)
	}
	return c.done(ctx, a, s, "published")
}

func (c *mailFlags) done(ctx context.Context, a *App, s Streams, what string) error {
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "%s of %s %s\n", c.Address, c.Tenant, what)
	return err
}

type mailRemove struct{ mailFlags }

// Help shows examples below the flags.
func (*mailRemove) Help() string {
	return examples(`poststelle tenant mail remove --tenant musterstadt datenschutz@musterstadt.example`)
}

func (c *mailRemove) open(ctx context.Context, a *App, s Streams) error {
	err := tenant.RemoveMail(ctx, a.DB, tenant.ID(c.Tenant), c.Address)
	if err != nil {
		return absent(err, "%q has no added address %q; a contact address is published as long as it is the contact address", c.Tenant, c.Address)
	}
	return c.done(ctx, a, s, "taken back")
}

type mailList struct {
	dataFlags
	Tenant string `help:"Only of this tenant."`
}

// Help shows examples below the flags.
func (*mailList) Help() string { return examples(`poststelle tenant mail list`) }

func (c *mailList) open(_ context.Context, a *App, s Streams) error {
	of, err := a.tenants(c.Tenant)
	if err != nil {
		return err
	}
	w := table(s.Out)
	fmt.Fprintln(w, "TENANT\tADDRESS")
	for _, t := range of {
		for _, address := range t.Published() {
			if owner, _, ok := a.Directory.ByMail(address); ok && owner.ID == t.ID {
				fmt.Fprintf(w, "%s\t%s\n", t.ID, address)
			}
		}
	}
	return w.Flush()
}
