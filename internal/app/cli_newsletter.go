package app

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

// newsletterFlags are the flags of serve for newsletters.
type newsletterFlags struct {
	Pace  int            `name:"newsletter-pace" help:"Messages of newsletters that go to the addresses of one domain in a second; 0 for no limit." default:"20"`
	Paces map[string]int `name:"newsletter-domain-pace" help:"The same for a domain that wants another pace. May be repeated." placeholder:"DOMAIN=N"`
}

// check refuses paces that are none.
func (c newsletterFlags) check() error {
	if c.Pace < 0 || c.Pace > maxPace {
		return usage("--newsletter-pace must be between 0 and %d", maxPace)
	}
	for domain, n := range c.Paces {
		if tenant.NormalHost(domain) != domain || n < 0 || n > maxPace {
			return usage("--newsletter-domain-pace must be a domain in small letters and a number between 0 and %d, such as post.example=5", maxPace)
		}
	}
	return nil
}

// maxPace is a pace that nothing here reaches.
const maxPace = 100_000

// subscriberColumns are those of a list of subscribers; the first five must be
// there for an import. An export writes all of them, so that what one
// installation exports another one imports.
var subscriberColumns = []string{
	"address", "consented", "text", "version", "way", "form", "lang", "categories", "requested", "mailed", "message_id", "mail_hash", "changes",
}

const neededSubscriberColumns = 5

// reasonFlag is why somebody reads or writes addresses; the journal keeps it.
type reasonFlag struct {
	Tenant string `required:"" help:"The tenant's short name."`
	Reason string `required:"" help:"Why, in words; the journal of the tenant keeps it."`
}

// Validate runs while the command line is read.
func (c *reasonFlag) Validate() error {
	if reason := strings.TrimSpace(c.Reason); reason == "" || len(reason) > maxReason {
		return fmt.Errorf("--reason must say why in at most %d bytes", maxReason)
	}
	return nil
}

type newsletterImport struct {
	dataFlags
	reasonFlag
	FromCSV string `name:"from-csv" required:"" help:"List with a head line; columns address,consented,text,version,way and, if known, form,lang,categories,requested,mailed,message_id,mail_hash,changes. \"-\" reads standard input." placeholder:"FILE"`
}

func (c *newsletterImport) inputFile() string { return c.FromCSV }

// Help shows examples below the flags.
func (*newsletterImport) Help() string {
	return "Each line is one person with the evidence of the consent: when it was given, to which words, in which version, and on which way. " +
		"A line that lacks something is refused with its number; the others are taken over. Who has unsubscribed here, and addresses that do not " +
		"exist, are refused as well. Addresses that are there already stay as they are, so that a list may be imported again after an interruption. " +
		"Lists of more than 16 MB come in parts, each with the head line.\n\n" +
		examples(`poststelle newsletter import --tenant musterstadt --from-csv leser.csv --reason "Umzug vom alten Versand, Vertrag D-17"`)
}

func (c *newsletterImport) open(ctx context.Context, a *App, s Streams) error {
	if _, err := a.tenant(c.Tenant); err != nil {
		return err
	}
	list, lines, refused, err := readConsents(s.In)
	if err != nil {
		return err
	}
	sum, err := a.Newsletter.Import(ctx, tenant.ID(c.Tenant), c.Reason, list)
	if err != nil {
		return absent(err, "%q has no newsletter; switch it on with tenant module on", c.Tenant)
	}
	for _, r := range sum.Refused {
		refused = append(refused, &lineError{lines[r.At], r.Err})
	}
	for _, r := range refused {
		fmt.Fprintln(s.Err, describe(r))
	}
	if _, err := fmt.Fprintf(s.Out, "%d added, %d there already, %d refused\n", sum.Added, sum.Kept, len(refused)); err != nil {
		return err
	}
	if len(refused) > 0 {
		return plain(fault.Invalid, "lines were refused; they lack evidence, or the person does not want the newsletter")
	}
	return nil
}

