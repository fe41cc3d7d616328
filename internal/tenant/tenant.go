// Package tenant knows the authorities of an installation and its operator:
// names, host names, departments, mailboxes with their limits and reply times,
// and the system messages that visitors see.
//
// One host name belongs to exactly one tenant; the host of a request decides
// whose pages and letters it may see (Directory.ByHost). The directory is a
// snapshot in memory, read from the database when a revision counter moves, so
// that a request costs no query and a change made by another process arrives
// within seconds.
//
// The package holds no letters and no people. Contact data here is that of the
// authority (Art. 13(1)(a) GDPR), not of a person.
package tenant

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"poststelle/internal/fault"
)

// ID names a tenant: lower-case letters, digits and hyphens, at most 40. It is
// part of the associated data of every sealed letter and never changes.
type ID string

// MailboxID names a mailbox inside its tenant; same alphabet as ID.
type MailboxID string

// Realm is one register of citizen accounts: whoever registered in it has a
// mailbox with all its tenants. See Tenant.Realm.
type Realm string

// Everywhere is the realm that all tenants of the profile vorlage share: one
// registration serves the whole installation (A48).
const Everywhere Realm = "*"

// Kind says which of the two notices a tenant has.
type Kind string

// The two kinds of tenant: an authority has the post office (notice A), the
// operator runs the installation and has the website (notice B).
const (
	Authority Kind = "authority"
	Operator  Kind = "operator"
)

// Profile is the register profile a tenant was created with. There is no
// default: who adds a tenant chooses.
type Profile string

// The two profiles of the register.
const (
	Vorlage Profile = "vorlage"
	Streng  Profile = "streng"
)

// Default limits of a mailbox, used when New… leaves them zero.
const (
	DefaultMaxFile    = 20 << 20
	DefaultMaxMessage = 50 << 20
	DefaultMaxFiles   = 10
	DefaultReplyDays  = 5
)

// DefaultFileKinds returns the endings a mailbox accepts unless it says
// otherwise, in the order in which pages name them.
func DefaultFileKinds() []string { return []string{"pdf", "jpg", "png", "docx", "odt", "txt"} }

// KnownFileKinds returns every ending that a mailbox may accept. An ending is
// accepted only where the content agrees with it (mailbox checks).
func KnownFileKinds() []string {
	return []string{"pdf", "jpg", "png", "docx", "odt", "txt", "xlsx", "ods", "csv", "tif", "heic", "zip"}
}

// Tenant is one authority or the operator. Hosts is never empty; the first is
// the one that mails link to. ARS is the Amtlicher Regionalschlüssel, twelve
// digits, empty for the operator.
type Tenant struct {
	ID      ID
	Kind    Kind
	Profile Profile
	Name    string
	ARS     string
	Address Address
	Hosts   []string
	Created time.Time

	Departments []Department
	Mailboxes   []Mailbox

	// Modules are those switched on; see Has. The operator begins with all, an
	// authority with none.
	Modules []Module

	// Mail are the addresses published beside the contact address; see Published.
	Mail []string

	// Networks are those from which the members' area may be reached; none
	// means that nobody may. See Inside.
	Networks []netip.Prefix
}

// Realm returns the register of citizen accounts that the tenant belongs to:
// Everywhere in the profile vorlage, one of its own in the profile streng.
func (t *Tenant) Realm() Realm {
	if t.Profile == Streng {
		return Realm(t.ID)
	}
	return Everywhere
}

// Module is a service of the website that a tenant may have beside the post
// office. Where it is off its pages do not exist and its activities are not in
// the tenant's privacy notice.
type Module string

// The modules.
const (
	Blog       Module = "blog"
	Newsletter Module = "newsletter"
	Members    Module = "members"
)

// Modules returns all modules in the order in which lists name them.
func Modules() []Module { return []Module{Blog, Newsletter, Members} }

// Has reports whether a module is switched on.
func (t *Tenant) Has(m Module) bool { return slices.Contains(t.Modules, m) }

// Address is the postal and electronic address of an authority.
type Address struct {
	Street, Postcode, Place, Phone, Email string
}

