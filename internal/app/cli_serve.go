package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"

	"poststelle/internal/mail"
	"poststelle/internal/mailbox"
	"poststelle/internal/web"
	"poststelle/internal/web/assets"
)

type serveCommand struct {
	dataFlags
	Addr        string          `help:"Address to listen on." default:":8443" env:"POSTSTELLE_ADDR"`
	TLSCert     string          `name:"tls-cert" help:"Certificate chain, PEM. Read again when it changes." env:"POSTSTELLE_TLS_CERT" placeholder:"FILE"`
	TLSKey      string          `name:"tls-key" help:"Key of the certificate, PEM." env:"POSTSTELLE_TLS_KEY" placeholder:"FILE"`
	TLS12       bool            `name:"tls-12" help:"Accept TLS 1.2 beside 1.3."`
	Redirect    string          `help:"Address that answers plain HTTP with a redirect to HTTPS; none otherwise." placeholder:"ADDR" env:"POSTSTELLE_REDIRECT"`
	BehindProxy bool            `name:"behind-proxy" help:"TLS ends at a proxy: listen in the clear, but treat browsers as coming by https."`
	Proxies     []string        `name:"trusted-proxy" help:"Networks whose X-Forwarded-For and -Proto count, as 10.0.0.0/8."`
	PublicPort  int             `help:"Port in addresses that mails name; the standard port otherwise."`
	MailFrom    string          `help:"Sender address of notices." env:"POSTSTELLE_MAIL_FROM"`
	SMTP        string          `name:"smtp" help:"Mail relay, host:port; without one no mail is sent." env:"POSTSTELLE_SMTP"`
	SMTPTLS     string          `name:"smtp-tls" enum:"required,starttls,none" default:"required" help:"required, starttls or none."`
	SMTPUser    string          `name:"smtp-user" env:"POSTSTELLE_SMTP_USER" help:"Name to sign in at the relay."`
	SMTPPass    string          `name:"smtp-password" env:"POSTSTELLE_SMTP_PASSWORD" help:"Password; better from the environment than from the command line."`
	Provider    []string        `name:"provider-table" help:"Files of the table that names network providers (CSV or mmdb)."`
	Letters     int             `name:"letters-per-hour" help:"Letters that one network, a /24 or a /48, may send to one authority in an hour; 0 for no limit." default:"500"`
	NetUploads  int64           `name:"network-uploads" help:"MB of files that one network may have uploaded and not sent yet; 0 for no limit." default:"500" placeholder:"MB"`
	AllUploads  int64           `name:"all-uploads" help:"The same for all networks together." default:"5120" placeholder:"MB"`
	Sessions    string          `name:"session-store" help:"Valkey or Redis server for sessions, redis://host:port; in memory otherwise." env:"POSTSTELLE_SESSION_STORE" placeholder:"URL"`
	Trusted     bool            `name:"session-store-trusted" help:"Believe that this server writes nothing to disk when it does not let us ask."`
	CookieNames string          `name:"cookie-names" enum:"own,legacy" default:"own" help:"own, or legacy: the names of the program that is replaced."`
	Inbound     inboundFlags    `embed:""`
	Newsletter  newsletterFlags `embed:""`
	LogFormat   string          `enum:"text,json" default:"text" help:"text or json."`
}

// Help shows examples below the flags.
func (c *serveCommand) Help() string {
	return "Each flag may stand in the file of --config under its name; a flag goes before the environment, the environment before the file.\n\n" +
		examples("poststelle serve --config /etc/poststelle/config.json",
			"poststelle serve --addr :443 --redirect :80 --tls-cert chain.pem --tls-key key.pem",
			"poststelle serve --addr 127.0.0.1:8080 --behind-proxy --trusted-proxy 127.0.0.1/32")
}

