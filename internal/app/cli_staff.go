package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"poststelle/internal/accesslog"
	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/journal"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

type staffAdd struct {
	dataFlags
	Tenant   string   `required:"" help:"The tenant's short name."`
	Login    string   `arg:"" help:"Name to sign in with."`
	Name     string   `required:"" help:"Name as colleagues see it."`
	Role     string   `enum:"clerk,lead,admin,editor,dpo,auditor,operator" default:"clerk" help:"clerk, lead, admin, editor, dpo, auditor or operator."`
	Mailbox  []string `help:"Mailboxes the person works in."`
	Mail     string   `help:"Address for notices without content."`
	Notices  bool     `help:"Send a notice for each new letter; the person can change it."`
	Password string   `help:"Start password, good for seven days and until the person chooses another one; one is made and printed otherwise." env:"POSTSTELLE_PASSWORD"`
}

// Help shows examples below the flags.
func (*staffAdd) Help() string {
	return examples(`poststelle staff add m.weber --tenant musterstadt --name "Maria Weber" --mailbox bauamt --mail m.weber@musterstadt.example --notices`, `poststelle staff add leitung --tenant musterstadt --name "Jan Thoma" --role lead --mailbox bauamt,kasse`)
}

func (c *staffAdd) open(ctx context.Context, a *App, s Streams) error {
	password := c.Password
	if password == "" {
		password = rand.Text()
	}
	n := account.NewStaff{
		Tenant: tenant.ID(c.Tenant), Login: c.Login, Name: c.Name, Password: password, Role: account.Role(c.Role), Mail: c.Mail,
		SecondFactor: true, Notices: c.Notices, Start: true,
	}
	for _, m := range c.Mailbox {
		id, err := a.box(c.Tenant, m)
		if err != nil {
			return err
		}
		n.Mailboxes = append(n.Mailboxes, id)
	}
	if _, err := a.tenant(c.Tenant); err != nil {
		return err
	}
	e, err := a.Staff.AddStaff(ctx, n)
	if err != nil {
		return taken(err, "somebody signs in as %q at %q already; nothing was added", c.Login, c.Tenant)
	}
	w := table(s.Out)
	fmt.Fprintf(w, "person\t%s\nlogin\t%s\n", e.Person, c.Login)
	if c.Password == "" {
		fmt.Fprintf(w, "password\t%s\n", password)
	}
	if n.Start {
		fmt.Fprintf(w, "good for\t%s\n", startWords)
	}
	fmt.Fprintf(w, "second factor\t%s\nset-up address\t%s\n", e.TOTPSecret, e.TOTPURL)
	fmt.Fprintln(w, "\nThe second factor is shown only now. Enter it into an authenticator app.")
	if err := c.waiting(ctx, a, w, n.Mailboxes, e.Person); err != nil {
		return err
	}
	return w.Flush()
}

// startWords say how long a password of the console is good; account.NewStaff has the rule.
const startWords = "seven days; the first sign-in asks for another one"

// waiting names the mailboxes that the person may not read yet: where two could confirm a membership, the console only proposes it.
func (c *staffAdd) waiting(ctx context.Context, a *App, w io.Writer, boxes []tenant.MailboxID, person string) error {
	for _, box := range boxes {
		members, err := a.Vault.Members(ctx, c.Tenant, string(box))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(members, func(m vault.Member) bool { return m.Person == person && !m.Active }) {
			fmt.Fprintf(w, "proposed for %s: a second person has to confirm it\n", box)
		}
	}
	return nil
}

type staffList struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
}

// Help shows examples below the flags.
func (*staffList) Help() string {
	return examples(`poststelle staff list --tenant musterstadt`)
}

func (c *staffList) open(ctx context.Context, a *App, s Streams) error {
	if _, err := a.tenant(c.Tenant); err != nil {
		return err
	}
	people, err := a.Vault.Staff(ctx, a.console, c.Tenant)
	if err != nil {
		return err
	}
	names, err := a.Accounts.Names(ctx, tenant.ID(c.Tenant))
	if err != nil {
		return err
	}
	w := table(s.Out)
	fmt.Fprintln(w, "PERSON\tLOGIN\tROLE\tACTIVE\tSECOND FACTOR\tNAME")
	for _, p := range people {
		fmt.Fprintf(w, "%s\t%s\t%s\t%t\t%t\t%s\n", p.ID, p.Login, p.Role, p.Active, p.SecondFactor, names[p.ID])
	}
	return w.Flush()
}

