package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/demo"
	"poststelle/internal/fault"
	"poststelle/internal/inbound"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

type demoCommand struct {
	Addr string `help:"Address to listen on; port 0 picks a free one." default:"127.0.0.1:8080"`
	Data string `help:"Directory to keep the data in; a temporary one that is removed at the end otherwise." placeholder:"DIR"`
	JSON bool   `name:"json" help:"Print one JSON object with addresses and sign-ins as the first line."`

	SMTP string `name:"smtp" help:"Relay on this machine that gets the mail instead of /dev/mail, to measure; for the data of an earlier run." placeholder:"ADDR"`

	MembersNetworks []string `help:"Networks from which the operator's members' area is reached, to look at the refusal from elsewhere." default:"127.0.0.0/8,::1/128" placeholder:"CIDR"`
	Proxies         []string `name:"trusted-proxy" help:"Networks whose X-Forwarded-For counts, to look at the pages as from elsewhere." placeholder:"CIDR"`
}

// Help shows examples below the flags.
func (c *demoCommand) Help() string {
	return `Two authorities and the operator with staff and some forty letters; mail is shown at /dev/mail.
Example:
  poststelle demo --addr 127.0.0.1:0 --data ./demo --json`
}

// mailKept is how many mails the demonstration remembers.
const mailKept = 500

// shiftedClock is the clock of the demonstration: it is turned back while the
// content is laid out over the past weeks, and then runs with the real time.
type shiftedClock struct {
	offset atomic.Int64
}

func (c *shiftedClock) now() time.Time   { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *shiftedClock) set(to time.Time) { c.offset.Store(int64(time.Until(to))) }
func (c *shiftedClock) release()         { c.offset.Store(0) }

func (c *demoCommand) run(ctx context.Context, s Streams) error {
	l, port, err := demoListeners(ctx, c.Addr)
	if err != nil {
		return err
	}
	smtp, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.mail = []mailListener{{smtp, inbound.SMTP}}
	l.inbound = inboundOptions{name: "localhost"}
	data, done, err := c.dataDir()
	if err != nil {
		return err
	}
	defer done()
	if err := markDemo(data); err != nil {
		return err
	}
	clock := new(shiftedClock)
	a, staff, err := c.open(ctx, data, port, clock, s.Err)
	if err != nil {
		return err
	}
	err = a.serve(ctx, l, func() error { return c.print(a, staff, port, smtp.Addr().String(), s.Out) })
	if closeErr := a.Close(); err == nil {
		err = closeErr
	}
	return err
}

// demoListeners listens on the address and, for the other tenants, on the next
// two loopback addresses with the same port.
func demoListeners(ctx context.Context, addr string) (listeners, int, error) {
	if !loopback(addr) {
		return listeners{}, 0, fmt.Errorf("the demonstration answers on a loopback address only, not on %s: %w", addr, errUsage)
	}
	var lc net.ListenConfig
	first, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return listeners{}, 0, busy(addr, err)
	}
	l := listeners{web: []net.Listener{first}}
	port := portOf(first.Addr())
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		if at := net.JoinHostPort(host, strconv.Itoa(port)); at != first.Addr().String() {
			on, err := lc.Listen(ctx, "tcp", at)
			if err != nil {
				return listeners{}, 0, errors.Join(busy(at, err), first.Close())
			}
			l.web = append(l.web, on)
		}
	}
	return l, port, nil
}

// busy says what to do when another program has the port.
func busy(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return plain(fault.Unavailable, "another program listens on %s; choose another port with --addr, such as --addr 127.0.0.1:8090", addr)
	}
	return err
}

