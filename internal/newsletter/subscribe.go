package newsletter

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// state of a subscription.
type state string

const (
	pending state = "pending" // waits for the click
	active  state = "active"
)

// Ways by which a consent came or ended.
const (
	WayForm     = "form"     // the sign-up page, confirmed by mail
	WayImport   = "import"   // taken over with evidence from elsewhere
	WayLink     = "link"     // the link of an issue
	WayOneClick = "oneclick" // the mail program's own button (RFC 8058)
	WayManage   = "manage"   // the settings page
	WayMail     = "mail"     // a mail to the authority
	WayBounce   = "bounce"   // the address does not exist any more
)

// Evidence is what is kept of one consent (Art. 7(1) GDPR), sealed. It has the
// fields that privacy.go declares and no others: no IP address, no browser.
type Evidence struct {
	Address    string    `json:"address"`
	Categories []string  `json:"categories"`
	Text       string    `json:"text"`       // what the person agreed to, word for word
	Version    string    `json:"version"`    // of that text
	Form       string    `json:"form"`       // path of the page, or where an import came from
	Lang       string    `json:"lang"`       // in which the text was shown
	Way        string    `json:"way"`        // form or import
	Requested  time.Time `json:"requested"`  // the form was sent
	Mailed     time.Time `json:"mailed"`     // the mail that asks for the click
	MessageID  string    `json:"message_id"` // of that mail
	MailHash   string    `json:"mail_hash"`  // SHA-256 of its subject, a line feed and its text
	Confirmed  time.Time `json:"confirmed"`  // the click
	Changes    []Change  `json:"changes"`    // of the topics, by the person
	Withdrawn  time.Time `json:"withdrawn"`
	Ending     string    `json:"ending"` // way of the withdrawal
}

// Change is a later choice of topics.
type Change struct {
	At         time.Time `json:"at"`
	Categories []string  `json:"categories"`
}

// consentVersion is the version of the sentences newsletter.consent.*. Whoever
// changes them gives them the date of the change.
const consentVersion = "2026-11-22"

// consent is the sentence that a person agrees to with the sign-up.
func consent(ctx context.Context, t *tenant.Tenant, title string) string {
	return i18n.T(ctx, "newsletter.consent.text", "authority", t.Name, "title", title)
}

// wish is a sign-up as the form brings it.
type wish struct {
	Address    mail.Address
	Categories []string // of the tenant; none means all there are now
	Network    string   // of the client, "" is not counted
	Form       string   // path of the page
}

// signUp takes a wish. What it answers, and what it costs, is the same whether
// the address is unknown, waiting or subscribed; the mail differs, and only its
// owner reads it.
func (s *Service) signUp(ctx context.Context, t *tenant.Tenant, w wish) error {
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return err
	}
	if err := s.slow(t.ID, w.Network); err != nil {
		return err
	}
	set, err := s.settings(ctx, t)
	if err != nil {
		return err
	}
	now, lang := s.DB.Now(), i18n.Lang(ctx)
	chosen, err := set.choose(w.Categories)
	if err != nil {
		return err
	}
	fresh := subscriber{ID: newID(), Key: k.hash(w.Address), State: pending, Lang: lang, Categories: chosen, Requested: now}
	evidence := Evidence{
		Address: string(w.Address), Categories: chosen, Text: consent(ctx, t, set.name(lang)), Version: consentVersion, Form: w.Form, Lang: lang,
		Way: WayForm, Requested: now,
	}
	mayMail := s.persons.Take(k.person(w.Address)+string(t.ID), now)
	ref := rand.Text()
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		known, err := subscriberByKey(ctx, tx, t.ID, fresh.Key)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		row := fresh
		if err == nil {
			row.ID, row.State, row.Mailed, row.Ref, row.Confirmed = known.ID, known.State, known.Mailed, known.Ref, known.Confirmed
			row.Bounces = known.Bounces
		}
		row.Address = k.seal(string(t.ID), row.ID, "address", []byte(w.Address))
		record := k.seal(string(t.ID), row.ID, "evidence", encode(evidence))
		if row.State == active { // nothing changes for who is subscribed; it is written again all the same
			row.Categories, row.Lang, row.Address, row.Requested = known.Categories, known.Lang, known.Address, known.Requested
			if record, err = evidenceOf(ctx, tx, t.ID, row.ID); err != nil {
				return err
			}
		}
		if mayMail && tx.Now.Sub(row.Mailed) >= mailEvery {
			row.Mailed, row.Ref = tx.Now, ref
		}
		if err := putSubscriber(ctx, tx, t.ID, row); err != nil {
			return err
		}
		if err := putEvidence(ctx, tx, t.ID, row, record); err != nil {
			return err
		}
		return s.Jobs.Enqueue(ctx, tx, jobMail, mailRef(t.ID, row.ID, ref))
	})
	if err != nil {
		return fmt.Errorf("newsletter: sign up: %w", err)
	}
	return nil
}

