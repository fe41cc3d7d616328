package arch_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poststelle/internal/db/dbtest"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/notice"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// declarations are those of all packages, with the cookies that are really set.
func declarations(t *testing.T) ([]personal.Declaration, *web.Registry) {
	t.Helper()
	cookies, err := web.NewRegistry(web.OwnCookies()...)
	if err != nil {
		t.Fatal(err)
	}
	var all []personal.Declaration
	for _, h := range holders {
		d := h.personal()
		if d.Domain == "web" {
			d = web.Personal(cookies)
		}
		all = append(all, d)
	}
	return all, cookies
}

// noticeOf makes the notice of an authority and of the operator from the declarations.
func noticeOf(t *testing.T, all []personal.Declaration, cookies *web.Registry) func(id tenant.ID, lang string) string {
	t.Helper()
	box := []tenant.Mailbox{{ID: "rathaus", Name: "Rathaus", Fallback: true}}
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	err := tenant.Add(t.Context(), d,
		tenant.Tenant{
			ID: "vorlage", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Mailboxes: box,
			Modules: tenant.Modules(), Hosts: []string{"vps.musterstadt.example"}, Address: tenant.Address{
				Street: "Rathausplatz 1", Postcode: "70000", Place: "Musterstadt", Phone: "0711 0000-0", Email: "datenschutz@musterstadt.example",
			},
		},
		tenant.Tenant{
			ID: "streng", Kind: tenant.Authority, Profile: tenant.Streng, Name: "Gemeinde Beispielingen", ARS: "081110000001", Mailboxes: box,
			Modules: tenant.Modules(), Hosts: []string{"vps.beispielingen.example"}, Address: tenant.Address{Street: "Hauptstraße 2", Postcode: "71111", Place: "Beispielingen"},
		},
		tenant.Tenant{ID: "betreiber", Kind: tenant.Operator, Profile: tenant.Vorlage, Name: "Betreiberverbund Beispiel", Hosts: []string{"betreiber.example"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := tenant.NewDirectory(t.Context(), d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	n := notice.New(notice.Config{
		Directory: dir, Declarations: all, Cookies: cookies, Without: []string{"mail_demo"}, Provider: true,
		Now: func() time.Time { return time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC) },
	})
	return func(id tenant.ID, lang string) string {
		of, ok := dir.ByID(id)
		if !ok {
			t.Fatalf("no tenant %s", id)
		}
		return n.Markdown(i18n.With(context.Background(), c.Localizer(lang)), of, true)
	}
}

// The notice made from the declarations of all packages: a change of personal data shows in the diff of these files, so
// that the person responsible for data protection can be asked.
func TestNotice(t *testing.T) {
	all, cookies := declarations(t)
	text := noticeOf(t, all, cookies)
	for _, id := range []tenant.ID{"vorlage", "streng"} {
		for _, lang := range []string{"de", "en"} {
			got := text(id, lang)
			name := filepath.Join("testdata", "notice."+string(id)+"."+lang+".md")
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs from the notice made now; look at both, then run go test ./internal/arch -run TestNotice -update", name)
			}
			if strings.Contains(got, i18n.MarkOpen) {
				t.Errorf("%s: a sentence is missing", name)
			}
		}
	}
}

// Every public store of every package is in the notice of an authority or of the operator, who has all modules: take one out, and the
// text changes.
func TestNotice_LeavesNothingOut(t *testing.T) {
	all, cookies := declarations(t)
	both := func(all []personal.Declaration) string {
		text := noticeOf(t, all, cookies)
		return text("streng", "de") + text("betreiber", "de")
	}
	whole := both(all)
	for i, d := range all {
		personalData := false
		for _, s := range d.Stores {
			personalData = personalData || s.HasPersonal()
		}
		if !personalData {
			continue
		}
		less := append(append([]personal.Declaration{}, all[:i]...), all[i+1:]...)
		if both(less) == whole {
			t.Errorf("the notice is the same without what %s declares", d.Domain)
		}
	}
}
