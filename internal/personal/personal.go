// Package personal is the vocabulary in which a package declares the personal
// data it keeps.
//
// Every package that stores anything has a function
//
//	func Personal() personal.Declaration
//
// and from the sum of these values the product derives the privacy notice, the
// record of processing activities (Art. 30 GDPR), export, erasure, retention,
// the matrix of rights and the table of cookies. The declaration is therefore
// not a description beside the code; it is what the code is driven by.
//
// The rule is default-deny: every column of every table is either Personal,
// with its category, or Neutral. A column that is neither fails the census
// test, and so does a declared column that does not exist. When in doubt a
// column is personal: an id of a person, a time at which a person acted, and a
// text that a person typed all are.
//
// The package holds types and their validation only. It reads nothing, stores
// nothing and imports nothing of this module, so that the floor (jobs, mail,
// blob, journal) can declare its own data without a cycle.
//
// Two profiles are served by one declaration. Vorlage keeps what the model
// notices say, word for word in meaning; Streng is what a careful data
// protection officer would choose today. What differs between them (the legal
// basis, a period) is given per profile, see [Basis].
package personal

import "time"

// Key is an i18n key such as "mailbox.privacy.purpose". Sentences are never
// written into a declaration.
type Key = string

// Profile selects between the two readings of the duties.
type Profile string

// The profiles.
const (
	// Vorlage follows the model notices sentence by sentence.
	Vorlage Profile = "vorlage"
	// Streng is the stricter, recommended reading.
	Streng Profile = "streng"
)

// Profiles lists all profiles; a basis must be complete for each.
func Profiles() []Profile { return []Profile{Vorlage, Streng} }

// Declaration is what one package says about the personal data it handles.
type Declaration struct {
	// Domain is the name of the package, in lower case.
	Domain string
	// Module is the module that a tenant must have switched on for the
	// declaration to be part of its notice; "" is every tenant.
	Module string
	// Stores are the places where the package keeps data, the neutral ones
	// included: a table without a single personal column is declared too.
	Stores []Store
	// Cookies are all cookies the package sets. Package web refuses others.
	Cookies []Cookie
	// Sends are the recipients outside the controller to whom data goes.
	Sends []Recipient
}

// StoreKind says what kind of place a store is.
type StoreKind uint8

// The kinds of store. The zero value is none, so that a forgotten kind is
// found by Validate.
const (
	_ StoreKind = iota
	// Table is a table of the main database.
	Table
	// Blob is a class of objects in the blob store.
	Blob
	// LogStream is a sequence of records in files.
	LogStream
	// Queue is a queue of work; at rest it is a table.
	Queue
	// VaultTable is a table of the vault's own database.
	VaultTable
	// Memory is the memory of the process: lost at restart, never swapped
	// into a backup.
	Memory
)

var storeKinds = [...]string{"", "table", "blob", "log", "queue", "vault table", "memory"}

// String returns the English name of the kind.
func (k StoreKind) String() string {
	if int(k) >= len(storeKinds) {
		return ""
	}
	return storeKinds[k]
}

// Columnar reports whether stores of this kind are tables of a database, whose
// columns the census compares with the live schema.
func (k StoreKind) Columnar() bool { return k == Table || k == Queue || k == VaultTable }

