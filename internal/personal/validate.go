package personal

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// keyForm is the form of keys that the catalogues of package i18n have.
	keyForm    = regexp.MustCompile(`^[a-z][a-z0-9]*(\.[a-z0-9_]+)+$`)
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	domainForm = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
)

// Validate reports everything that is wrong with the declaration, joined into
// one error; nil when it can be relied upon. Whether the columns exist and the
// keys have sentences is checked elsewhere, against the live schema and the
// catalogues.
func (d Declaration) Validate() error {
	c := &checker{where: d.Domain}
	c.check(domainForm.MatchString(d.Domain), "domain %q is not a package name", d.Domain)
	seen := map[string]bool{}
	for _, s := range d.Stores {
		id := s.Kind.String() + " " + s.Name
		c.where = d.Domain + ": " + id
		c.check(!seen[id], "declared twice")
		seen[id] = true
		c.store(s)
	}
	for _, s := range d.Stores {
		if s.Retention.With == "" {
			continue
		}
		c.where = d.Domain + ": " + s.Kind.String() + " " + s.Name
		c.check(s.Retention.With != s.Name, "retention goes with itself")
	}
	seen = map[string]bool{}
	for _, k := range d.Cookies {
		c.where = d.Domain + ": cookie " + k.Name
		c.check(!seen[k.Name], "declared twice")
		seen[k.Name] = true
		c.cookie(k)
	}
	for _, r := range d.Sends {
		c.where = d.Domain + ": recipient " + r.Name
		c.key("name", r.Name)
		c.key("purpose", r.Purpose)
		c.check(len(r.What) > 0, "names no category of data")
		for _, cat := range r.What {
			c.check(cat.known(), "unknown category %q", cat)
		}
		if r.ThirdCountry != "" {
			c.key("third country", r.ThirdCountry)
		}
	}
	return errors.Join(c.errs...)
}

// checker collects what is wrong, each with the place.
type checker struct {
	where string
	errs  []error
}

func (c *checker) check(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf("personal: %s: "+format, append([]any{c.where}, args...)...))
	}
}

func (c *checker) key(what string, k Key) {
	c.check(keyForm.MatchString(k), "%s %q is not an i18n key", what, k)
}

func (c *checker) store(s Store) {
	c.check(s.Kind.String() != "", "has no kind")
	c.check(s.Name != "", "has no name")
	if s.Kind.Columnar() {
		c.check(nameForm.MatchString(s.Name), "name is not a table name")
	}
	c.key("activity", s.Activity)
	c.key("purpose", s.Purpose)
	c.columns(s)
	c.retention(s)
	if !s.HasPersonal() {
		c.check(len(s.Subjects) == 0, "has subjects but no personal data")
		c.check(len(s.Erase) == 0, "has erasures but no personal data")
		c.check(len(s.Export) == 0, "has an export but no personal data")
		return
	}
	c.basis(s.Basis)
	c.subjects(s)
	c.erasures(s)
	c.export(s)
}

// columns checks that each column stands exactly once.
func (c *checker) columns(s Store) {
	c.check(len(s.Personal)+len(s.Neutral)+len(s.Sealed) > 0, "names no column")
	seen := map[string]bool{}
	for _, name := range s.Columns() {
		c.check(!seen[name], "column %s stands twice", name)
		seen[name] = true
		if s.Kind.Columnar() {
			c.check(nameForm.MatchString(name), "%q is not a column name", name)
		}
	}
	for _, col := range s.Personal {
		c.check(col.Category.known(), "column %s has unknown category %q", col.Name, col.Category)
	}
	parts := map[string]bool{}
	for _, p := range s.Sealed {
		c.check(p.Name != "", "sealed part without a name")
		c.check(!parts[p.Name], "sealed part %s stands twice", p.Name)
		parts[p.Name] = true
		c.check(p.Category.known(), "sealed part %s has unknown category %q", p.Name, p.Category)
	}
}

func (c *checker) basis(b Basis) {
	for p := range b {
		c.check(slices.Contains(Profiles(), p), "basis for unknown profile %q", p)
	}
	for _, p := range Profiles() {
		norms := b[p]
		if len(norms) == 0 {
			c.check(false, "no basis in profile %s", p)
			continue
		}
		c.check(norms[0].ground(), "basis in profile %s starts with %q, not with a letter of Art. 6(1)", p, norms[0])
		for _, n := range norms[1:] {
			c.check(n.known() && !n.ground(), "basis in profile %s: %q cannot stand beside %s", p, n, norms[0])
		}
	}
}