func (c *serveCommand) run(ctx context.Context, s Streams) error {
	hideSecrets()
	log := c.logger(s.Err)
	proxies, err := c.checkFlags()
	if err != nil {
		return err
	}
	sender, err := c.sender()
	if err != nil {
		return err
	}
	c.print(log)
	a, err := Open(ctx, Config{
		Data: c.Data, Database: c.Database, TLS: c.secure(), Proxies: proxies, Provider: c.Provider, MailFrom: c.MailFrom,
		SessionServer: c.Sessions, SessionsTrusted: c.Trusted, LegacyCookies: c.CookieNames == "legacy",
		PublicPort: c.PublicPort, Limits: c.limits(), InboundLimits: c.Inbound.limits(), Pace: c.Newsletter.Pace, Paces: c.Newsletter.Paces, Log: log,
	}, sender)
	if err != nil {
		return err
	}
	if sender == nil {
		log.Warn("no mail relay is configured: notices and answers by e-mail wait for one, then are given up")
	}
	l, err := c.listen(ctx)
	if err == nil {
		err = a.serve(ctx, l, func() error { c.ready(log, l); return nil })
	}
	return errors.Join(err, a.Close())
}

// secure says that browsers reach the server by https.
func (c *serveCommand) secure() bool { return c.TLSCert != "" || c.BehindProxy }

// limits are what one network may do.
func (c *serveCommand) limits() mailbox.Limits {
	return mailbox.Limits{
		LettersPerHour: int(unlimited(int64(c.Letters))), NetworkUploads: unlimited(c.NetUploads << 20), AllUploads: unlimited(c.AllUploads << 20),
	}
}

// unlimited translates a limit of the command line, where 0 takes it away, for
// the packages, where a negative number does.
func unlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

func (c *serveCommand) checkFlags() ([]netip.Prefix, error) {
	for name, n := range map[string]int64{"letters-per-hour": int64(c.Letters), "network-uploads": c.NetUploads, "all-uploads": c.AllUploads} {
		if n < 0 || n > 1<<30 {
			return nil, usage("--%s must be between 0 and %d", name, 1<<30)
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, usage("--tls-cert and --tls-key belong together")
	}
	if !c.secure() && !loopback(c.Addr) {
		return nil, usage("refusing to serve letters in the clear on %s: give --tls-cert and --tls-key, or --behind-proxy", c.Addr)
	}
	if len(c.Proxies) > 0 && !c.BehindProxy {
		return nil, usage("--trusted-proxy goes with --behind-proxy")
	}
	if c.Redirect != "" && c.TLSCert == "" {
		return nil, usage("--redirect needs --tls-cert: a proxy that ends TLS redirects by itself")
	}
	if err := errors.Join(c.Inbound.check(), c.Newsletter.check()); err != nil {
		return nil, err
	}
	if c.TLSKey != "" {
		if err := checkSecretFile(c.TLSKey); err != nil {
			return nil, fmt.Errorf("--tls-key: %w", err)
		}
	}
	if err := c.check(false); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(c.Data, demoMark)); err == nil {
		return nil, fmt.Errorf("%s: %w", c.Data, errDemo)
	}
	if err := assets.Check(); err != nil { // before a directory is made
		return nil, err
	}
	return prefixes(c.Proxies)
}

func (c *serveCommand) logger(w io.Writer) *slog.Logger {
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// hideSecrets takes secrets out of the environment once they are read, so that
// nothing that prints the environment shows them.
func hideSecrets() {
	for _, name := range []string{"POSTSTELLE_DATABASE", "POSTSTELLE_SESSION_STORE", "POSTSTELLE_SMTP_PASSWORD", "POSTSTELLE_PASSWORD"} {
		_ = os.Unsetenv(name) // fails on malformed names only
	}
}

// print shows the effective configuration, named as the flags, without secrets.
func (c *serveCommand) print(log *slog.Logger) {
	password := ""
	if c.SMTPPass != "" {
		password = "[secret]"
	}
	log.Info("configuration",
		"data", c.Data, "database", shownDatabase(c.Database), "addr", c.Addr, "tls-cert", c.TLSCert, "tls-key", c.TLSKey, "tls-12", c.TLS12,
		"redirect", c.Redirect, "behind-proxy", c.BehindProxy, "trusted-proxy", c.Proxies, "public-port", c.PublicPort,
		"mail-from", c.MailFrom, "smtp", c.SMTP, "smtp-tls", c.SMTPTLS, "smtp-user", c.SMTPUser, "smtp-password", password,
		"letters-per-hour", c.Letters, "network-uploads", c.NetUploads, "all-uploads", c.AllUploads,
		"provider-table", c.Provider, "session-store", shownSessions(c.Sessions), "session-store-trusted", c.Trusted,
		"inbound-smtp", c.Inbound.SMTP, "inbound-lmtp", c.Inbound.LMTP, "inbound-name", c.Inbound.Name, "inbound-tls-cert", c.Inbound.Cert,
		"inbound-tls-key", c.Inbound.Key, "mails-per-hour", c.Inbound.Hourly, "inbound-max-size", c.Inbound.MaxMB,
		"newsletter-pace", c.Newsletter.Pace, "newsletter-domain-pace", c.Newsletter.Paces,
		"cookie-names", c.CookieNames, "log-format", c.LogFormat)
	if c.BehindProxy && len(c.Proxies) == 0 {
		log.Warn("no trusted proxy is named: the access log will hold the address of the proxy")
	}
	if c.SMTP == "" {
		log.Warn("no mail relay is named: notices wait")
	}
}

// shownDatabase leaves out everything that may be a secret: a password stands in
// the address itself or among its parameters.
func shownDatabase(address string) string {
	if address == "" {
		return "sqlite"
	}
	u, err := url.Parse(address)
	if err != nil {
		return "postgres"
	}
	return (&url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}).String()
}

