package arch_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/accesslog"
	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/inbound"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/mailbox"
	"poststelle/internal/newsletter"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// holder is a package that stores something: its schema and what it declares of it.
type holder struct {
	pkg        string // "internal/jobs"
	migrations func() db.Migrations
	personal   func() personal.Declaration
	vault      bool // its tables stand in the vault's own database
}

// holders are all packages that store something. checkHolders finds one that is forgotten here.
var holders = []holder{
	{pkg: "internal/jobs", migrations: jobs.Migrations, personal: jobs.Personal},
	{pkg: "internal/journal", migrations: journal.Migrations, personal: journal.Personal},
	{pkg: "internal/blob", migrations: blob.Migrations, personal: blob.Personal},
	{pkg: "internal/mail", migrations: mail.Migrations, personal: mail.Personal},
	{pkg: "internal/web", personal: func() personal.Declaration { return web.Personal(new(web.Registry)) }},
	{pkg: "internal/tenant", migrations: tenant.Migrations, personal: tenant.Personal},
	{pkg: "internal/account", migrations: account.Migrations, personal: account.Personal},
	{pkg: "internal/blog", migrations: blog.Migrations, personal: blog.Personal},
	{pkg: "internal/mailbox", migrations: mailbox.Migrations, personal: mailbox.Personal},
	{pkg: "internal/accesslog", personal: accesslog.Personal},
	{pkg: "internal/newsletter", migrations: newsletter.Migrations, personal: newsletter.Personal},
	{pkg: "internal/inbound", personal: inbound.Personal},
	{pkg: "internal/vault", migrations: vault.Migrations, personal: vault.Personal, vault: true},
}

// checkHolders: whoever has migrations declares, and whoever declares is looked at by the census.
func checkHolders(all []*source, list []holder) []string {
	has := map[string]map[string]bool{}
	for _, s := range all {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Name.Name != "Migrations" && f.Name.Name != "Personal" {
				continue
			}
			if has[s.pkg] == nil {
				has[s.pkg] = map[string]bool{}
			}
			has[s.pkg][f.Name.Name] = true
		}
	}
	delete(has, "internal/app") // the list of all, not a holder
	var out []string
	for pkg, got := range has {
		if got["Migrations"] && !got["Personal"] {
			out = append(out, pkg+": has migrations and no Personal(); a table and its declaration are one commit")
		} else if !slices.ContainsFunc(list, func(h holder) bool { return h.pkg == pkg }) {
			out = append(out, pkg+": declares personal data and is not in the census (holders in internal/arch)")
		}
	}
	slices.Sort(out)
	return out
}

// checkCensus compares the live schema with the declarations in both directions. Only stores of the given kinds are
// tables of this database.
func checkCensus(live []db.Column, all []personal.Declaration, kinds ...personal.StoreKind) []string {
	var out []string
	tables := map[string]map[string]bool{}
	for _, c := range live {
		if tables[c.Table] == nil {
			tables[c.Table] = map[string]bool{}
		}
		tables[c.Table][c.Name] = true
	}
	declared := map[string]map[string]bool{}
	for _, d := range all {
		for _, s := range d.Stores {
			if !slices.Contains(kinds, s.Kind) {
				continue
			}
			if declared[s.Name] != nil {
				out = append(out, s.Name+": is declared twice, now by "+d.Domain)
			}
			declared[s.Name] = map[string]bool{}
			for _, name := range s.Columns() {
				declared[s.Name][name] = true
				if !tables[s.Name][name] {
					out = append(out, s.Name+"."+name+": is declared by "+d.Domain+" and does not exist")
				}
			}
		}
	}
	for _, c := range live {
		if !declared[c.Table][c.Name] {
			out = append(out, c.Table+"."+c.Name+": exists and is declared neither personal nor neutral")
		}
	}
	slices.Sort(out)
	return out
}