// readConsents reads a list of subscribers, and in which line each stands. Lines
// with a time that is none are refused here.
func readConsents(in io.Reader) (list []newsletter.Evidence, lines []int, refused []error, err error) {
	rows, err := readList(in, subscriberColumns, neededSubscriberColumns)
	if err != nil {
		return nil, nil, nil, err
	}
	for {
		get, line, err := rows.next()
		if errors.Is(err, io.EOF) {
			return list, lines, refused, nil
		}
		if err != nil {
			return nil, nil, nil, err
		}
		e, err := consentOf(get)
		if err != nil {
			refused = append(refused, &lineError{line, err})
			continue
		}
		list, lines = append(list, e), append(lines, line)
	}
}

func consentOf(get func(string) string) (newsletter.Evidence, error) {
	e := newsletter.Evidence{
		Address: unquoted(get("address")), Text: unquoted(get("text")), Version: unquoted(get("version")), Lang: get("lang"),
		Form: strings.TrimSpace(unquoted(get("way")) + " " + unquoted(get("form"))), Categories: strings.Fields(get("categories")),
		MessageID: unquoted(get("message_id")), MailHash: get("mail_hash"),
	}
	var f []fault.Field
	for name, to := range map[string]*time.Time{"consented": &e.Confirmed, "requested": &e.Requested, "mailed": &e.Mailed} {
		at, ok := moment(get(name))
		if !ok {
			f = append(f, fault.Field{Name: name, Key: "newsletter.import.time"})
		}
		*to = at
	}
	if changes := unquoted(get("changes")); changes != "" {
		if err := json.Unmarshal([]byte(changes), &e.Changes); err != nil {
			f = append(f, fault.Field{Name: "changes", Key: "newsletter.import.changes"})
		}
	}
	return e, fault.Fields(f...)
}

// moment reads a time as people and programs write it; "" is the zero time. A day
// alone is its beginning.
func moment(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.UTC(), true
	}
	for _, form := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(form, s, i18n.Zone()); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

type newsletterExport struct {
	dataFlags
	reasonFlag
}

// Help shows examples below the flags.
func (*newsletterExport) Help() string {
	return "Prints everybody who is subscribed with the evidence of the consent, as a list that import takes. The journal of the tenant records it " +
		"before the first line is out. Keep the file as you keep the addresses: sealed or not at all.\n\n" +
		examples(`poststelle newsletter export --tenant musterstadt --reason "Prüfung der Nachweise, Vorgang D-17" > leser.csv`)
}

func (c *newsletterExport) open(ctx context.Context, a *App, s Streams) error {
	if _, err := a.tenant(c.Tenant); err != nil {
		return err
	}
	out := csv.NewWriter(s.Out)
	if err := out.Write(subscriberColumns); err != nil {
		return err
	}
	n, err := a.Newsletter.Export(ctx, tenant.ID(c.Tenant), c.Reason, func(e newsletter.Evidence) error {
		changes := ""
		if len(e.Changes) > 0 {
			raw, err := json.Marshal(e.Changes)
			if err != nil {
				return err
			}
			changes = string(raw)
		}
		return out.Write([]string{
			quoted(e.Address), stamp(e.Confirmed), quoted(e.Text), quoted(e.Version), quoted(e.Way), quoted(e.Form), e.Lang, strings.Join(e.Categories, " "),
			stamp(e.Requested), stamp(e.Mailed), quoted(e.MessageID), e.MailHash, quoted(changes),
		})
	})
	out.Flush()
	if err := errors.Join(err, out.Error()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Err, "%d subscribers\n", n)
	return err
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// formula is what a spreadsheet takes a cell for that begins so.
func formula(s string) bool { return s != "" && strings.ContainsRune("=+-@\t\r\n'", rune(s[0])) }

// quoted keeps a spreadsheet from taking a cell for a formula; unquoted reads it
// back.
func quoted(s string) string {
	if formula(s) {
		return "'" + s
	}
	return s
}

func unquoted(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && formula(rest) {
		return rest
	}
	return s
}