// shownSessions leaves out user and password of the server for sessions.
func shownSessions(address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return "memory"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func (c *serveCommand) ready(log *slog.Logger, l listeners) {
	args := []any{"addr", l.web[0].Addr().String()}
	if l.redirect != nil {
		args = append(args, "redirect", l.redirect.Addr().String())
	}
	for _, m := range l.mail {
		args = append(args, "mail", m.Addr().String())
	}
	log.Info("ready", args...)
}

func (c *serveCommand) sender() (mail.Sender, error) {
	if c.SMTP == "" {
		return nil, nil
	}
	mode := map[string]mail.TLS{"required": mail.TLSRequired, "starttls": mail.TLSStart, "none": mail.TLSNone}[c.SMTPTLS]
	return mail.NewSMTP(mail.SMTPConfig{Addr: c.SMTP, Username: c.SMTPUser, Password: mail.Secret(c.SMTPPass), TLS: mode, From: c.MailFrom})
}

func (c *serveCommand) listen(ctx context.Context) (listeners, error) {
	var l listeners
	var on net.Listener
	var err error
	if c.TLSCert != "" {
		on, err = web.ListenTLS(ctx, c.Addr, web.TLSConfig{Pairs: []web.KeyPair{{CertFile: c.TLSCert, KeyFile: c.TLSKey}}, AllowTLS12: c.TLS12})
	} else {
		on, err = new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	}
	if err != nil {
		return l, err
	}
	l.web = []net.Listener{on}
	if c.Redirect != "" {
		if l.redirect, err = new(net.ListenConfig).Listen(ctx, "tcp", c.Redirect); err != nil {
			return l, errors.Join(err, on.Close())
		}
		l.httpsAt = portOf(on.Addr())
	}
	if l.mail, l.inbound, err = c.Inbound.listen(ctx, c.TLSCert, c.TLSKey); err != nil {
		return l, errors.Join(err, on.Close())
	}
	return l, nil
}

func portOf(a net.Addr) int {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, usage("--trusted-proxy: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

type versionCommand struct{}

// Help shows an example below the flags.
func (versionCommand) Help() string { return examples("poststelle version") }

func (versionCommand) run(_ context.Context, s Streams) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("the binary carries no build information")
	}
	revision, modified := "unknown", ""
	for _, v := range info.Settings {
		switch {
		case v.Key == "vcs.revision":
			revision = v.Value
		case v.Key == "vcs.modified" && v.Value == "true":
			modified = ", modified"
		}
	}
	_, err := fmt.Fprintf(s.Out, "poststelle %s%s, %s\n", revision, modified, info.GoVersion)
	return err
}

type helpCommand struct{}

// Help shows an example below the flags.
func (helpCommand) Help() string { return examples("poststelle help", "poststelle help tenant add") }

// run is never reached by "help" alone, which parse turns into --help.
func (helpCommand) run(_ context.Context, s Streams) error {
	_, _, _, _ = parse(nil, s)
	return nil
}
