package personal_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/personal"
)

// messages is a declaration as a domain would write it.
func messages() personal.Declaration {
	return personal.Declaration{
		Domain: "mailbox",
		Stores: []personal.Store{
			{
				Kind:     personal.Table,
				Name:     "mailbox_messages",
				Activity: "mailbox.privacy.activity",
				Purpose:  "mailbox.privacy.purpose",
				Basis: personal.Basis{
					personal.Vorlage: {personal.Art6e, personal.LDSG4},
					personal.Streng:  {personal.Art6e, personal.LDSG4},
				},
				Subjects: []personal.Subject{
					{Role: personal.Citizen, Where: "tenant = $1 and lookup = $2"},
					{Role: personal.Staff, Where: "tenant = $1 and author_id = $2"},
				},
				Personal: []personal.Column{
					{Name: "lookup", Category: personal.Identifier},
					{Name: "author_id", Category: personal.Employment},
					{Name: "sent_at", Category: personal.Behaviour},
				},
				Neutral: []string{"id", "tenant", "version", "body"},
				Sealed:  []personal.Part{{Name: "text", Category: personal.Content, Special: personal.SpecialPossible, Third: true}},
				Locator: personal.ByCode,
				Retention: personal.Retention{
					Start:  "sent_at",
					Period: 365 * 24 * time.Hour,
				},
				Erase: []personal.Erasure{
					{Role: personal.Citizen, Act: personal.Shred},
					{Role: personal.Staff, Act: personal.Keep, Reason: "mailbox.privacy.keep_author"},
				},
				Export: []personal.Column{{Name: "sent_at", Category: personal.Behaviour}, {Name: "text", Category: personal.Content, Third: true}},
			},
			{
				Kind:     personal.Queue,
				Name:     "mailbox_slots",
				Activity: "mailbox.privacy.activity",
				Purpose:  "mailbox.privacy.slots",
				Neutral:  []string{"id", "slot"},
			},
			{
				Kind:      personal.Memory,
				Name:      "drafts",
				Activity:  "mailbox.privacy.activity",
				Purpose:   "mailbox.privacy.drafts",
				Basis:     personal.Same(personal.Art6b, personal.TDDDG25b),
				Subjects:  []personal.Subject{{Role: personal.Visitor}},
				Personal:  []personal.Column{{Name: "text", Category: personal.Content}},
				Locator:   personal.None,
				Retention: personal.Retention{Session: true},
				Erase:     []personal.Erasure{{Role: personal.Visitor, Act: personal.Delete}},
			},
		},
		Cookies: []personal.Cookie{{
			Name: "__Host-ps_sitzung", Class: personal.Necessary,
			Purpose: "web.cookie.session", Values: "web.cookie.session_values",
		}},
		Sends: []personal.Recipient{{
			Name: "mail.privacy.provider", Purpose: "mail.privacy.delivery",
			What: []personal.Category{personal.Contact}, Processor: true,
		}},
	}
}

func TestValidate_Accepts(t *testing.T) {
	if err := messages().Validate(); err != nil {
		t.Errorf("Validate() = %v", err)
	}
	if err := (personal.Declaration{Domain: "fault"}).Validate(); err != nil {
		t.Errorf("Validate() of a package that keeps nothing = %v", err)
	}
}

