package newsletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// Imported says what became of a list.
type Imported struct {
	Added int
	Kept  int // addresses that were there already; they stayed as they are
	// Refused are those that were not taken, in the order of the list.
	Refused []Refusal
}

// Refusal is why one consent of a list was not taken.
type Refusal struct {
	At  int // place in the list, from 0
	Err error
}

// Bounds of what evidence from elsewhere may say, in bytes.
const (
	maxConsent = 10_000
	maxOrigin  = 300
)

// Import takes over people who have agreed elsewhere, each with the evidence of
// it (B15). Needed are address, text, version and time of the consent (Confirmed)
// and where it was given (Form); Lang and Categories are those of the form when
// they are missing, Way becomes WayImport. What lacks something is refused and
// the rest taken. Refused is as well whoever has unsubscribed here, and an
// address that does not exist.
//
// It writes in batches, each whole or not at all with its entry in the journal,
// so that it may be repeated after an interruption. It is for the command line;
// who calls it answers for the reason, which the journal keeps.
func (s *Service) Import(ctx context.Context, of tenant.ID, reason string, list []Evidence) (sum Imported, err error) {
	t, err := s.of(of)
	if err != nil {
		return sum, err
	}
	k, err := s.keysOf(ctx, of)
	if err != nil {
		return sum, err
	}
	set, err := s.settings(ctx, t)
	if err != nil {
		return sum, err
	}
	if strings.TrimSpace(reason) == "" {
		return sum, reasonMissing()
	}
	from := 0
	for part := range slices.Chunk(list, batchSize) {
		some, err := s.importBatch(ctx, t, k, set, reason, part)
		if err != nil {
			return sum, fmt.Errorf("newsletter: import: %w", err)
		}
		sum.Added, sum.Kept = sum.Added+some.Added, sum.Kept+some.Kept
		for _, r := range some.Refused {
			sum.Refused = append(sum.Refused, Refusal{from + r.At, r.Err})
		}
		from += len(part)
	}
	return sum, nil
}

func reasonMissing() error {
	return fault.Fields(fault.Field{Name: "reason", Key: "newsletter.import.reason"})
}

func (s *Service) importBatch(ctx context.Context, t *tenant.Tenant, k *keys, set Settings, reason string, part []Evidence) (sum Imported, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		sum = Imported{}
		for i, e := range part {
			kept, err := s.importOne(ctx, tx, t, k, set, e)
			switch {
			case len(fault.FieldsOf(err)) > 0:
				sum.Refused = append(sum.Refused, Refusal{i, err})
			case err != nil:
				return err
			case kept:
				sum.Kept++
			default:
				sum.Added++
			}
		}
		if sum.Added == 0 {
			return nil
		}
		return journal.Record(ctx, tx, listEntry(t.ID, "newsletter.imported", int64(sum.Added), reason))
	})
	return sum, err
}

func listEntry(of tenant.ID, action string, n int64, reason string) journal.Entry {
	return journal.Entry{
		Tenant: string(of), Actor: "cli", Action: action, Object: "subscribers",
		Detail: map[string]string{"count": fmt.Sprint(n), journal.Reason: reason},
	}
}

// importOne stores one consent; kept says that the address was there already.
func (s *Service) importOne(ctx context.Context, tx *db.Tx, t *tenant.Tenant, k *keys, set Settings, e Evidence) (kept bool, err error) {
	address, err := e.imported(set, tx.Now)
	if err != nil {
		return false, err
	}
	key := k.hash(address)
	if _, err := subscriberByKey(ctx, tx, t.ID, key); !errors.Is(err, fault.NotFound) {
		return err == nil, err
	}
	word, err := unwanted(ctx, tx, t.ID, key)
	if err == nil && word != "" {
		err = fault.Fields(fault.Field{Name: "address", Key: word})
	}
	if err != nil {
		return false, err
	}
	row := subscriber{ID: newID(), Key: key, State: active, Lang: e.Lang, Categories: e.Categories, Requested: e.Requested, Confirmed: e.Confirmed}
	if row.Requested.IsZero() {
		row.Requested = e.Confirmed
	}
	row.Address = k.seal(string(t.ID), row.ID, "address", []byte(address))
	if err := putSubscriber(ctx, tx, t.ID, row); err != nil {
		return false, err
	}
	return false, putEvidence(ctx, tx, t.ID, row, k.seal(string(t.ID), row.ID, "evidence", encode(e)))
}

