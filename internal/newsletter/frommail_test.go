package newsletter_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/mail"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

func TestReadWish(t *testing.T) {
	const quoted = "\n\nAm 20.11.2026 um 08:00 schrieb Stadt Musterstadt:\n> Die Straße ist gesperrt.\n> abmelden\n"
	for _, c := range []struct {
		subject, text string
		wants, more   bool
	}{
		{"abmelden", "", true, false},
		{"Unsubscribe", "Sent from my iPhone", true, false},
		{"Re: Neues aus dem Rathaus", "Bitte abmelden" + quoted, true, false},
		{"", "Guten Tag,\n\nbitte melden Sie mich vom\nNewsletter ab.\n\nMit freundlichen Grüßen\nErika Muster\n", true, false},
		{"", "Hiermit bestelle ich den Newsletter ab.\nDanke!", true, false},
		{"", "Dear Sir or Madam,\nplease remove me from your mailing list.\nKind regards\nJane Doe", true, false},
		{"", "Sehr geehrte Frau Özdemir,\nich möchte mich abmelden.\n-- \nErika Muster\nWeg 1", true, false},
		{"AW: Ausgabe 7", "abbestellen!\n-----Ursprüngliche Nachricht-----\nVon: Stadt\nGesendet: heute\n\nText", true, false},
		// It says more: a clerk reads it as well.
		{"Abmeldung", "Guten Tag,\nich ziehe zum 1.12. nach Beispielingen um.", true, true},
		{"abmelden", "Außerdem ist die Laterne kaputt.", true, true},
		{"Laterne kaputt", "Bitte abmelden.", true, true},
		{"Re: Ausgabe", "Bitte vom Newsletter abmelden.\nUnd was kostet ein Ausweis?", true, true},
		// No wish.
		{"Frage zur Abmeldung meines Hundes", "Was muss ich tun?", false, true},
		{"Re: Ausgabe", "Bitte nicht abmelden", false, true},
		{"Re: Ausgabe", "Danke!" + quoted, false, false},
		{"Re: Ausgabe", "> abmelden\n", false, false},
		{"Re: Ausgabe", "Danke.\n\nOn Fri, Nov 20, 2026 at 8:00 AM Stadt Musterstadt <info@musterstadt.example>\nwrote:\nunsubscribe\n", false, false},
		{"Fwd: Ausgabe", "Zur Kenntnis\n\n---------- Forwarded message ---------\nabmelden", false, true},
		{"", "Erste Zeile hier.\nZweite Zeile hier.\nDritte Zeile hier.\nabmelden", false, true},
		{"", "Ich melde mich wieder.", false, false},
		{"", "Ich melde, dass die Straße ab ist.", false, true},
		{"", "", false, false},
	} {
		if wants, more := newsletter.ReadWish(c.subject, c.text); wants != c.wants || more != c.more {
			t.Errorf("%q, %q: wants %v, more %v; want %v, %v", c.subject, c.text, wants, more, c.wants, c.more)
		}
	}
}

func FuzzReadWish(f *testing.F) {
	f.Add("Re: abmelden", "On x\nwrote:\n> y\n--\n")
	f.Add(":", ",\n,")
	f.Fuzz(func(_ *testing.T, subject, text string) { newsletter.ReadWish(subject, text) })
}

// fromMail gives the newsletter of the town a mail.
func (w *world) fromMail(m newsletter.Incoming) (bool, *mail.Message) {
	w.t.Helper()
	handled, reply, err := w.Service.FromMail(w.t.Context(), town, m)
	w.must(err)
	return handled, reply
}

func (w *world) active() int {
	return w.count(`select count(*) from newsletter_subscribers where state = 'active'`)
}