// Line returns the address as one line for a page footer.
func (a Address) Line() string {
	parts := []string{}
	if a.Street != "" {
		parts = append(parts, a.Street)
	}
	if town := strings.TrimSpace(a.Postcode + " " + a.Place); town != "" {
		parts = append(parts, town)
	}
	return strings.Join(parts, " · ")
}

// Department is an office of the authority; it groups mailboxes.
type Department struct {
	ID       string
	Name     string
	NameEN   string
	Position int
}

// Mailbox is the inbox of a department. Sizes are bytes of the plain file.
// ReplyDays are working days within which the office usually answers.
// Fallback marks the mailbox for people who do not know who is responsible.
type Mailbox struct {
	ID             MailboxID
	Tenant         ID
	Department     string
	Name, NameEN   string
	Duties         string
	DutiesEN       string
	ReplyDays      int
	FileKinds      []string
	MaxFile        int64
	MaxMessage     int64
	MaxFiles       int
	EmailReply     bool
	SenderRequired bool
	Fallback       bool
	Position       int
	Topics         []Topic

	// Retention is the number of days after which a closed matter is deleted
	// routinely; 0 means that nothing is ever deleted by itself (A47). It counts
	// from RetentionSince at the earliest, the day on which the mailbox got a
	// rule: what was closed before is not deleted all at once. See Due.
	Retention      int
	RetentionSince time.Time
	// MembersOnly hides the mailbox from everybody outside Tenant.Networks.
	MembersOnly bool
}

// Topic is a subject area that a mailbox offers in the assistant.
type Topic struct {
	ID           string
	Name, NameEN string
	Position     int
}

// Title returns the mailbox's name in the language ("de" or "en").
func (m Mailbox) Title(lang string) string { return pick(lang, m.Name, m.NameEN) }

// Duty returns the line that says what the mailbox is for.
func (m Mailbox) Duty(lang string) string { return pick(lang, m.Duties, m.DutiesEN) }

// Title returns the topic's name in the language.
func (t Topic) Title(lang string) string { return pick(lang, t.Name, t.NameEN) }

// Title returns the department's name in the language.
func (d Department) Title(lang string) string { return pick(lang, d.Name, d.NameEN) }

func pick(lang, de, en string) string {
	if lang == "en" && en != "" {
		return en
	}
	return de
}

// Topic returns the topic with the id and whether the mailbox has it.
func (m Mailbox) Topic(id string) (Topic, bool) {
	for _, t := range m.Topics {
		if t.ID == id {
			return t, true
		}
	}
	return Topic{}, false
}

// Mailbox returns the mailbox with the id and whether the tenant has it.
func (t *Tenant) Mailbox(id MailboxID) (Mailbox, bool) {
	for _, m := range t.Mailboxes {
		if m.ID == id {
			return m, true
		}
	}
	return Mailbox{}, false
}

// FallbackMailbox returns the mailbox for people who are unsure, and whether
// the tenant has one.
func (t *Tenant) FallbackMailbox() (Mailbox, bool) {
	for _, m := range t.Mailboxes {
		if m.Fallback {
			return m, true
		}
	}
	return Mailbox{}, false
}

// DefaultMailbox returns the mailbox for a message that names none, and whether
// there is one: that for people who are unsure, else the first. For who is
// outside the members' area ask the tenant of SeenFrom.
func (t *Tenant) DefaultMailbox() (Mailbox, bool) {
	if m, ok := t.FallbackMailbox(); ok || len(t.Mailboxes) == 0 {
		return m, ok
	}
	return t.Mailboxes[0], true
}

// BannerKind is the weight of a system message.
type BannerKind string

// Kinds of system message.
const (
	Info    BannerKind = "info"
	Warning BannerKind = "warning"
)

// Banner is a system or maintenance message. Tenant "" means every tenant of
// the installation. A zero Until means until ended by hand.
type Banner struct {
	ID             string
	Tenant         ID
	Kind           BannerKind
	Title, TitleEN string
	Text, TextEN   string
	From, Until    time.Time
}

// Heading returns the banner's title in the language.
func (b Banner) Heading(lang string) string { return pick(lang, b.Title, b.TitleEN) }

