package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/load"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// loadCommand groups what fills and what measures.
type loadCommand struct {
	Fill  loadFill  `cmd:"" help:"Write realistic letters into an installation."`
	Drive loadDrive `cmd:"" help:"Measure a running server on this machine."`
}

type loadFill struct {
	dataFlags
	Letters   int    `help:"How many letters." default:"1000"`
	Tenant    string `help:"Only to this tenant; to every authority in turn otherwise."`
	FileEvery int    `help:"Add a small file to each nth letter."`
	Closed    int    `help:"Close this share of the letters, in percent; needs --login."`
	Login     string `help:"A member of staff of --tenant without second factor who works in all its mailboxes."`
	Password  string `help:"Their password." env:"POSTSTELLE_PASSWORD"`

	Subscribers int `help:"Instead of letters, so many invented subscribers for the newsletter of --tenant."`
}

// Help shows an example below the flags.
func (c *loadFill) Help() string {
	return `Example:
  poststelle load fill --data ./demo --tenant musterstadt --letters 100000
  poststelle load fill --data ./demo --tenant musterstadt --subscribers 100000`
}

func (c *loadFill) open(ctx context.Context, a *App, s Streams) error {
	if c.Subscribers > 0 {
		sum, err := load.Subscribe(ctx, a.Newsletter, tenant.ID(c.Tenant), c.Subscribers, func(done int) { fmt.Fprintf(s.Err, "%d subscribers\n", done) })
		if err != nil {
			return absent(err, "no tenant %q with a newsletter", c.Tenant)
		}
		_, err = fmt.Fprintf(s.Out, "%d added, %d there already\n", sum.Added, sum.Kept)
		return err
	}
	cfg := load.FillConfig{
		Letters: c.Letters, Mailboxes: a.Mailboxes, FileEvery: c.FileEvery, Closed: c.Closed,
		Progress: func(done int) { fmt.Fprintf(s.Err, "%d letters\n", done) },
	}
	for _, t := range a.Directory.All() {
		if t.Kind == tenant.Authority && (c.Tenant == "" || string(t.ID) == c.Tenant) {
			cfg.Tenants = append(cfg.Tenants, t)
		}
	}
	if len(cfg.Tenants) == 0 {
		return fmt.Errorf("no authority %q: %w", c.Tenant, fault.NotFound)
	}
	if c.Closed > 0 {
		g, err := a.Vault.SignIn(ctx, vault.Proof{Tenant: c.Tenant, Login: c.Login, Password: c.Password})
		if err != nil {
			return err
		}
		who := account.Actor{Tenant: tenant.ID(c.Tenant), Person: g.Person, Role: account.Role(g.Role), Grant: g.Token}
		for _, m := range g.Mailboxes {
			who.Mailboxes = append(who.Mailboxes, tenant.MailboxID(m))
		}
		cfg.Staff = map[tenant.ID]account.Actor{who.Tenant: who}
	}
	done, err := load.Fill(ctx, cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%d letters, %d closed, %.1f s, %.0f letters/s\n", done.Letters, done.Closed, done.Seconds, done.Rate)
	return err
}

type loadDrive struct {
	URL      string        `arg:"" help:"Address of a tenant's pages on this machine."`
	Scenario string        `help:"text, files, inbox, collect, page, comments or newsletter." default:"text"`
	Clients  int           `help:"Clients at the same time." default:"64"`
	Count    int           `help:"How many operations to measure." default:"2000"`
	Duration time.Duration `help:"End after this time at the latest." default:"1m"`
	Mailbox  string        `help:"Mailbox that receives the letters."`
	Post     string        `help:"Post that takes the comments; the newest otherwise."`
	Sink     string        `help:"Address of this machine that takes the newsletter in: the relay of the server." default:"127.0.0.1:2525"`
	Login    string        `help:"Member of staff, for inbox and newsletter."`
	Rows     int           `help:"Letters on a page, for inbox; a size that the inbox offers." default:"50"`
	Password string        `help:"Their password." env:"POSTSTELLE_PASSWORD"`
	PID      int           `name:"pid" help:"The server's process, for memory and processor time."`
	JSON     bool          `name:"json" help:"Print one JSON line."`
}

// Help shows an example below the flags.
func (c *loadDrive) Help() string {
	return `Bounded in number and time; speaks to this machine only. Example:
  poststelle load drive http://127.0.0.1:8080 --scenario text --clients 64 --count 5000 --pid "$(pgrep -n poststelle)"`
}

func (c *loadDrive) run(ctx context.Context, s Streams) error {
	r, err := load.Run(ctx, load.DriveConfig{
		URL: c.URL, Scenario: load.Scenario(c.Scenario), Clients: c.Clients, Count: c.Count, Duration: c.Duration, Mailbox: c.Mailbox, Post: c.Post, Sink: c.Sink,
		Login: c.Login, Password: c.Password, Rows: c.Rows, PID: c.PID, Progress: func(what string) { fmt.Fprintln(s.Err, what) },
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = r.WriteJSON(s.Out)
	} else {
		err = r.WriteText(s.Out)
	}
	if err == nil && r.Errors > 0 {
		err = errors.New(r.FirstError)
	}
	return err
}
