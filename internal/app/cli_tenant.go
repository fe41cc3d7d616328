package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

type tenantAdd struct {
	dataFlags
	ID       string   `arg:"" optional:"" help:"Short name in addresses and keys: a-z, 0-9, hyphen."`
	Kind     string   `enum:"authority,operator" default:"authority" help:"authority or operator."`
	Profile  string   `help:"Register profile: vorlage or streng. There is no default." placeholder:"PROFILE"`
	Name     string   `help:"Name as shown, \"Stadt Musterstadt\"."`
	Host     []string `help:"Host name; the first is the one mails link to. May be repeated." sep:"none"`
	ARS      string   `name:"ars" help:"Amtlicher Regionalschlüssel, twelve digits."`
	Street   string   `help:"Street and number."`
	Postcode string   `help:"Postcode."`
	Place    string   `help:"Town."`
	Phone    string   `help:"Telephone number."`
	Email    string   `help:"E-mail address of the authority."`
	FromCSV  string   `name:"from-csv" help:"List with a head line; columns id,name,ars,host,street,postcode,place,phone,email. \"-\" reads standard input." placeholder:"FILE"`
}

func (c *tenantAdd) inputFile() string { return c.FromCSV }

// Help shows examples below the flags.
func (c *tenantAdd) Help() string {
	return "A list is taken as a whole or not at all. Its first line names the columns, in any order; comma or semicolon separates. " +
		"Several host names of one authority are separated by blanks.\n\n" +
		examples(`poststelle tenant add musterstadt --profile vorlage --name "Stadt Musterstadt" --ars 081110000000 --host vps.musterstadt.example`,
			"poststelle tenant add --profile streng --from-csv gemeinden.csv")
}

// Validate runs while the command line is read.
func (c *tenantAdd) Validate() error {
	switch {
	case c.Profile != string(tenant.Vorlage) && c.Profile != string(tenant.Streng):
		return errors.New("--profile must be vorlage or streng; there is no default")
	case c.ID == "" && c.FromCSV == "":
		return errors.New("give a short name, or a list with --from-csv")
	case c.FromCSV != "" && (c.ID != "" || c.Name != "" || c.ARS != "" || len(c.Host) > 0 || c.Kind != string(tenant.Authority)):
		return errors.New("--from-csv takes everything but the profile from the list")
	}
	if h := twice(normalHosts(c.Host)); h != "" {
		return fmt.Errorf("--host %q is given twice", h)
	}
	return nil
}

func (c *tenantAdd) open(ctx context.Context, a *App, s Streams) error {
	list := []tenant.Tenant{{
		ID: tenant.ID(c.ID), Kind: tenant.Kind(c.Kind), Profile: tenant.Profile(c.Profile), Name: c.Name, ARS: c.ARS, Hosts: normalHosts(c.Host),
		Address: tenant.Address{Street: c.Street, Postcode: c.Postcode, Place: c.Place, Phone: c.Phone, Email: c.Email},
	}}
	if c.FromCSV != "" {
		var err error
		if list, err = readTenants(s.In, tenant.Profile(c.Profile)); err != nil {
			return err
		}
	}
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	if err := unused(a.Directory, list); err != nil {
		return err
	}
	if err := a.AddTenants(ctx, list); err != nil {
		return taken(err, "a short name or host is taken already; nothing was added")
	}
	_, err := fmt.Fprintf(s.Out, "%d added\n", len(list))
	return err
}

func normalHosts(hosts []string) []string {
	out := make([]string, 0, len(hosts))
	for _, h := range hosts {
		out = append(out, tenant.NormalHost(h))
	}
	return out
}

