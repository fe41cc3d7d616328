package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/vault/vaulttest"
)

// TestPersonal_ProofKeepsForm: what gives access asks for a fresh proof, and the form is there afterwards, not carried out.
func TestPersonal_ProofKeepsForm(t *testing.T) {
	o := newOffice(t, false)
	_, admin := o.role("chefin", account.Admin)
	person, _ := o.role("thoma", account.Clerk, "rathaus")
	prove := func() {
		p := admin.Get("/amt/einstellungen/nachweis?weiter=/amt/personal").Want(200)
		p.Form("").Set("password", vaulttest.Password("chefin")).Submit().Want(200)
	}
	form := admin.Get("/amt/personal/neu").Want(200).Form("").Set("name", "Nora Neu").Set("kennung", "neu").Set("rolle", "lead")
	o.advance(11 * time.Minute)
	p := form.Submit().Want(200)
	if !strings.HasPrefix(p.Path, "/amt/einstellungen/nachweis") {
		t.Fatalf("a new person without a fresh proof: %s", p.Path)
	}
	p = p.Form("").Set("password", vaulttest.Password("chefin")).Submit().Want(200)
	if p.Path != "/amt/personal/neu" || p.Attr("#name", "value") != "Nora Neu" || !p.Contains("noch nicht ausgeführt") {
		t.Fatalf("after the proof at %s: %s", p.Path, p.Text("main"))
	}
	if admin.Get("/amt/personal").Want(200).Contains("Nora Neu") {
		t.Error("the proof alone made a person")
	}
	if p := p.Form("").Submit().Want(200); p.Path != "/amt/personal/zugang" {
		t.Errorf("sent again: %s", p.Path)
	}
	if admin.Get("/amt/personal/neu").Want(200).Contains("Nora Neu") {
		t.Error("the form is still there after it was carried out")
	}
	path := "/amt/personal/person/" + person
	for _, c := range [][]string{
		{"/rolle", "rolle", "dpo"}, {"/postfach", "postfach", "bauamt"}, {"/vertretung", "vertretung", "x"},
		{"/sitzungen"}, {"/zugang", "aktion", "passwort"}, {"/zugang", "aktion", "faktor"},
	} {
		o.advance(11 * time.Minute)
		if p := admin.PostForm(path+c[0], c[1:]...).Want(200); !strings.HasPrefix(p.Path, "/amt/einstellungen/nachweis?weiter=%2Famt%2Fpersonal%2Fperson%2F"+person) {
			t.Errorf("%v without a fresh proof: %s", c, p.Path)
		}
		prove()
	}
	o.advance(11 * time.Minute)
	if p := admin.PostForm("/amt/vorschlag", "vorschlag", "x"); !strings.HasPrefix(p.Path, "/amt/einstellungen/nachweis") {
		t.Errorf("a proposal: %s", p.Path)
	}
}

// TestPersonal_OwnFactor: who got their access from an administrator draws a second factor that nobody else knows.
func TestPersonal_OwnFactor(t *testing.T) {
	o := newOffice(t, false)
	o.hire("ayse.kaya", false)
	b := o.browser()
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	p := b.Get("/amt/einstellungen/passwort").Want(200)
	if !p.Has(`a[href="/amt/einstellungen/passkeys"]`) {
		t.Error("the page does not lead to the passkeys")
	}
	p = b.PostForm("/amt/einstellungen/passwort", "aktion", "faktor").Want(200)
	secret := strings.ReplaceAll(p.Text("#geheimnis"), " ", "")
	if p.Path != "/amt/einstellungen/passwort" || secret == "" {
		t.Fatalf("at %s: %s", p.Path, p.Text("main"))
	}
	signIn(o.browser(), "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(http.StatusUnprocessableEntity)
	o.advance(2 * time.Minute)
	if p := signIn(o.browser(), "ayse.kaya", vaulttest.Password("ayse.kaya"), code(t, secret, o.Now())).Want(200); p.Path != "/amt/eingang" {
		t.Errorf("with the new factor at %s", p.Path)
	}
}

// TestSignOut_OldForm: the button of a page that is older than the session signs out all the same; a post that no page of ours sent does not.
func TestSignOut_OldForm(t *testing.T) {
	o := newOffice(t, false)
	o.hire("ayse.kaya", false)
	b := o.browser()
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	kept := b.Cookie("ps_sitzung")
	alive := func() bool {
		other := o.browser()
		other.SetCookie("ps_sitzung", kept)
		return other.Get("/amt/eingang").Path == "/amt/eingang"
	}
	const form = "application/x-www-form-urlencoded"
	b.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://boese.example"}}
	b.Do("POST", "/amt/abmelden", form, nil)
	b.Header = http.Header{"Sec-Fetch-Site": nil, "Origin": nil}
	b.Do("POST", "/amt/abmelden", form, nil)
	if !alive() {
		t.Fatal("somebody else signed the person out")
	}
	b.Header = nil
	b.Do("POST", "/amt/abmelden", form, []byte("wache=alt"))
	if alive() {
		t.Error("the session lives on after sign-out with an old form")
	}
}
