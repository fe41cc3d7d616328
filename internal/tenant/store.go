package tenant

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this package.
func Migrations() db.Migrations {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return db.Migrations{Name: "tenant", FS: dir}
}

// Check reports what is wrong with tenants before anything is stored.
func Check(tenants ...Tenant) error {
	for i := range tenants {
		if err := tenants[i].validate(); err != nil {
			return fmt.Errorf("tenant: %s: %w", tenants[i].ID, err)
		}
		for _, m := range tenants[i].Mailboxes {
			err := CheckMailbox(m)
			if err == nil {
				err = checkRule(tenants[i].Kind, tenants[i].Profile, m.Retention)
			}
			if err != nil {
				return fmt.Errorf("tenant: %s/%s: %w", tenants[i].ID, m.ID, err)
			}
		}
	}
	return nil
}

// Add stores new tenants with their departments and mailboxes, and an entry of
// the journal for each, in one transaction: all or none. An id or host that exists is a Conflict.
func Add(ctx context.Context, d *db.DB, tenants ...Tenant) error {
	if err := Check(tenants...); err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		for _, t := range tenants {
			if err := addOne(ctx, tx, t); err != nil {
				return fmt.Errorf("tenant: add %s: %w", t.ID, err)
			}
			if err := record(ctx, tx, t.ID, "tenant.added", string(t.ID), map[string]string{"kind": string(t.Kind)}); err != nil {
				return err
			}
		}
		return touch(ctx, tx)
	})
}