func (c *checker) subjects(s Store) {
	c.check(len(s.Subjects) > 0, "personal data of nobody: name the subjects")
	c.check(s.Locator.String() != "", "has no locator")
	seen := map[Role]bool{}
	for _, sub := range s.Subjects {
		c.check(sub.Role.known(), "unknown role %q", sub.Role)
		c.check(!seen[sub.Role], "role %s stands twice", sub.Role)
		seen[sub.Role] = true
		if sub.Where != "" {
			c.check(s.Kind.Columnar(), "role %s: a condition in a store that is no table", sub.Role)
			c.check(!strings.Contains(sub.Where, ";"), "role %s: the condition holds a semicolon", sub.Role)
		}
		if s.Kind.Columnar() && (s.Locator == ByID || s.Locator == ByAddress) {
			c.check(sub.Where != "" || c.kept(s, sub.Role), "role %s: no condition finds the rows of a person", sub.Role)
		}
	}
}

// kept reports whether the data of a role is exempt from erasure.
func (c *checker) kept(s Store, r Role) bool {
	return slices.ContainsFunc(s.Erase, func(e Erasure) bool { return e.Role == r && e.Act == Keep })
}

func (c *checker) retention(s Store) {
	r := s.Retention
	n := 0
	for _, set := range []bool{r.Period != 0, r.Criterion != "", r.HumanDecides != "", r.Session, r.With != ""} {
		if set {
			n++
		}
	}
	if n == 0 && !s.HasPersonal() {
		return // neutral data may stay
	}
	c.check(n == 1, "retention names %d rules, want exactly one of period, criterion, human, session, with", n)
	c.check(r.Period >= 0, "retention period is negative")
	if r.Period != 0 && s.Kind.Columnar() {
		c.check(slices.Contains(s.Columns(), r.Start), "retention starts at %q, which is no column", r.Start)
	}
	if r.Criterion != "" {
		c.key("criterion", r.Criterion)
		c.check(r.ReviewEvery > 0, "a criterion needs a review interval")
	}
	if r.HumanDecides != "" {
		c.key("human decides", r.HumanDecides)
	}
	if r.Session {
		c.check(s.Kind == Memory, "only data in memory ends with the session")
	}
}

func (c *checker) erasures(s Store) {
	seen := map[Role]bool{}
	for _, e := range s.Erase {
		c.check(!seen[e.Role], "two erasures for role %s", e.Role)
		seen[e.Role] = true
		c.check(slices.ContainsFunc(s.Subjects, func(sub Subject) bool { return sub.Role == e.Role }),
			"erasure for role %s, which is no subject", e.Role)
		switch e.Act {
		case Shred:
			c.check(len(s.Sealed) > 0, "role %s: nothing is sealed, so nothing can be shredded", e.Role)
		case Delete:
		case Blank:
			c.check(len(e.Columns) > 0, "role %s: blank names no column", e.Role)
			for _, name := range e.Columns {
				c.check(slices.ContainsFunc(s.Personal, func(col Column) bool { return col.Name == name }),
					"role %s: blanks %s, which is no personal column", e.Role, name)
			}
		case Keep:
			c.key("reason to keep", e.Reason)
		default:
			c.check(false, "role %s: erasure without an act", e.Role)
		}
		c.check(e.Act == Blank || len(e.Columns) == 0, "role %s: only blank takes columns", e.Role)
	}
	for _, sub := range s.Subjects {
		c.check(seen[sub.Role], "no erasure for role %s", sub.Role)
	}
}

func (c *checker) export(s Store) {
	seen := map[string]bool{}
	for _, e := range s.Export {
		c.check(!seen[e.Name], "export names %s twice", e.Name)
		seen[e.Name] = true
		ok := slices.Contains(s.Columns(), e.Name) ||
			slices.ContainsFunc(s.Sealed, func(p Part) bool { return p.Name == e.Name })
		c.check(ok, "export names %s, which is neither column nor part", e.Name)
	}
}

func (c *checker) cookie(k Cookie) {
	c.check(k.Name != "", "has no name")
	c.check(k.Class == Necessary || k.Class == Consent, "unknown class %q", k.Class)
	c.key("purpose", k.Purpose)
	c.key("values", k.Values)
	c.check(k.Lifetime >= 0, "negative lifetime")
}

func (c Category) known() bool {
	switch c {
	case Identifier, Identity, Contact, Content, Behaviour, Technical, Credential, Evidence, Employment:
		return true
	}
	return false
}

func (r Role) known() bool {
	switch r {
	case Citizen, Staff, Visitor, Subscriber, Depicted, ThirdPerson:
		return true
	}
	return false
}