// slow counts against the limits of a network and of the whole tenant.
func (s *Service) slow(of tenant.ID, network string) error {
	now := s.Now()
	if network != "" && !s.networks.Take(string(of)+" "+network, now) || !s.tenants.Take(of, now) {
		return &fault.Error{Kind: fault.TooMany, Key: "newsletter.error.slow"}
	}
	return nil
}

// confirm makes a subscription active. It may be repeated. A link that is none,
// has ended, or whose subscription is gone, is errLink.
func (s *Service) confirm(ctx context.Context, t *tenant.Tenant, word string) error {
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return err
	}
	l, err := k.read(toConfirm, word, s.DB.Now())
	if err != nil {
		return err
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		row, err := subscriberByID(ctx, tx, t.ID, l.ID)
		if errors.Is(err, fault.NotFound) { // purged; the link itself ends when the row does
			return errLink
		}
		if err != nil || row.State == active {
			return err
		}
		row.State, row.Confirmed = active, tx.Now
		if err := putSubscriber(ctx, tx, t.ID, row); err != nil {
			return err
		}
		if err := deleteSuppressed(ctx, tx, t.ID, row.Key, suppressedBounce); err != nil {
			return err
		}
		err = s.amend(ctx, tx, k, t.ID, row, func(e *Evidence) { e.Confirmed, e.Categories = tx.Now, row.Categories })
		if err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(t.ID), Actor: "citizen", Action: "newsletter.confirmed"})
	})
	if err != nil {
		return fmt.Errorf("newsletter: confirm: %w", err)
	}
	return nil
}

// amend changes the evidence of a subscription within a transaction.
func (s *Service) amend(ctx context.Context, tx *db.Tx, k *keys, of tenant.ID, row subscriber, change func(*Evidence)) error {
	sealed, err := evidenceOf(ctx, tx, of, row.ID)
	if err != nil {
		return err
	}
	e, err := k.evidence(of, row.ID, sealed)
	if err != nil {
		return err
	}
	change(&e)
	return putEvidence(ctx, tx, of, row, k.seal(string(of), row.ID, "evidence", encode(e)))
}

func (k *keys) evidence(of tenant.ID, id string, sealed []byte) (e Evidence, err error) {
	plain, err := k.open(string(of), id, "evidence", sealed)
	if err == nil {
		err = json.Unmarshal(plain, &e)
	}
	if err != nil {
		return e, fmt.Errorf("newsletter: evidence of %s: %w", id, err)
	}
	return e, nil
}

func encode(e Evidence) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic("newsletter: evidence: " + err.Error()) // only strings and times
	}
	return b
}

// leave ends a subscription by the link of an issue or of the settings. One that
// has ended already is no error; a word that is no link of that purpose is
// errLink.
func (s *Service) leave(ctx context.Context, t *tenant.Tenant, p purpose, word, way string) error {
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return err
	}
	l, err := k.read(p, word, s.DB.Now())
	if err != nil {
		return err
	}
	return s.withdraw(ctx, t.ID, l.ID, way)
}

// withdraw ends a subscription at once: the row that can be sent to is deleted,
// the evidence is marked and stays for its period. One that has ended already is
// no error.
func (s *Service) withdraw(ctx context.Context, of tenant.ID, id, way string) error {
	k, err := s.keysOf(ctx, of)
	if err != nil {
		return err
	}
	s.gone.add(id, s.Now()) // before the commit: better one mail too few
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		row, err := subscriberByID(ctx, tx, of, id)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.end(ctx, tx, k, of, row, way)
	})
	if err != nil {
		return fmt.Errorf("newsletter: withdraw: %w", err)
	}
	return nil
}