// checkDeclarations validates each declaration and what joins them.
func checkDeclarations(all []personal.Declaration) []string {
	var out []string
	stores := map[string]bool{}
	for _, d := range all {
		for _, s := range d.Stores {
			stores[s.Name] = true
		}
	}
	for _, d := range all {
		if err := d.Validate(); err != nil {
			out = append(out, strings.Split(err.Error(), "\n")...)
		}
		for _, s := range d.Stores {
			if s.Retention.With != "" && !stores[s.Retention.With] {
				out = append(out, fmt.Sprintf("%s: %s goes with %s, which is no store", d.Domain, s.Name, s.Retention.With))
			}
		}
	}
	return out
}

// keys are all i18n keys that a declaration names.
func keys(d personal.Declaration) []string {
	var out []string
	for _, s := range d.Stores {
		out = append(out, s.Activity, s.Purpose, s.Retention.Criterion, s.Retention.HumanDecides)
		for _, e := range s.Erase {
			out = append(out, e.Reason)
		}
	}
	for _, c := range d.Cookies {
		out = append(out, c.Purpose, c.Values)
	}
	for _, r := range d.Sends {
		out = append(out, r.Name, r.Purpose, r.ThirdCountry)
	}
	return slices.DeleteFunc(unique(out), func(k string) bool { return k == "" })
}