// Body returns the banner's text in the language.
func (b Banner) Body(lang string) string { return pick(lang, b.Text, b.TextEN) }

var (
	slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	arsForm  = regexp.MustCompile(`^[0-9]{12}$`)
)

// NormalHost returns the host of a Host header or address in the form in which
// it is stored: lower case, without port and trailing dot.
func NormalHost(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.Contains(host[i:], "]") {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

func (t *Tenant) validate() error {
	var f []fault.Field
	if !slugForm.MatchString(string(t.ID)) {
		f = append(f, fault.Field{Name: "id", Key: "tenant.error.id"})
	}
	if t.Kind != Authority && t.Kind != Operator {
		f = append(f, fault.Field{Name: "kind", Key: "tenant.error.kind"})
	}
	if t.Profile != Vorlage && t.Profile != Streng {
		f = append(f, fault.Field{Name: "profile", Key: "tenant.error.profile"})
	}
	if strings.TrimSpace(t.Name) == "" || len(t.Name) > 200 {
		f = append(f, fault.Field{Name: "name", Key: "tenant.error.name"})
	}
	if t.ARS != "" && !arsForm.MatchString(t.ARS) || t.Kind == Authority && t.ARS == "" {
		f = append(f, fault.Field{Name: "ars", Key: "tenant.error.ars"})
	}
	if len(t.Hosts) == 0 {
		f = append(f, fault.Field{Name: "host", Key: "tenant.error.host"})
	}
	for _, m := range t.Modules {
		if !slices.Contains(Modules(), m) {
			f = append(f, fault.Field{Name: "module", Key: "tenant.error.module"})
		}
	}
	for _, h := range t.Hosts {
		if !hostForm.MatchString(h) {
			f = append(f, fault.Field{Name: "host", Key: "tenant.error.host"})
		}
	}
	return fault.Fields(f...)
}

// fill puts the defaults where a caller left zero values.
func (m *Mailbox) fill() {
	if m.ReplyDays == 0 {
		m.ReplyDays = DefaultReplyDays
	}
	if len(m.FileKinds) == 0 {
		m.FileKinds = DefaultFileKinds()
	}
	if m.MaxFile == 0 {
		m.MaxFile = DefaultMaxFile
	}
	if m.MaxMessage == 0 {
		m.MaxMessage = DefaultMaxMessage
	}
	if m.MaxFiles == 0 {
		m.MaxFiles = DefaultMaxFiles
	}
}

func (m *Mailbox) validate() error {
	var f []fault.Field
	if !slugForm.MatchString(string(m.ID)) {
		f = append(f, fault.Field{Name: "id", Key: "tenant.error.id"})
	}
	if strings.TrimSpace(m.Name) == "" || len(m.Name) > 200 {
		f = append(f, fault.Field{Name: "name", Key: "tenant.error.name"})
	}
	if m.ReplyDays < 1 || m.ReplyDays > 60 {
		f = append(f, fault.Field{Name: "reply-days", Key: "tenant.error.reply_days"})
	}
	if m.MaxFile < 1 || m.MaxMessage < m.MaxFile || m.MaxMessage > 1<<30 || m.MaxFiles < 1 || m.MaxFiles > 50 {
		f = append(f, fault.Field{Name: "max-file", Key: "tenant.error.limits"})
	}
	if m.Retention < 0 || m.Retention > MaxRetention {
		f = append(f, fault.Field{Name: "delete-after-days", Key: "tenant.error.retention", Args: []any{"n", MaxRetention}})
	}
	if m.MembersOnly && m.Fallback {
		f = append(f, fault.Field{Name: "fallback", Key: "tenant.error.members_fallback"})
	}
	for _, k := range m.FileKinds {
		if !slices.Contains(KnownFileKinds(), k) {
			f = append(f, fault.Field{Name: "file-kinds", Key: "tenant.error.file_kind", Args: []any{"kind", k}})
		}
	}
	for _, t := range m.Topics {
		if !slugForm.MatchString(t.ID) || strings.TrimSpace(t.Name) == "" {
			f = append(f, fault.Field{Name: "topic", Key: "tenant.error.topic"})
		}
	}
	return fault.Fields(f...)
}