// end is withdraw within a transaction.
func (s *Service) end(ctx context.Context, tx *db.Tx, k *keys, of tenant.ID, row subscriber, way string) error {
	if row.State == pending { // there was no consent yet, so there is nothing to prove
		if err := deleteEvidence(ctx, tx, of, row.ID); err != nil {
			return err
		}
	} else {
		if err := s.amend(ctx, tx, k, of, row, func(e *Evidence) { e.Withdrawn, e.Ending = tx.Now, way }); err != nil {
			return err
		}
		if err := endEvidence(ctx, tx, of, row.ID); err != nil {
			return err
		}
	}
	if err := deleteSubscriber(ctx, tx, of, row.ID); err != nil {
		return err
	}
	return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "citizen", Action: "newsletter.withdrawn", Detail: map[string]string{"channel": way}})
}

// askLink takes the wish for a mail with the link to the settings. As with
// signUp nothing tells whether the address is subscribed.
func (s *Service) askLink(ctx context.Context, t *tenant.Tenant, a mail.Address, network string) error {
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return err
	}
	if err := s.slow(t.ID, network); err != nil {
		return err
	}
	now := s.DB.Now()
	mayMail := s.persons.Take(k.person(a)+string(t.ID), now)
	ref := rand.Text()
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		id := newID()
		row, err := subscriberByKey(ctx, tx, t.ID, k.hash(a))
		switch {
		case err == nil:
			id = row.ID
			if mayMail && row.State == active && tx.Now.Sub(row.Mailed) >= mailEvery {
				row.Mailed, row.Ref = tx.Now, ref
			}
			if err := putSubscriber(ctx, tx, t.ID, row); err != nil {
				return err
			}
		case !errors.Is(err, fault.NotFound):
			return err
		}
		return s.Jobs.Enqueue(ctx, tx, jobMail, mailRef(t.ID, id, ref))
	})
	if err != nil {
		return fmt.Errorf("newsletter: ask for a link: %w", err)
	}
	return nil
}

// choices returns what the holder of a link to the settings has chosen.
func (s *Service) choices(ctx context.Context, t *tenant.Tenant, word string) (row subscriber, err error) {
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return row, err
	}
	l, err := k.read(toManage, word, s.DB.Now())
	if err != nil {
		return row, err
	}
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		row, err = subscriberByID(ctx, tx, t.ID, l.ID)
		return err
	})
	if errors.Is(err, fault.NotFound) || err == nil && row.State != active {
		err = errLink
	}
	return row, err
}

// change stores another choice of topics, and with it its evidence.
func (s *Service) change(ctx context.Context, t *tenant.Tenant, word string, categories []string) error {
	row, err := s.choices(ctx, t, word)
	if err != nil {
		return err
	}
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return err
	}
	set, err := s.settings(ctx, t)
	if err != nil {
		return err
	}
	chosen, err := set.choose(categories)
	if err != nil {
		return err
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		row, err := subscriberByID(ctx, tx, t.ID, row.ID)
		if err != nil {
			return err
		}
		row.Categories = chosen
		if err := putSubscriber(ctx, tx, t.ID, row); err != nil {
			return err
		}
		return s.amend(ctx, tx, k, t.ID, row, func(e *Evidence) { e.Changes = append(e.Changes, Change{At: tx.Now, Categories: chosen}) })
	})
	if err != nil {
		return fmt.Errorf("newsletter: change: %w", err)
	}
	return nil
}

// purge deletes what was never confirmed, and evidence whose period is over:
// three whole years after the end of the year in which the consent ended
// (§§ 195, 199 BGB).
func (s *Service) purge(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		err := s.DB.Update(ctx, func(tx *db.Tx) error {
			old, err := stale(ctx, tx, tx.Now.Add(-purgeAfter))
			if err != nil {
				return err
			}
			for _, o := range old {
				if err := deleteEvidence(ctx, tx, o.of, o.id); err != nil {
					return err
				}
				if err := deleteSubscriber(ctx, tx, o.of, o.id); err != nil {
					return err
				}
			}
			more = len(old) > 0
			return nil
		})
		if err != nil {
			return fmt.Errorf("newsletter: purge: %w", err)
		}
	}
	y := s.Now().In(i18n.Zone()).Year() - 3
	before := time.Date(y, time.January, 1, 0, 0, 0, 0, i18n.Zone())
	return s.DB.Update(ctx, func(tx *db.Tx) error { return deleteOldEvidence(ctx, tx, before) })
}

// overlap reports whether an issue for the categories concerns who chose others.
// An issue without categories is for everybody.
func overlap(issue, chosen []string) bool {
	return len(issue) == 0 || slices.ContainsFunc(issue, func(c string) bool { return slices.Contains(chosen, c) })
}

func words(all []string) string { return strings.Join(all, " ") }
