package mail_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
)

// A key that fails while it signs loses no mail: it goes out unsigned, and
// somebody is told.
func TestDKIM_FailureLosesNothing(t *testing.T) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	broken := &rsa.PrivateKey{PublicKey: pair.PublicKey, D: big.NewInt(3), Primes: []*big.Int{big.NewInt(7), big.NewInt(11)}}
	told := 0
	s := series()
	s.DKIM, err = mail.NewDKIM("stadt.example", func(error) { told++ }, mail.DKIMKey{Selector: "r", Signer: broken})
	if err != nil {
		t.Fatal(err)
	}
	raw := compose(t, s)
	if told != 1 || bytes.Contains(raw, []byte("DKIM-Signature")) {
		t.Fatalf("signed with a broken key, or told %d times", told)
	}
	mailtest.Check(t, raw)
	m := mail.Message{From: "info@stadt.example", To: "anna@post.example", Subject: "x", Text: "x", ID: "1", At: s.At, DKIM: s.DKIM}
	if raw := written(t, m); told != 2 || bytes.Contains(raw, []byte("DKIM-Signature")) {
		t.Errorf("single message: told %d times, %q", told, raw)
	}
	r, relay := newMoody(t)
	tpl, err := mail.NewTemplate(s)
	if err != nil {
		t.Fatal(err)
	}
	err = relay.Many(t.Context(), tpl, feed("a", "b"), func(_ mail.Recipient, err error) {
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil || len(r.taken) != 2 {
		t.Errorf("Many() = %v, taken %v", err, r.taken)
	}
}

// What a real relay takes from Send and Many holds against the published key.
func TestDKIM_OverSMTP(t *testing.T) {
	ring := newRing(t)
	k := ring.make("a", "stadt.example")
	r, relay := newMoody(t)
	m := mail.Message{
		From: "Stadt Größingen <info@stadt.example>", To: "a@post.example", Subject: strings.Repeat("Ein langer Betreff mit Umlauten: ä ", 5), Text: "Guten Tag\n.\n",
		HTML: "<p>Guten Tag", ID: "1", At: ring.now, DKIM: ring.signer("a", "info@stadt.example"),
	}
	if err := relay.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	s := series()
	s.DKIM = ring.signer("a", s.From)
	tpl, err := mail.NewTemplate(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := relay.Many(t.Context(), tpl, feed("b", "c"), func(mail.Recipient, error) {}); err != nil {
		t.Fatal(err)
	}
	if len(r.raw) != 3 {
		t.Fatalf("%d messages", len(r.raw))
	}
	for i, raw := range r.raw {
		mailtest.Check(t, []byte(raw))
		if ok, _ := holds(t, []byte(raw), k); !ok {
			t.Errorf("signature of message %d does not hold:\n%s", i, raw)
		}
	}
	// One byte of a field of the list, or of the text, and it no longer does.
	for _, change := range [][2]string{{"abmelden%20x", "abmelden%20y"}, {"List-Unsubscribe=One", "List-Unsubscribe=Two"}, {"Guten Tag", "Guten Tug"}} {
		bad := strings.Replace(r.raw[1], change[0], change[1], 1)
		if bad == r.raw[1] {
			t.Fatalf("%q is not there", change[0])
		}
		if ok, _ := holds(t, []byte(bad), k); ok {
			t.Errorf("%q became %q: the signature still holds", change[0], change[1])
		}
	}
}