// AddTenants makes keys in the vault, then the rows, then receipt signers for
// the new authorities. What was made by an attempt that failed half-way is used
// by the next one. An authority from a list gets one general mailbox.
func (a *App) AddTenants(ctx context.Context, list []tenant.Tenant) error {
	for i := range list {
		if len(list[i].Mailboxes) == 0 {
			list[i].Mailboxes = []tenant.Mailbox{generalMailbox()}
			if list[i].Kind == tenant.Operator {
				list[i].Mailboxes = contactMailboxes()
			}
		}
	}
	specs := make([]vault.TenantSpec, len(list))
	for i, t := range list {
		specs[i] = vault.TenantSpec{ID: string(t.ID), Operator: t.Kind == tenant.Operator}
		for _, m := range t.Mailboxes {
			specs[i].Mailboxes = append(specs[i].Mailboxes, string(m.ID))
		}
	}
	if err := tenant.Check(list...); err != nil {
		return err
	}
	if err := a.Vault.CreateTenants(ctx, specs); err != nil {
		return err
	}
	if err := tenant.Add(ctx, a.DB, list...); err != nil {
		return err
	}
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	if err := errors.Join(a.Newsletter.Prepare(ctx), a.Blog.Prepare(ctx)); err != nil {
		return err
	}
	return a.Deputy.Renew(ctx)
}

// generalMailbox is the mailbox every authority begins with.
func generalMailbox() tenant.Mailbox {
	return tenant.Mailbox{
		ID: "poststelle", Name: "Zentrale Poststelle", NameEN: "Central mail office", Fallback: true,
		Duties:   "Nimmt jedes Anliegen an und leitet es an das richtige Amt weiter.",
		DutiesEN: "Accepts every request and forwards it to the right office.",
		Topics:   []tenant.Topic{{ID: "allgemein", Name: "Allgemeines Anliegen", NameEN: "General request"}},
	}
}

type tenantList struct {
	dataFlags
}

// Help shows examples below the flags.
func (*tenantList) Help() string {
	return examples(`poststelle tenant list`)
}

func (c *tenantList) open(_ context.Context, a *App, s Streams) error {
	w := table(s.Out)
	fmt.Fprintln(w, "ID\tKIND\tPROFILE\tARS\tMAILBOXES\tHOST\tNAME")
	for _, t := range a.Directory.All() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", t.ID, t.Kind, t.Profile, dash(t.ARS), len(t.Mailboxes), t.Hosts[0], t.Name)
	}
	return w.Flush()
}

type tenantShow struct {
	dataFlags
	ID string `arg:"" help:"The tenant's short name."`
}

// Help shows examples below the flags.
func (*tenantShow) Help() string {
	return examples(`poststelle tenant show musterstadt`)
}

