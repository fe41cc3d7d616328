package account_test

import (
	"net/http"
	"strings"
	"testing"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
)

// typing lets a browser leave something in its session and look at it.
func (o *office) typing() {
	o.router.Handle("POST /amt/tippen", func(w http.ResponseWriter, r *http.Request) error {
		s, err := web.StartSession(w, r)
		if err != nil {
			return err
		}
		return s.Put("draft", []byte("halbfertig"))
	})
	o.router.Handle("GET /amt/tippen", func(w http.ResponseWriter, r *http.Request) error {
		if s := web.SessionOf(r); s != nil {
			if v, ok := s.Get("draft"); ok {
				_, err := w.Write(v)
				return err
			}
		}
		_, err := w.Write([]byte("nichts"))
		return err
	})
}

// TestSignIn_AfterTheGrantEnded: at a shared machine the access of one person ends, another signs in: nothing that the first one typed
// passes to them. The first one, coming back, finds it.
func TestSignIn_AfterTheGrantEnded(t *testing.T) {
	for _, second := range []string{"jonas.berg", "ayse.kaya"} {
		o := newOffice(t, true)
		o.typing()
		first := o.hire("ayse.kaya", false)
		o.hire("jonas.berg", false)
		b := o.browser()
		signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
		b.PostForm("/amt/tippen").Want(200)
		o.must(o.staff().SetPassword(t.Context(), "musterstadt", first.Person, vaulttest.Password("ayse.kaya"))) // ends the grant, not the session
		if page := b.Get("/amt/eingang"); !strings.HasPrefix(page.Path, "/amt/anmelden") {
			t.Fatalf("still signed in at %s", page.Path)
		}
		signIn(b, second, vaulttest.Password(second), "").Want(200)
		if kept := b.Get("/amt/tippen").Body; (kept == "halbfertig") != (second == "ayse.kaya") {
			t.Errorf("%s finds %q", second, kept)
		}
	}
}

// TestStart_FormRule: a start password opens the page that replaces it, and no form of another kind.
func TestStart_FormRule(t *testing.T) {
	o := newOffice(t, true)
	done := false
	o.router.Handle("POST /amt/antwort", func(w http.ResponseWriter, r *http.Request) error {
		if _, err := o.accounts.Actor(r); err != nil {
			return err
		}
		done = true
		return web.Redirect(w, r, "/amt/eingang")
	}, web.Under(o.accounts.StaffFormRule(account.Readers()...)))
	e := o.hire("ayse.kaya", false)
	o.must(o.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update account_staff set start_until = $2 where id = $1`, e.Person, db.Millis(o.Now().AddDate(0, 0, 1)))
		return err
	}))
	b := o.browser()
	page := signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "")
	if !strings.HasPrefix(page.Path, "/amt/einstellungen/passwort") {
		t.Fatalf("at %s", page.Path)
	}
	b.PostForm("/amt/antwort")
	if done {
		t.Error("who has a start password answers letters")
	}
}