type staffDisable struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
	Login  string `arg:"" help:"Name the person signs in with."`
}

// Help shows examples below the flags.
func (*staffDisable) Help() string {
	return examples(`poststelle staff disable m.weber --tenant musterstadt`)
}

func (c *staffDisable) open(ctx context.Context, a *App, s Streams) error {
	p, err := a.person(ctx, c.Tenant, c.Login)
	if err != nil {
		return err
	}
	if err := a.Staff.Disable(ctx, tenant.ID(c.Tenant), p.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%s disabled\n", p.Login)
	return err
}

type accesslogExport struct {
	dataFlags
	Tenant string    `help:"The tenant's short name; every tenant otherwise."`
	Format string    `enum:"json,combined" default:"json" help:"json (lines of nine fields) or combined (Combined Log Format)."`
	Ground string    `required:"" enum:"betrieb,strafanzeige,auskunft,test" help:"Why the log is read: betrieb, strafanzeige, auskunft or test."`
	Reason string    `required:"" help:"The reason in words; the vault's audit keeps it sealed."`
	From   time.Time `help:"First instant, as 2026-11-25T00:00:00Z."`
	To     time.Time `help:"First instant after the span."`
}

// Help shows an example below the flags.
func (c *accesslogExport) Help() string {
	return examples(`poststelle accesslog export --tenant musterstadt --ground auskunft --reason "Antrag vom 12.11., Vorgang D-17" --from 2026-11-01T00:00:00+01:00`,
		`poststelle accesslog export --format combined --ground betrieb --reason "Störung am 25.11." | goaccess --log-format=COMBINED -`)
}

// Validate runs while the command line is read: nothing is recorded for a
// command that was typed wrongly.
func (c *accesslogExport) Validate() error {
	if reason := strings.TrimSpace(c.Reason); reason == "" || len(reason) > maxReason {
		return fmt.Errorf("--reason must say why in at most %d bytes", maxReason)
	}
	if !c.From.IsZero() && !c.To.IsZero() && !c.To.After(c.From) {
		return errors.New("--to must be after --from")
	}
	return nil
}

// maxReason is what the vault takes.
const maxReason = 2000

func (c *accesslogExport) open(ctx context.Context, a *App, s Streams) error {
	if err := a.Access.Flush(ctx); err != nil {
		return err
	}
	ids := []string{c.Tenant}
	if c.Tenant == "" {
		ids = ids[:0]
		for _, t := range a.Directory.All() {
			ids = append(ids, string(t.ID))
		}
		ids = append(ids, "-") // requests for hosts of no tenant
	} else if _, err := a.tenant(c.Tenant); err != nil {
		return err
	}
	to := c.To
	if to.IsZero() {
		to = a.Now().Add(time.Minute)
	}
	open := func(day string, boxes, ads [][]byte) ([]seal.Key, error) {
		return a.Vault.OpenLog(ctx, a.console, day, boxes, ads, c.Ground, c.Reason)
	}
	for _, id := range ids {
		// The reading is on record before the first line is out.
		if err := a.recordExport(ctx, id, c); err != nil {
			return err
		}
		r, err := accesslog.Export(ctx, filepath.Join(a.Data, "accesslog"), open, accesslog.Span{Tenant: id, From: c.From, To: to}, accesslog.Format(c.Format), s.Out)
		if err != nil {
			return err
		}
		for _, day := range r.Gone {
			fmt.Fprintf(s.Err, "%s: the key of %s is destroyed\n", id, day)
		}
		for _, seg := range r.Cut {
			fmt.Fprintf(s.Err, "%s: %s ends early\n", id, seg)
		}
	}
	return nil
}

// recordExport writes the reading into the journal: who, which form, on which
// ground. The reason in words may name people: it stands in the vault's audit,
// sealed, and nowhere else.
func (a *App) recordExport(ctx context.Context, id string, c *accesslogExport) error {
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		return journal.Record(ctx, tx, journal.Entry{
			Tenant: id, Actor: "cli", Action: "accesslog.export", Object: "accesslog",
			Detail: map[string]string{"ground": c.Ground, "kind": c.Format},
		})
	})
}