// checkKeys: every key that a declaration names has a sentence in every language.
func checkKeys(all []personal.Declaration, catalogues map[string]map[string]bool) []string {
	var out []string
	for _, d := range all {
		for _, k := range keys(d) {
			for lang, have := range catalogues {
				if !have[k] {
					out = append(out, fmt.Sprintf("%s: declares the key %s, which has no sentence in %s", d.Domain, k, lang))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// catalogues reads the keys of the complete languages.
func catalogues(t *testing.T) map[string]map[string]bool {
	t.Helper()
	out := map[string]map[string]bool{}
	for _, lang := range []string{"de", "en"} {
		out[lang] = map[string]bool{}
		names, err := filepath.Glob(filepath.Join(root(), "internal/i18n/catalog", lang, "*.json"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no catalogue for %s: %v", lang, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var sentences map[string]json.RawMessage
			if err := json.Unmarshal(text, &sentences); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for k := range sentences {
				out[lang][k] = true
			}
		}
	}
	return out
}

// split gives the declarations and migrations of the main database or of the vault's.
func split(vault bool) (all []personal.Declaration, migrations []db.Migrations) {
	for _, h := range holders {
		if h.vault == vault {
			all = append(all, h.personal())
			if h.migrations != nil {
				migrations = append(migrations, h.migrations())
			}
		}
	}
	return all, migrations
}

func TestHolders(t *testing.T) { report(t, checkHolders(sources(t), holders)) }

// TestCensus runs on the engine of the run: SQLite, or PostgreSQL under dev/pg.
func TestCensus(t *testing.T) {
	all, migrations := split(false)
	d := dbtest.New(t, migrations...)
	census(t, d, all, personal.Table, personal.Queue)
}

// TestCensus_Vault looks at the vault's own database, which is SQLite on every installation.
func TestCensus_Vault(t *testing.T) {
	all, migrations := split(true)
	d := dbtest.Open(t, db.Config{URL: dbtest.SQLiteURL(t)})
	if err := d.Migrate(t.Context(), migrations...); err != nil {
		t.Fatal(err)
	}
	census(t, d, all, personal.VaultTable)
}

func census(t *testing.T, d *db.DB, all []personal.Declaration, kinds ...personal.StoreKind) {
	t.Helper()
	live, err := d.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report(t, checkCensus(live, all, kinds...))
	report(t, checkConditions(t, d, all, kinds...))
}

// checkConditions runs every condition that finds the rows of a person.
func checkConditions(t *testing.T, d *db.DB, all []personal.Declaration, kinds ...personal.StoreKind) []string {
	t.Helper()
	var out []string
	for _, decl := range all {
		for _, s := range decl.Stores {
			if !slices.Contains(kinds, s.Kind) {
				continue
			}
			for _, sub := range s.Subjects {
				if sub.Where == "" {
					continue
				}
				var args []any
				for _, p := range []string{"$1", "$2"} {
					if strings.Contains(sub.Where, p) {
						args = append(args, "nobody")
					}
				}
				err := d.View(t.Context(), func(tx *db.Tx) error {
					var n int64
					return tx.QueryRow(t.Context(), "select count(*) from "+s.Name+" where "+sub.Where, args...).Scan(&n)
				})
				if err != nil {
					out = append(out, fmt.Sprintf("%s: the rows of role %s cannot be found: %v", s.Name, sub.Role, err))
				}
			}
		}
	}
	return out
}

func TestDeclarations(t *testing.T) {
	rows, _ := split(false)
	keys, _ := split(true)
	all := slices.Concat(rows, keys) // a store may go with one of the other database
	report(t, checkDeclarations(all))
	report(t, checkKeys(all, catalogues(t)))
}

func TestCensus_PlantedBreach(t *testing.T) {
	d := dbtest.New(t)
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), "create table plants (id text primary key, email text)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	live, err := d.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	declare := func(neutral ...string) []personal.Declaration {
		return []personal.Declaration{{Domain: "plants", Stores: []personal.Store{{
			Kind: personal.Table, Name: "plants", Neutral: neutral,
			Subjects: []personal.Subject{{Role: personal.Citizen, Where: "id = $2 and $1 = $1"}},
		}}}}
	}
	wantNone(t, checkCensus(live, declare("id", "email"), personal.Table))
	wantFinding(t, checkCensus(live, declare("id"), personal.Table), "plants.email", "neither personal nor neutral")
	wantFinding(t, checkCensus(live, declare("id", "email", "phone"), personal.Table), "plants.phone", "does not exist")
	if got := checkCensus(live, nil, personal.Table); len(got) != 2 {
		t.Errorf("an undeclared table gave %q, want both its columns", got)
	}
	if got := checkCensus(live, declare("id", "email"), personal.VaultTable); len(got) != 2 {
		t.Errorf("a table declared for another database gave %q, want both its columns", got)
	}

	wantFinding(t, checkDeclarations([]personal.Declaration{{Domain: "plants", Stores: []personal.Store{{
		Kind: personal.Table, Name: "plants", Activity: "a.b", Purpose: "a.c", Neutral: []string{"id"},
		Retention: personal.Retention{With: "weeds"},
	}}}}), "weeds", "no store")

	broken := declare("id", "email")
	broken[0].Stores[0].Subjects[0].Where = "surname = $2"
	wantFinding(t, checkConditions(t, d, broken, personal.Table), "plants", "cannot be found")
}

func TestHolders_PlantedBreach(t *testing.T) {
	table := "package x\nfunc Migrations() db.Migrations { return db.Migrations{} }\n"
	both := table + "func Personal() personal.Declaration { return personal.Declaration{} }\n"
	wantFinding(t, checkHolders(plant(t, "internal/x", "store.go", table), nil), "internal/x", "no Personal()")
	wantFinding(t, checkHolders(plant(t, "internal/x", "store.go", both), nil), "internal/x", "not in the census")
	wantNone(t, checkHolders(plant(t, "internal/x", "store.go", both), []holder{{pkg: "internal/x"}}))
}

func TestKeys_PlantedBreach(t *testing.T) {
	all := []personal.Declaration{{Domain: "plants", Stores: []personal.Store{{Activity: "plants.a", Purpose: "plants.b"}}}}
	de := map[string]bool{"plants.a": true, "plants.b": true}
	wantNone(t, checkKeys(all, map[string]map[string]bool{"de": de, "en": de}))
	wantFinding(t, checkKeys(all, map[string]map[string]bool{"de": de, "en": {"plants.a": true}}), "plants.b", "en")
}