func (c *tenantShow) open(_ context.Context, a *App, s Streams) error {
	t, err := a.tenant(c.ID)
	if err != nil {
		return err
	}
	w := table(s.Out)
	for _, line := range [][2]string{
		{"id", string(t.ID)}, {"kind", string(t.Kind)}, {"profile", string(t.Profile)}, {"name", t.Name}, {"ars", dash(t.ARS)},
		{"hosts", strings.Join(t.Hosts, " ")}, {"address", dash(t.Address.Line())}, {"phone", dash(t.Address.Phone)},
		{"email", dash(t.Address.Email)}, {"modules", modules(t)}, {"since", t.Created.Format(time.DateOnly)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	for _, m := range t.Mailboxes {
		fmt.Fprintf(w, "mailbox\t%s\t%s\n", m.ID, m.Name)
	}
	return w.Flush()
}

type mailboxAdd struct {
	dataFlags
	Tenant         string   `required:"" help:"The tenant's short name."`
	ID             string   `arg:"" help:"Short name of the mailbox."`
	Name           string   `required:"" help:"Name of the office."`
	NameEN         string   `name:"name-en" help:"Name in English."`
	Department     string   `help:"Department it belongs to; one of the same name is made otherwise."`
	Duties         string   `help:"One line: what the office is for."`
	DutiesEN       string   `name:"duties-en" help:"The same in English."`
	ReplyDays      int      `help:"Working days within which the office usually answers." default:"5"`
	FileKinds      []string `help:"Accepted file kinds." default:"pdf,jpg,png,docx,odt,txt"`
	MaxFile        int      `help:"Largest file in MB." default:"20"`
	MaxMessage     int      `help:"Largest message in MB." default:"50"`
	MaxFiles       int      `help:"Most files in a message." default:"10"`
	EmailReply     bool     `help:"Allow answers by plain e-mail, after a warning."`
	SenderRequired bool     `help:"Ask for name and address of the sender."`
	Fallback       bool     `help:"For people who do not know who is responsible."`

	DeleteAfterDays int  `help:"Delete closed matters routinely after this many days; 0 never. The operator's mailboxes begin with 90, others with 0." default:"-1" placeholder:"DAYS"`
	MembersOnly     bool `help:"Only for requests from the networks of the members' area."`

	Topic []string `help:"Subject area as id=name or id=name=English name. May be repeated." sep:"none"`
}

// Help shows examples below the flags.
func (*mailboxAdd) Help() string {
	return examples(`poststelle mailbox add bauamt --tenant musterstadt --name Bauamt --topic "antrag=Bauantrag=Building application"`, `poststelle mailbox add kasse --tenant musterstadt --name Stadtkasse --reply-days 3 --file-kinds pdf,csv --max-file 5 --max-message 10`)
}

func (c *mailboxAdd) open(ctx context.Context, a *App, s Streams) error {
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	t, err := a.tenant(c.Tenant)
	if err != nil {
		return err
	}
	if _, ok := t.Mailbox(tenant.MailboxID(c.ID)); ok {
		return plain(fault.Conflict, "%q has a mailbox %q already; nothing was added", c.Tenant, c.ID)
	}
	m := tenant.Mailbox{
		ID: tenant.MailboxID(c.ID), Tenant: t.ID, Department: c.Department, Name: c.Name, NameEN: c.NameEN, Duties: c.Duties,
		DutiesEN: c.DutiesEN, ReplyDays: c.ReplyDays, FileKinds: c.FileKinds, MaxFile: int64(c.MaxFile) << 20,
		MaxMessage: int64(c.MaxMessage) << 20, MaxFiles: c.MaxFiles, EmailReply: c.EmailReply, SenderRequired: c.SenderRequired,
		Fallback: c.Fallback, Position: len(t.Mailboxes), Retention: c.DeleteAfterDays, MembersOnly: c.MembersOnly,
	}
	if m.Retention == -1 {
		m.Retention = 0
		if t.Kind == tenant.Operator {
			m.Retention = tenant.ContactRetention
		}
	}
	var ids []string
	for _, topic := range c.Topic {
		parts := strings.SplitN(topic, "=", 3)
		if len(parts) < 2 {
			return usage("--topic %q is not id=name", topic)
		}
		parts = append(parts, "")
		m.Topics = append(m.Topics, tenant.Topic{ID: parts[0], Name: parts[1], NameEN: parts[2]})
		ids = append(ids, parts[0])
	}
	if id := twice(ids); id != "" {
		return usage("--topic %q is given twice", id)
	}
	if len(m.Topics) == 0 {
		m.Topics = generalMailbox().Topics
	}
	if err := tenant.CheckMailbox(m); err != nil {
		return err
	}
	if m.Retention > 0 && t.Kind == tenant.Authority && t.Profile == tenant.Vorlage {
		return usage("--delete-after-days: an authority with the profile vorlage promises in its notice that nothing is deleted automatically (A47)")
	}
	err = a.Vault.CreateTenants(ctx, []vault.TenantSpec{{ID: c.Tenant, Operator: t.Kind == tenant.Operator, Mailboxes: []string{c.ID}}})
	if err != nil {
		return err
	}
	if err := tenant.AddMailbox(ctx, a.DB, m); err != nil {
		return taken(err, "%q has a mailbox %q already; nothing was added", c.Tenant, c.ID)
	}
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "mailbox %s/%s added\n", c.Tenant, c.ID)
	return err
}

type mailboxList struct {
	dataFlags
	Tenant string `help:"Only of this tenant."`
}

// Help shows examples below the flags.
func (*mailboxList) Help() string {
	return examples(`poststelle mailbox list`, `poststelle mailbox list --tenant musterstadt`)
}

func (c *mailboxList) open(_ context.Context, a *App, s Streams) error {
	of, err := a.tenants(c.Tenant)
	if err != nil {
		return err
	}
	w := table(s.Out)
	fmt.Fprintln(w, "TENANT\tMAILBOX\tREPLY DAYS\tFILE MB\tMESSAGE MB\tCLOSED ARE DELETED\tKINDS\tNAME")
	for _, t := range of {
		for _, m := range t.Mailboxes {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", t.ID, m.ID, m.ReplyDays, m.MaxFile>>20, m.MaxMessage>>20, retention(m.Retention),
				strings.Join(m.FileKinds, ","), m.Name)
		}
	}
	return w.Flush()
}