// Store is one place where data is kept: one table, one class of blobs, one
// log stream.
type Store struct {
	Kind StoreKind
	// Name is the table name, or the name of the class; unique per kind in
	// the whole product.
	Name string
	// Activity is the i18n key of the processing activity to which the store
	// belongs (one line of the record of Art. 30).
	Activity Key
	// Purpose is the i18n key of the sentence that says what for.
	Purpose Key
	// Basis is the legal ground per profile. Required when the store holds
	// personal data.
	Basis Basis
	// Subjects are the groups of persons whose data is here, and how the rows
	// of one person are found.
	Subjects []Subject
	// Personal are the columns (fields, in a store that is no table) with
	// personal data.
	Personal []Column
	// Neutral names the columns without personal data. Together with Personal
	// it must be exactly the columns of the table.
	Neutral []string
	// Sealed are the parts whose content only the vault can open. They stand
	// in a column or an object as ciphertext.
	Sealed []Part
	// Locator says how one person's rows are found when names are sealed.
	Locator Locator
	// Retention says when data goes away without anybody asking.
	Retention Retention
	// Erase says what happens to the data of a person who asks for erasure.
	// At most one entry per role; the order of work is always ledger, vault,
	// rows, blobs, index.
	Erase []Erasure
	// Export are the columns and parts that a person receives under
	// Arts. 15 and 20.
	Export []Column
}

// HasPersonal reports whether the store holds personal data in any form.
func (s Store) HasPersonal() bool { return len(s.Personal) > 0 || len(s.Sealed) > 0 }

// Columns returns the declared columns, the personal ones first.
func (s Store) Columns() []string {
	names := make([]string, 0, len(s.Personal)+len(s.Neutral))
	for _, c := range s.Personal {
		names = append(names, c.Name)
	}
	return append(names, s.Neutral...)
}

// Category sorts personal data for the notice and for the rights matrix.
type Category string

// The categories.
const (
	// Identifier is an id that stands for a person.
	Identifier Category = "identifier"
	// Identity is a name, a date of birth, an address of a person.
	Identity Category = "identity"
	// Contact is an e-mail address or a telephone number.
	Contact Category = "contact"
	// Content is what a person wrote or attached.
	Content Category = "content"
	// Behaviour is what a person did and when.
	Behaviour Category = "behaviour"
	// Technical is what a device sends: IP address, user agent, provider.
	Technical Category = "technical"
	// Credential is what proves that somebody is who they say: verifiers,
	// keys, tokens.
	Credential Category = "credential"
	// Evidence is what proves a decision: a consent, a receipt, an audit row.
	Evidence Category = "evidence"
	// Employment is data about staff in their office.
	Employment Category = "employment"
)

// Special says whether data of Art. 9 or 10 may be among the content.
type Special uint8

// The answers. The zero value is SpecialNone.
const (
	// SpecialNone: such data does not occur.
	SpecialNone Special = iota
	// SpecialPossible: nobody asks for it, but free text may hold it.
	SpecialPossible
	// SpecialExpected: the activity is about such data.
	SpecialExpected
)

// Column is one column of a table, or one field of a log line, of a queue
// entry, of an object.
type Column struct {
	Name     string
	Category Category
	Special  Special
	// Third says that the data may speak of persons other than the subject,
	// so that an export is prepared by the machine and released by a human.
	Third bool
}

// Part is one sealed part of a message or of an object, readable only with a
// key of the vault.
type Part struct {
	// Name is the name of the part: "text", "contact", "file".
	Name     string
	Category Category
	Special  Special
	Third    bool
}

// Role is a group of persons.
type Role string

// The groups of data subjects.
const (
	// Citizen is a person who turns to an authority.
	Citizen Role = "citizen"
	// Staff is a person who works for the authority.
	Staff Role = "staff"
	// Visitor is anybody who opens a page.
	Visitor Role = "visitor"
	// Subscriber is a person who receives a newsletter.
	Subscriber Role = "subscriber"
	// Depicted is a person in a picture or a film.
	Depicted Role = "depicted"
	// ThirdPerson is somebody others write about.
	ThirdPerson Role = "third"
)

// Subject says whose data a store holds and which rows are those of one
// person.
type Subject struct {
	Role Role
	// Where is an SQL condition with $1 = tenant and $2 = what the Locator
	// yields; it is valid in both dialects. Empty in a store that is no
	// table, and where no row can be attributed to a person (Locator None).
	Where string
}

// Locator says how the data of one person is found.
type Locator uint8