func (c *demoCommand) dataDir() (dir string, done func(), err error) {
	if c.Data != "" {
		dir, err = filepath.Abs(c.Data)
		return dir, func() {}, err
	}
	if dir, err = os.MkdirTemp("", "poststelle-demo-"); err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

func (c *demoCommand) open(ctx context.Context, data string, port int, clock *shiftedClock, errs io.Writer) (*App, []demo.Staff, error) {
	proxies, err := prefixes(c.Proxies)
	if err != nil {
		return nil, nil, err
	}
	sender, err := c.sender()
	if err != nil {
		return nil, nil, err
	}
	a, err := Open(ctx, Config{
		Data: data, Demo: true, Light: true, Proxies: proxies, PublicPort: port, MailFrom: "poststelle@localhost.example", Now: clock.now,
		Log: slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, sender)
	if err != nil {
		return nil, nil, err
	}
	var staff []demo.Staff
	switch {
	case len(a.Directory.All()) > 0:
		staff, err = a.demoStaff(ctx)
	case c.SMTP != "":
		err = usage("--smtp goes with the data of an earlier run; start once without it")
	default:
		staff, err = demo.Seed(ctx, demo.Stage{
			AddTenants: a.AddTenants, Accounts: a.Accounts, Staff: a.Staff, Mailboxes: a.Mailboxes, Blog: a.Blog, Newsletter: a.Newsletter, Directory: a.Directory, Vault: a.Vault, DB: a.DB,
			RunDue: a.Jobs.RunDue, RenewDay: a.renewDay, SetClock: clock.set, Now: time.Now(),
		})
	}
	clock.release()
	if err == nil {
		err = c.setNetworks(ctx, a)
	}
	if err == nil {
		err = a.renewDay(ctx)
	}
	if err != nil {
		_ = a.Close()
		return nil, nil, err
	}
	return a, staff, nil
}

// sender keeps mail to be looked at, or hands it to a relay on this machine.
func (c *demoCommand) sender() (mail.Sender, error) {
	if c.SMTP == "" {
		return mail.NewMemory(mailKept), nil
	}
	if !loopback(c.SMTP) {
		return nil, usage("--smtp is for a relay on this machine")
	}
	return mail.NewSMTP(mail.SMTPConfig{Addr: c.SMTP, TLS: mail.TLSNone, From: "poststelle@localhost.example"})
}

// setNetworks opens the members' area of the operator to the networks of the
// command line.
func (c *demoCommand) setNetworks(ctx context.Context, a *App) error {
	networks, err := parseNetworks(c.MembersNetworks)
	if err != nil {
		return err
	}
	for _, t := range a.Directory.All() {
		if t.Kind == tenant.Operator && !sameNetworks(t.Networks, networks) {
			err = errors.Join(err, a.SetNetworks(ctx, t.ID, networks))
		}
	}
	return err
}

func sameNetworks(a, b []netip.Prefix) bool {
	return len(a) == len(b) && !slices.ContainsFunc(b, func(p netip.Prefix) bool { return !slices.Contains(a, p) })
}

// demoStaff lists who can sign in to a demonstration that was kept with --data.
func (a *App) demoStaff(ctx context.Context) ([]demo.Staff, error) {
	var out []demo.Staff
	for _, t := range a.Directory.All() {
		people, err := a.Vault.Staff(ctx, a.console, string(t.ID))
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if p.Active {
				out = append(out, demo.Staff{Tenant: t.ID, Login: p.Login, Password: demo.Password, Role: account.Role(p.Role)})
			}
		}
	}
	return out, nil
}

// renewDay has the vault publish and destroy the keys that the clock asks for,
// and takes the new delegation.
func (a *App) renewDay(ctx context.Context) error {
	if err := a.Vault.Housekeep(ctx); err != nil {
		return err
	}
	return a.Deputy.Renew(ctx)
}

// demoInfo is the first line that --json prints; other programs read it.
type demoInfo struct {
	URL     string       `json:"url"`
	MailURL string       `json:"mail_url"`
	SMTP    string       `json:"smtp"`
	Tenants []demoTenant `json:"tenants"`
	Staff   []demoStaff  `json:"staff"`
	// Citizens are registered people; they sign in at /konto/anmelden.
	Citizens []demoCitizen `json:"citizens"`
}

type demoCitizen struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

type demoTenant struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

type demoStaff struct {
	Tenant   string `json:"tenant"`
	Login    string `json:"login"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

func (c *demoCommand) print(a *App, staff []demo.Staff, port int, smtp string, out io.Writer) error {
	info := demoInfo{SMTP: smtp}
	for _, t := range a.Directory.All() {
		info.Tenants = append(info.Tenants, demoTenant{ID: string(t.ID), Kind: string(t.Kind), Name: t.Name, URL: demoURL(t, port)})
	}
	for _, p := range staff {
		info.Staff = append(info.Staff, demoStaff{Tenant: string(p.Tenant), Login: p.Login, Password: p.Password, Role: string(p.Role)})
	}
	info.Citizens = []demoCitizen{{Email: demo.Citizen, Password: demo.Password}}
	info.URL = info.Tenants[0].URL
	info.MailURL = info.URL + "/dev/mail"
	if c.JSON {
		return json.NewEncoder(out).Encode(info)
	}
	return info.describe(out)
}

// demoURL is the tenant's address by number: every program can use it, also
// those that do not resolve names below localhost.
func demoURL(t *tenant.Tenant, port int) string {
	host := t.Hosts[0]
	for _, h := range t.Hosts {
		if net.ParseIP(h) != nil {
			host = h
		}
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func (i demoInfo) describe(out io.Writer) error {
	w := table(out)
	fmt.Fprintln(w, "The demonstration is ready. Stop it with Ctrl+C.")
	fmt.Fprintln(w)
	for _, t := range i.Tenants {
		fmt.Fprintf(w, "%s\t%s\n", t.Name, t.URL)
	}
	fmt.Fprintf(w, "Outgoing mail\t%s\nIncoming mail\tsmtp://%s\n\nStaff sign in at /amt/anmelden:\n", i.MailURL, i.SMTP)
	for _, p := range i.Staff {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Tenant, p.Login, p.Password, p.Role)
	}
	fmt.Fprintf(w, "\nCitizens sign in at /konto/anmelden:\n")
	for _, c := range i.Citizens {
		fmt.Fprintf(w, "%s\t%s\n", c.Email, c.Password)
	}
	return w.Flush()
}