// A proven sender is unsubscribed at once and told; who says more is read by a
// clerk as well.
func TestFromMail_Body(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	w.subscribe(town, "ben@post.example")
	handled, reply := w.fromMail(newsletter.Incoming{From: anna, Aligned: true, Subject: "Re: Ausgabe 1", Text: "Bitte abmelden.\n> Text"})
	if !handled || reply == nil || reply.To != anna || strings.Contains(reply.Text, "PS:") || w.active() != 1 {
		t.Fatalf("a wish in the text: %v, %+v, %d active", handled, reply, w.active())
	}
	handled, reply = w.fromMail(newsletter.Incoming{From: "ben@post.example", Aligned: true, Subject: "abmelden", Text: "Und die Laterne ist kaputt."})
	if handled || reply == nil || !strings.Contains(reply.Text, "PS:") || w.active() != 0 {
		t.Errorf("a wish and more: %v, %+v, %d active", handled, reply, w.active())
	}
	w.subscribe(town, "carla@post.example")
	if handled, _ := w.fromMail(newsletter.Incoming{From: "carla@post.example", Aligned: true, Subject: "abmelden", Files: true}); handled || w.active() != 0 {
		t.Errorf("a wish with a file: %v, %d active", handled, w.active())
	}
}

// Nobody who is not proven unsubscribes anybody; they are asked once a day, and
// machines never.
func TestFromMail_AsksOnceADay(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	w.advance(25 * time.Hour)
	for day := range 2 {
		for n := range 3 {
			handled, reply := w.fromMail(newsletter.Incoming{From: anna, Subject: "abmelden"})
			if first := n == 0; handled != first || (reply != nil) != first {
				t.Errorf("day %d, mail %d: handled %v, reply %v", day, n, handled, reply != nil)
			}
		}
		w.advance(25 * time.Hour)
	}
	for _, m := range []newsletter.Incoming{
		{From: anna, Aligned: true, Machine: true, Subject: "Automatische Antwort: abmelden", Text: "abmelden"},
		{From: anna, Aligned: true, Machine: true, Subject: "abmelden"},
	} {
		if handled, reply := w.fromMail(m); handled || reply != nil {
			t.Errorf("a machine: %v, %v", handled, reply)
		}
	}
	if w.active() != 1 {
		t.Errorf("%d active", w.active())
	}
}

// Where a tenant publishes an address for this alone, the header names it; its
// word proves who unsubscribes, in any case and from any sender, and nothing else.
func TestFromMail_Address(t *testing.T) {
	w := newWorld(t)
	w.must(tenant.AddMail(t.Context(), w.DB, town, "unsub@musterstadt.example"))
	w.must(w.Directory.Refresh(t.Context()))
	w.subscribe(town, anna)
	w.subscribe(town, "ben@post.example")
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Ausgabe", "Text"))
	w.settle()
	_, way, _ := strings.Cut(w.to(anna)[0].Headers["List-Unsubscribe"], ", <")
	u, err := url.Parse(strings.TrimSuffix(way, ">"))
	local, domain, _ := strings.Cut(u.Opaque, "@")
	box, word, _ := strings.Cut(local, "+")
	if err != nil || u.Scheme != "mailto" || box != "unsub" || domain != "musterstadt.example" || len(local) > 64 || u.Query().Get("subject") != "abmelden" {
		t.Fatalf("List-Unsubscribe: %q, %v", way, err)
	}
	if _, err := mail.ParseAddress("to", u.Opaque); err != nil {
		t.Errorf("no mail program can write to %q", u.Opaque)
	}
	_, sub, ok := w.Directory.ByMail(u.Opaque)
	if !ok || sub != word {
		t.Errorf("the address is published for nobody: %q, %v", sub, ok)
	}
	// Changed, of another tenant, or of another purpose.
	for _, bad := range []string{"", word[:len(word)-1], "a" + word[1:], word + word, "info", wordIn(t, w.to(anna)[1].Text, "bestaetigen")} {
		if bad == word {
			bad = "b" + word[1:]
		}
		if handled, reply := w.fromMail(newsletter.Incoming{Word: bad, From: "x@post.example"}); handled || reply != nil {
			t.Errorf("word %q: %v, %v", bad, handled, reply)
		}
	}
	if handled, _, err := w.Service.FromMail(t.Context(), village, newsletter.Incoming{Word: word}); handled || err != nil {
		t.Errorf("at another tenant: %v, %v", handled, err)
	}
	if w.active() != 2 {
		t.Fatalf("%d active", w.active())
	}
	handled, reply := w.fromMail(newsletter.Incoming{
		Word: strings.ToUpper(word), From: "weiter@post.example", Machine: true, Text: "This message was automatically generated by Gmail.",
	})
	if !handled || reply != nil || w.active() != 1 {
		t.Errorf("the word: %v, %v, %d active", handled, reply, w.active())
	}
}
