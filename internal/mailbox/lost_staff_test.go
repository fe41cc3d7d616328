package mailbox_test

import (
	"testing"
	"time"
)

// A reason that was typed comes back when the session has ended meanwhile, or
// went with the browser; the thread stays where it is.
func TestForward_SessionEndedShowsTheReason(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	for name, lose := range map[string]func(forget func()){
		"ended":     func(func()) { p.advance(31 * time.Minute) },
		"no cookie": func(forget func()) { forget() },
	} {
		b := p.signIn(p.Tiefbau)
		form := b.Get(casePath(d.Thread)+"/weiterleiten").Form("main form").Set("mailbox", "bauamt").Set("grund", "Gehört zur Baustelle")
		lose(b.ClearCookies)
		page := form.Submit().Want(403)
		if page.Text("textarea") != "Gehört zur Baustelle" || !page.Contains("nicht gesendet") {
			t.Errorf("%s: the reason is lost: %q", name, page.Text("main"))
		}
		if got := p.text(`select mailbox_id from mailbox_threads`); got != "tiefbauamt" {
			t.Errorf("%s: the thread is in %q", name, got)
		}
	}
}