// TestValidate_Refuses breaks the declaration in one place at a time.
func TestValidate_Refuses(t *testing.T) {
	for want, spoil := range map[string]func(d *personal.Declaration){
		"is not a package name":          func(d *personal.Declaration) { d.Domain = "Mailbox" },
		"declared twice":                 func(d *personal.Declaration) { d.Stores = append(d.Stores, d.Stores[1]) },
		"has no kind":                    func(d *personal.Declaration) { d.Stores[0].Kind = 0 },
		"has no name":                    func(d *personal.Declaration) { d.Stores[2].Name = "" },
		"is not a table name":            func(d *personal.Declaration) { d.Stores[0].Name = "x; drop" },
		"activity \"Nachrichten\"":       func(d *personal.Declaration) { d.Stores[0].Activity = "Nachrichten" },
		"purpose \"\" is not":            func(d *personal.Declaration) { d.Stores[0].Purpose = "" },
		"column id stands twice":         func(d *personal.Declaration) { d.Stores[0].Personal[0].Name = "id" },
		"column version stands twice":    func(d *personal.Declaration) { d.Stores[0].Neutral[0] = "version" },
		"\"Körper\" is not a column":     func(d *personal.Declaration) { d.Stores[0].Neutral[0] = "Körper" },
		"has unknown category":           func(d *personal.Declaration) { d.Stores[0].Personal[0].Category = "stuff" },
		"sealed part text stands twice":  func(d *personal.Declaration) { d.Stores[0].Sealed = append(d.Stores[0].Sealed, d.Stores[0].Sealed[0]) },
		"names no column":                func(d *personal.Declaration) { d.Stores[1].Neutral = nil },
		"no basis in profile streng":     func(d *personal.Declaration) { delete(d.Stores[0].Basis, personal.Streng) },
		"no basis in profile vorlage":    func(d *personal.Declaration) { d.Stores[0].Basis[personal.Vorlage] = nil },
		"basis for unknown profile":      func(d *personal.Declaration) { d.Stores[0].Basis["mild"] = []personal.Norm{personal.Art6a} },
		"not with a letter of Art. 6(1)": func(d *personal.Declaration) { d.Stores[0].Basis = personal.Same(personal.LDSG4) },
		"cannot stand beside":            func(d *personal.Declaration) { d.Stores[0].Basis = personal.Same(personal.Art6e, personal.Art6a) },
		"personal data of nobody":        func(d *personal.Declaration) { d.Stores[0].Subjects = nil; d.Stores[0].Erase = nil },
		"has no locator":                 func(d *personal.Declaration) { d.Stores[0].Locator = 0 },
		"unknown role":                   func(d *personal.Declaration) { d.Stores[0].Subjects[0].Role = "king" },
		"role staff stands twice":        func(d *personal.Declaration) { d.Stores[0].Subjects[0].Role = personal.Staff },
		"holds a semicolon":              func(d *personal.Declaration) { d.Stores[0].Subjects[0].Where = "1 = 1; drop table x" },
		"a store that is no table":       func(d *personal.Declaration) { d.Stores[2].Subjects[0].Where = "id = $1" },
		"no condition finds the rows": func(d *personal.Declaration) {
			d.Stores[0].Locator = personal.ByID
			d.Stores[0].Subjects[0].Where = ""
		},
		"retention names 0 rules":       func(d *personal.Declaration) { d.Stores[0].Retention = personal.Retention{} },
		"retention names 2 rules":       func(d *personal.Declaration) { d.Stores[0].Retention.HumanDecides = "mailbox.privacy.human" },
		"which is no column":            func(d *personal.Declaration) { d.Stores[0].Retention.Start = "closed_at" },
		"period is negative":            func(d *personal.Declaration) { d.Stores[0].Retention.Period = -1 },
		"a criterion needs a review":    func(d *personal.Declaration) { d.Stores[0].Retention = personal.Retention{Criterion: "a.b.c"} },
		"human decides \"never\"":       func(d *personal.Declaration) { d.Stores[0].Retention = personal.Retention{HumanDecides: "never"} },
		"only data in memory":           func(d *personal.Declaration) { d.Stores[0].Retention = personal.Retention{Session: true} },
		"retention goes with itself":    func(d *personal.Declaration) { d.Stores[0].Retention = personal.Retention{With: "mailbox_messages"} },
		"nothing is sealed":             func(d *personal.Declaration) { d.Stores[0].Sealed = nil },
		"no erasure for role staff":     func(d *personal.Declaration) { d.Stores[0].Erase = d.Stores[0].Erase[:1] },
		"two erasures for role citizen": func(d *personal.Declaration) { d.Stores[0].Erase = append(d.Stores[0].Erase, d.Stores[0].Erase[0]) },
		"role visitor, which is no":     func(d *personal.Declaration) { d.Stores[0].Erase[0].Role = personal.Visitor },
		"reason to keep \"\"":           func(d *personal.Declaration) { d.Stores[0].Erase[1].Reason = "" },
		"blank names no column":         func(d *personal.Declaration) { d.Stores[0].Erase[0].Act = personal.Blank },
		"blanks version": func(d *personal.Declaration) {
			d.Stores[0].Erase[0] = personal.Erasure{Role: personal.Citizen, Act: personal.Blank, Columns: []string{"version"}}
		},
		"only blank takes columns":         func(d *personal.Declaration) { d.Stores[0].Erase[0].Columns = []string{"lookup"} },
		"erasure without an act":           func(d *personal.Declaration) { d.Stores[0].Erase[0].Act = 0 },
		"export names sent_at twice":       func(d *personal.Declaration) { d.Stores[0].Export[1].Name = "sent_at" },
		"which is neither column nor":      func(d *personal.Declaration) { d.Stores[0].Export[1].Name = "face" },
		"has an export but no personal":    func(d *personal.Declaration) { d.Stores[1].Export = d.Stores[0].Export },
		"has subjects but no personal":     func(d *personal.Declaration) { d.Stores[1].Subjects = d.Stores[0].Subjects },
		"unknown class":                    func(d *personal.Declaration) { d.Cookies[0].Class = "useful" },
		"negative lifetime":                func(d *personal.Declaration) { d.Cookies[0].Lifetime = -1 },
		"values \"web.a-b\" is not an i18": func(d *personal.Declaration) { d.Cookies[0].Values = "web.a-b" },
		"values \"\" is not an i18n key":   func(d *personal.Declaration) { d.Cookies[0].Values = "" },
		"names no category of data":        func(d *personal.Declaration) { d.Sends[0].What = nil },
		"third country \"USA\" is not an":  func(d *personal.Declaration) { d.Sends[0].ThirdCountry = "USA" },
	} {
		d := messages()
		spoil(&d)
		err := d.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v\nwant an error with %q", err, want)
			continue
		}
		if !strings.Contains(err.Error(), "personal: ") {
			t.Errorf("the error does not say where it comes from: %v", err)
		}
	}
}