func addOne(ctx context.Context, tx *db.Tx, t Tenant) error {
	if t.Kind == Operator && t.Modules == nil {
		t.Modules = Modules()
	}
	_, err := tx.Exec(ctx, `
insert into tenant_tenants (id, kind, profile, name, ars, street, postcode, place, phone, email, modules, created_at, position)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, coalesce(max(position), 0) + 1
from tenant_tenants`,
		string(t.ID), string(t.Kind), string(t.Profile), t.Name, t.ARS, t.Address.Street, t.Address.Postcode,
		t.Address.Place, t.Address.Phone, t.Address.Email, joinModules(t.Modules), db.Millis(tx.Now))
	if err != nil {
		return err
	}
	for i, h := range t.Hosts {
		if _, err := tx.Exec(ctx, `insert into tenant_hosts (host, tenant_id, position) values ($1, $2, $3)`, h, string(t.ID), i); err != nil {
			return err
		}
	}
	if err := putNetworks(ctx, tx, t.ID, t.Networks); err != nil {
		return err
	}
	for _, dep := range t.Departments {
		if err := addDepartment(ctx, tx, t.ID, dep); err != nil {
			return err
		}
	}
	for _, m := range t.Mailboxes {
		m.Tenant = t.ID
		if err := addMailbox(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

func addDepartment(ctx context.Context, tx *db.Tx, id ID, dep Department) error {
	_, err := tx.Exec(ctx, `
insert into tenant_departments (tenant_id, id, name, name_en, position)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, id) do nothing`,
		string(id), dep.ID, dep.Name, dep.NameEN, dep.Position)
	return err
}

// AddMailbox stores a new mailbox; zero limits get the defaults. Its department
// is created under the mailbox's own name when it does not exist. The caller
// makes the mailbox key in the vault first, so that no letter can meet a
// mailbox without a key.
func AddMailbox(ctx context.Context, d *db.DB, m Mailbox) error {
	return d.Update(ctx, func(tx *db.Tx) error {
		if err := addMailbox(ctx, tx, m); err != nil {
			return fmt.Errorf("tenant: add mailbox %s/%s: %w", m.Tenant, m.ID, err)
		}
		if err := record(ctx, tx, m.Tenant, "mailbox.added", string(m.ID), nil); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
}

// CheckMailbox reports what is wrong with a mailbox before anything is stored.
func CheckMailbox(m Mailbox) error {
	m.fill()
	return m.validate()
}

func addMailbox(ctx context.Context, tx *db.Tx, m Mailbox) error {
	m.fill()
	if err := m.validate(); err != nil {
		return err
	}
	if err := ruleAllowed(ctx, tx, m.Tenant, m.Retention); err != nil {
		return err
	}
	if m.Department == "" {
		m.Department = string(m.ID)
	}
	if err := addDepartment(ctx, tx, m.Tenant, Department{ID: m.Department, Name: m.Name, NameEN: m.NameEN, Position: m.Position}); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
insert into tenant_mailboxes (tenant_id, id, department_id, name, name_en, duties, duties_en, reply_days, file_kinds,
  max_file, max_message, max_files, email_reply, sender_required, fallback, position, retention_days, retention_since, members_only)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		string(m.Tenant), string(m.ID), m.Department, m.Name, m.NameEN, m.Duties, m.DutiesEN, m.ReplyDays,
		strings.Join(m.FileKinds, " "), m.MaxFile, m.MaxMessage, m.MaxFiles, m.EmailReply, m.SenderRequired, m.Fallback, m.Position,
		m.Retention, db.Millis(tx.Now), m.MembersOnly)
	if err != nil {
		return err
	}
	for i, t := range m.Topics {
		_, err := tx.Exec(ctx, `
insert into tenant_topics (tenant_id, mailbox_id, id, name, name_en, position)
values ($1, $2, $3, $4, $5, $6)`,
			string(m.Tenant), string(m.ID), t.ID, t.Name, t.NameEN, i)
		if err != nil {
			return err
		}
	}
	return nil
}

// AddBanner publishes a system message and returns its id.
func AddBanner(ctx context.Context, d *db.DB, b Banner) (string, error) {
	if b.Kind != Info && b.Kind != Warning || strings.TrimSpace(b.Title) == "" || !b.Until.IsZero() && !b.Until.After(b.From) {
		return "", fmt.Errorf("tenant: add banner: %w", fault.With(fault.Invalid, "tenant.error.banner"))
	}
	b.ID = strings.ToLower(rand.Text()[:12])
	err := d.Update(ctx, func(tx *db.Tx) error {
		if b.From.IsZero() {
			b.From = tx.Now
		}
		_, err := tx.Exec(ctx, `
insert into tenant_banners (id, tenant_id, kind, title, title_en, text, text_en, starts_at, ends_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			b.ID, string(b.Tenant), string(b.Kind), b.Title, b.TitleEN, b.Text, b.TextEN, db.Millis(b.From), end(b.Until))
		if err != nil {
			return err
		}
		if err := record(ctx, tx, b.Tenant, "banner.added", b.ID, map[string]string{"kind": string(b.Kind)}); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
	if err != nil {
		return "", fmt.Errorf("tenant: add banner: %w", err)
	}
	return b.ID, nil
}

// EndBanner takes a system message off all pages now. An unknown id is
// NotFound.
func EndBanner(ctx context.Context, d *db.DB, id string) error {
	err := d.Update(ctx, func(tx *db.Tx) error {
		var of ID
		err := tx.QueryRow(ctx, `select tenant_id from tenant_banners where id = $1 and (ends_at = 0 or ends_at > $2)`, id, db.Millis(tx.Now)).Scan(&of)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update tenant_banners set ends_at = $2 where id = $1`, id, db.Millis(tx.Now)); err != nil {
			return err
		}
		if err := record(ctx, tx, of, "banner.ended", id, nil); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tenant: end banner %s: %w", id, err)
	}
	return nil
}

// everyTenant stands in the journal for a deed that concerns all tenants.
const everyTenant = "-"

// record writes a deed of the operator's command line, the only place from which
// tenants are changed, into the journal.
func record(ctx context.Context, tx *db.Tx, of ID, action, object string, detail map[string]string) error {
	if of == "" {
		of = everyTenant
	}
	return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "cli", Action: action, Object: object, Detail: detail})
}

func end(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return db.Millis(t)
}

func touch(ctx context.Context, tx *db.Tx) error {
	_, err := tx.Exec(ctx, `update tenant_revision set revision = revision + 1 where id = 1`)
	return err
}

func revision(ctx context.Context, tx *db.Tx) (int64, error) {
	var n int64
	err := tx.QueryRow(ctx, `select revision from tenant_revision where id = 1`).Scan(&n)
	return n, err
}

// snapshot is everything the directory serves, at one revision.
type snapshot struct {
	revision int64
	tenants  []*Tenant
	byID     map[ID]*Tenant
	byHost   map[string]*Tenant
	byMail   map[string]*Tenant
	banners  []Banner
}

func load(ctx context.Context, tx *db.Tx) (*snapshot, error) {
	s := &snapshot{byID: map[ID]*Tenant{}, byHost: map[string]*Tenant{}}
	var err error
	if s.revision, err = revision(ctx, tx); err != nil {
		return nil, err
	}
	if s.tenants, err = db.Collect(ctx, tx, scanTenant, `
select id, kind, profile, name, ars, street, postcode, place, phone, email, modules, created_at
from tenant_tenants
order by kind, position, id`); err != nil {
		return nil, err
	}
	for _, t := range s.tenants {
		s.byID[t.ID] = t
	}
	hosts, err := db.Collect(ctx, tx, func(r db.Scanner) (h [2]string, err error) {
		err = r.Scan(&h[0], &h[1])
		return h, err
	},
		`select host, tenant_id from tenant_hosts order by tenant_id, position, host`)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		if t := s.byID[ID(h[1])]; t != nil {
			t.Hosts = append(t.Hosts, h[0])
			s.byHost[h[0]] = t
		}
	}
	if err := loadOffices(ctx, tx, s); err != nil {
		return nil, err
	}
	if err := loadMail(ctx, tx, s); err != nil {
		return nil, err
	}
	if err := loadNetworks(ctx, tx, s); err != nil {
		return nil, err
	}
	s.banners, err = db.Collect(ctx, tx, scanBanner, `
select id, tenant_id, kind, title, title_en, text, text_en, starts_at, ends_at
from tenant_banners
where ends_at = 0 or ends_at > $1
order by starts_at desc, id`, db.Millis(tx.Now))
	return s, err
}

func loadOffices(ctx context.Context, tx *db.Tx, s *snapshot) error {
	type owned[T any] struct {
		tenant ID
		box    MailboxID
		v      T
	}
	deps, err := db.Collect(ctx, tx, func(r db.Scanner) (o owned[Department], err error) {
		err = r.Scan(&o.tenant, &o.v.ID, &o.v.Name, &o.v.NameEN, &o.v.Position)
		return o, err
	}, `select tenant_id, id, name, name_en, position from tenant_departments order by tenant_id, position, id`)
	if err != nil {
		return err
	}
	for _, o := range deps {
		if t := s.byID[o.tenant]; t != nil {
			t.Departments = append(t.Departments, o.v)
		}
	}
	topics, err := db.Collect(ctx, tx, func(r db.Scanner) (o owned[Topic], err error) {
		err = r.Scan(&o.tenant, &o.box, &o.v.ID, &o.v.Name, &o.v.NameEN, &o.v.Position)
		return o, err
	}, `select tenant_id, mailbox_id, id, name, name_en, position from tenant_topics order by tenant_id, mailbox_id, position, id`)
	if err != nil {
		return err
	}
	of := map[ID]map[MailboxID][]Topic{}
	for _, o := range topics {
		if of[o.tenant] == nil {
			of[o.tenant] = map[MailboxID][]Topic{}
		}
		of[o.tenant][o.box] = append(of[o.tenant][o.box], o.v)
	}
	boxes, err := db.Collect(ctx, tx, scanMailbox, `
select tenant_id, id, department_id, name, name_en, duties, duties_en, reply_days, file_kinds,
  max_file, max_message, max_files, email_reply, sender_required, fallback, position, retention_days, retention_since, members_only
from tenant_mailboxes
order by tenant_id, position, id`)
	if err != nil {
		return err
	}
	for _, m := range boxes {
		if t := s.byID[m.Tenant]; t != nil {
			m.Topics = of[m.Tenant][m.ID]
			t.Mailboxes = append(t.Mailboxes, m)
		}
	}
	return nil
}

func scanTenant(r db.Scanner) (*Tenant, error) {
	var t Tenant
	var created int64
	var modules string
	err := r.Scan(&t.ID, &t.Kind, &t.Profile, &t.Name, &t.ARS, &t.Address.Street, &t.Address.Postcode, &t.Address.Place,
		&t.Address.Phone, &t.Address.Email, &modules, &created)
	t.Created = db.Time(created)
	for _, m := range strings.Fields(modules) {
		t.Modules = append(t.Modules, Module(m))
	}
	return &t, err
}

func scanMailbox(r db.Scanner) (Mailbox, error) {
	var m Mailbox
	var kinds string
	var since int64
	err := r.Scan(&m.Tenant, &m.ID, &m.Department, &m.Name, &m.NameEN, &m.Duties, &m.DutiesEN, &m.ReplyDays, &kinds,
		&m.MaxFile, &m.MaxMessage, &m.MaxFiles, &m.EmailReply, &m.SenderRequired, &m.Fallback, &m.Position,
		&m.Retention, &since, &m.MembersOnly)
	m.FileKinds, m.RetentionSince = strings.Fields(kinds), db.Time(since)
	return m, err
}

func scanBanner(r db.Scanner) (Banner, error) {
	var b Banner
	var from, until int64
	err := r.Scan(&b.ID, &b.Tenant, &b.Kind, &b.Title, &b.TitleEN, &b.Text, &b.TextEN, &from, &until)
	b.From = db.Time(from)
	if until != 0 {
		b.Until = db.Time(until)
	}
	return b, err
}