// The locators. The zero value is none of them.
const (
	_ Locator = iota
	// ByID: the person has an id of ours which stands in the rows.
	ByID
	// ByAddress: a keyed hash of an address, computed in the vault.
	ByAddress
	// ByCode: the person presents a collection code; nobody else can find
	// the rows.
	ByCode
	// ByHuman: free text names the person; only a human can search.
	ByHuman
	// None: rows cannot be attributed to a person (Art. 11 GDPR).
	None
)

var locators = [...]string{"", "id", "address", "code", "human", "none"}

// String returns the name of the locator as it stands in the register.
func (l Locator) String() string {
	if int(l) >= len(locators) {
		return ""
	}
	return locators[l]
}

// Retention says when data is removed without anybody asking. Exactly one of
// Period, Criterion, HumanDecides and Session is set. "We keep it as long as
// needed" is not sayable.
type Retention struct {
	// Start is the column (field) with the UTC milliseconds from which the
	// period runs. Required with Period in a table.
	Start string
	// Period is how long the data stays after Start. It is the default; a
	// controller may shorten it in the register.
	Period time.Duration
	// Criterion is the i18n key of a rule that is no plain period, with
	// ReviewEvery saying how often the rule is looked at (Art. 13(2)(a)).
	Criterion   Key
	ReviewEvery time.Duration
	// HumanDecides is the i18n key of the sentence that says who decides. A
	// class that is never swept must be sayable, and visible as such.
	HumanDecides Key
	// Session says that the data ends with the session or with the process.
	// Only in a store of kind Memory.
	Session bool
	// With names another store: rows go when their parent there goes. May
	// stand with none of the others.
	With string
}

// Act is what erasure does to data.
type Act uint8

// The acts. The zero value is none of them.
const (
	_ Act = iota
	// Shred destroys the key in the vault, so that every copy, in backups
	// too, is unreadable; the ciphertext is swept afterwards.
	Shred
	// Delete removes the rows or objects.
	Delete
	// Blank empties the named columns and keeps the row.
	Blank
	// Keep leaves the data and says why (Art. 17(3) GDPR).
	Keep
)

var acts = [...]string{"", "shred", "delete", "blank", "keep"}

// String returns the name of the act as it stands in the register.
func (a Act) String() string {
	if int(a) >= len(acts) {
		return ""
	}
	return acts[a]
}

// Erasure is what happens to the data of persons of one role when one of them
// asks for erasure.
type Erasure struct {
	Role Role
	Act  Act
	// Columns are what Blank empties.
	Columns []string
	// Reason is the i18n key of the sentence a person reads when data is
	// kept. Required with Keep.
	Reason Key
}

// Cookie is one cookie, as the cookie table of the notice shows it.
type Cookie struct {
	Name string
	// Class is "necessary" or "consent".
	Class   CookieClass
	Purpose Key
	// Lifetime is zero for a session cookie.
	Lifetime time.Duration
	// Values is the i18n key of the sentence that says what stands in it.
	Values Key
}

// CookieClass says under which rule of section 25 TDDDG a cookie may be set.
type CookieClass string

// The classes of cookies.
const (
	// Necessary: strictly needed for what the person asked for (§ 25(2)).
	Necessary CookieClass = "necessary"
	// Consent: only after the person agreed (§ 25(1)).
	Consent CookieClass = "consent"
)

// Recipient is somebody outside the controller who receives data.
type Recipient struct {
	// Name is the i18n key of the recipient or of the category of recipients.
	Name Key
	// Purpose is the i18n key of the sentence that says what for.
	Purpose Key
	// What are the categories sent.
	What []Category
	// Processor says that the recipient acts on instructions (Art. 28);
	// otherwise it decides for itself.
	Processor bool
	// ThirdCountry is the i18n key of the sentence about a transfer outside
	// the Union and its safeguard; empty when there is none.
	ThirdCountry Key
}