func TestValidate_ReportsEverything(t *testing.T) {
	d := messages()
	d.Stores[0].Purpose = ""
	d.Cookies[0].Class = ""
	err := d.Validate()
	if err == nil || !strings.Contains(err.Error(), "purpose") || !strings.Contains(err.Error(), "unknown class") {
		t.Errorf("Validate() = %v, want both mistakes", err)
	}
}

func TestRetention_EveryRuleIsSayable(t *testing.T) {
	for name, r := range map[string]personal.Retention{
		"period":    {Start: "sent_at", Period: time.Hour},
		"criterion": {Criterion: "mailbox.privacy.criterion", ReviewEvery: time.Hour},
		"human":     {HumanDecides: "mailbox.privacy.human"},
		"parent":    {With: "mailbox_threads"},
	} {
		d := messages()
		d.Stores[0].Retention = r
		if err := d.Validate(); err != nil {
			t.Errorf("%s: Validate() = %v", name, err)
		}
	}
}

func TestRights(t *testing.T) {
	base := []personal.Right{personal.Access, personal.Rectification, personal.ErasureRight, personal.Restriction}
	for norm, more := range map[personal.Norm][]personal.Right{
		personal.Art6a: {personal.Portability, personal.WithdrawConsent},
		personal.Art6b: {personal.Portability},
		personal.Art6c: nil,
		personal.Art6e: {personal.Objection},
		personal.Art6f: {personal.Objection},
	} {
		want := append(slices.Clone(base), more...)
		if got := personal.Same(norm).Rights(personal.Streng); !slices.Equal(got, want) {
			t.Errorf("Rights of %s = %v, want %v", norm, got, want)
		}
	}
	if got := (personal.Basis{}).Rights(personal.Vorlage); !slices.Equal(got, base) {
		t.Errorf("Rights without a basis = %v, want %v", got, base)
	}
}

func TestStore_Columns(t *testing.T) {
	got := messages().Stores[0].Columns()
	want := []string{"lookup", "author_id", "sent_at", "id", "tenant", "version", "body"}
	if !slices.Equal(got, want) {
		t.Errorf("Columns() = %v, want %v", got, want)
	}
}