type bannerAdd struct {
	dataFlags
	Tenant  string    `help:"Only for this tenant; for all otherwise."`
	Kind    string    `enum:"info,warning" default:"info" help:"info or warning."`
	Title   string    `required:"" help:"Headline."`
	TitleEN string    `name:"title-en" help:"Headline in English."`
	Text    string    `help:"Text."`
	TextEN  string    `name:"text-en" help:"Text in English."`
	From    time.Time `help:"From when, as 2026-11-25T20:00:00+01:00; now otherwise."`
	Until   time.Time `help:"Until when; until ended otherwise."`
}

// Help shows examples below the flags.
func (*bannerAdd) Help() string {
	return examples(`poststelle banner add --kind warning --title "Wartung am Samstag" --from 2026-11-28T20:00:00+01:00 --until 2026-11-28T23:00:00+01:00`)
}

func (c *bannerAdd) open(ctx context.Context, a *App, s Streams) error {
	if _, err := a.tenants(c.Tenant); err != nil {
		return err
	}
	id, err := tenant.AddBanner(ctx, a.DB, tenant.Banner{
		Tenant: tenant.ID(c.Tenant), Kind: tenant.BannerKind(c.Kind), Title: c.Title, TitleEN: c.TitleEN, Text: c.Text, TextEN: c.TextEN,
		From: c.From, Until: c.Until,
	})
	if err != nil {
		return err
	}
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, id)
	return err
}

type bannerList struct {
	dataFlags
}

// Help shows examples below the flags.
func (*bannerList) Help() string {
	return examples(`poststelle banner list`)
}

func (c *bannerList) open(_ context.Context, a *App, s Streams) error {
	w := table(s.Out)
	fmt.Fprintln(w, "ID\tTENANT\tKIND\tFROM\tUNTIL\tTITLE")
	for _, b := range a.Directory.AllBanners() {
		until := "-"
		if !b.Until.IsZero() {
			until = b.Until.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", b.ID, dash(string(b.Tenant)), b.Kind, b.From.Format(time.RFC3339), until, b.Title)
	}
	return w.Flush()
}

type bannerEnd struct {
	dataFlags
	ID string `arg:"" help:"Id from banner list."`
}

// Help shows examples below the flags.
func (*bannerEnd) Help() string {
	return examples(`poststelle banner end 4f7kqz2m9xa1`)
}

func (c *bannerEnd) open(ctx context.Context, a *App, s Streams) error {
	if err := tenant.EndBanner(ctx, a.DB, c.ID); err != nil {
		return absent(err, "there is no system message %q that is shown or planned", c.ID)
	}
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "%s ended\n", c.ID)
	return err
}

func modules(t *tenant.Tenant) string {
	names := make([]string, len(t.Modules))
	for i, m := range t.Modules {
		names[i] = string(m)
	}
	return dash(strings.Join(names, " "))
}

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 2, 8, 2, ' ', 0) }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