// unwanted is the key of the sentence that says why an address is not taken over,
// "" when it may be.
func unwanted(ctx context.Context, tx *db.Tx, of tenant.ID, key []byte) (string, error) {
	if dead, err := isSuppressed(ctx, tx, of, key); err != nil || dead {
		return "newsletter.import.dead", err
	}
	if left, err := hasLeft(ctx, tx, of, key); err != nil || left {
		return "newsletter.import.left", err
	}
	return "", nil
}

// imported checks evidence from elsewhere and fills in what may be missing.
func (e *Evidence) imported(set Settings, now time.Time) (mail.Address, error) {
	address, err := mail.ParseAddress("address", strings.TrimSpace(e.Address))
	f := fault.FieldsOf(err)
	need := func(name, value string, most int) {
		switch {
		case strings.TrimSpace(value) == "":
			f = append(f, fault.Field{Name: name, Key: "newsletter.import.missing"})
		case len(value) > most:
			f = append(f, fault.Field{Name: name, Key: "newsletter.import.long", Args: []any{"n", most}})
		}
	}
	need("text", e.Text, maxConsent)
	need("version", e.Version, maxOrigin)
	need("way", e.Form, maxOrigin)
	switch {
	case e.Confirmed.IsZero():
		f = append(f, fault.Field{Name: "consented", Key: "newsletter.import.time"})
	case e.Confirmed.After(now):
		f = append(f, fault.Field{Name: "consented", Key: "newsletter.import.future"})
	}
	if e.Lang == "" {
		e.Lang = "de"
	}
	if e.Lang != "de" && e.Lang != "en" {
		f = append(f, fault.Field{Name: "lang", Key: "newsletter.import.lang"})
	}
	chosen, err := set.choose(e.Categories)
	if err != nil {
		f = append(f, fault.Field{Name: "categories", Key: "newsletter.import.categories"})
	}
	e.Address, e.Categories, e.Way, e.Withdrawn, e.Ending = string(address), chosen, WayImport, time.Time{}, ""
	return address, fault.Fields(f...)
}

// Export hands out everybody who is subscribed at a tenant with the evidence of
// the consent, in no order that means anything, and returns how many. The reading
// is in the journal, with the reason, before the first one is opened. It is for
// the command line, which only the owner of the installation can use; no page and
// no role of the staff opens addresses.
func (s *Service) Export(ctx context.Context, of tenant.ID, reason string, each func(Evidence) error) (n int, err error) {
	if _, ok := s.Directory.ByID(of); !ok {
		return 0, fmt.Errorf("newsletter: tenant %s: %w", of, fault.NotFound)
	}
	if strings.TrimSpace(reason) == "" {
		return 0, reasonMissing()
	}
	k, err := s.keysOf(ctx, of)
	if err != nil {
		return 0, err
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		c, err := countSubscribers(ctx, tx, of)
		if err != nil {
			return err
		}
		return journal.Record(ctx, tx, listEntry(of, "newsletter.exported", c.Active, reason))
	})
	for last := ""; err == nil; {
		var rows []subscriber
		var records map[string][]byte
		err = s.DB.View(ctx, func(tx *db.Tx) error {
			if rows, err = subscribersAfter(ctx, tx, of, last, batchSize); err != nil || len(rows) == 0 {
				return err
			}
			last = rows[len(rows)-1].ID
			records, err = evidenceAmong(ctx, tx, of, ids(rows))
			return err
		})
		if err != nil || len(rows) == 0 {
			break
		}
		for _, row := range rows {
			e, err := k.evidence(of, row.ID, records[row.ID])
			if err != nil {
				return n, err
			}
			e.Categories = row.Categories // as chosen last
			if err := each(e); err != nil {
				return n, err
			}
			n++
		}
	}
	if err != nil {
		return n, fmt.Errorf("newsletter: export: %w", err)
	}
	return n, nil
}

func ids(rows []subscriber) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = row.ID
	}
	return out
}
