package newsletter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/mail"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

// relay is a mail server that behaves as a test says.
type relay struct {
	*mail.Memory
	mu     sync.Mutex
	raw    map[string][]string // messages taken, by recipient
	before func(to string)
	answer func(to string, nth int) error // what becomes of a message; nil takes it
	tries  map[string]int
	stopAt int // after so many messages the connection breaks, once for each number; 0 never
	taken  int
}

func newRelay() *relay {
	return &relay{Memory: mail.NewMemory(10_000), raw: map[string][]string{}, tries: map[string]int{}}
}

func (r *relay) Many(ctx context.Context, t *mail.Template, next func(bool) (mail.Recipient, bool), done func(mail.Recipient, error)) error {
	for to, ok := next(true); ok; to, ok = next(true) {
		if r.before != nil {
			r.before(string(to.To))
		}
		raw, err := t.Append(nil, to)
		r.mu.Lock()
		if err == nil && r.stopAt > 0 && r.taken >= r.stopAt {
			r.mu.Unlock()
			err = &mail.Error{Stage: "connect", Err: errors.New("connection broke")}
			done(to, err)
			return err
		}
		r.tries[string(to.To)]++
		if err == nil && r.answer != nil {
			err = r.answer(string(to.To), r.tries[string(to.To)])
		}
		if err == nil {
			r.taken++
			r.raw[string(to.To)] = append(r.raw[string(to.To)], string(raw))
		}
		r.mu.Unlock()
		done(to, err)
	}
	return nil
}

// crowd signs many people up past the pages, as an import would.
func (w *world) crowd(n int) {
	w.t.Helper()
	for i := range n {
		w.must(w.Service.Plant(w.t.Context(), town, mail.Address(fmt.Sprintf("leser%04d@post.example", i)), w.Now()))
	}
}

// dead is the answer of a server that does not know the address.
func dead() error {
	return &mail.Error{Stage: "rcpt", Code: 550, Enhanced: "5.1.1", Permanent: true}
}

func withRelay(r *relay) func(*world) { return func(w *world) { w.relay, w.Mail = r, r.Memory } }

// Every message of an issue is looked at: headers of the list, a word of its own,
// the link at its end, and no other address in it.
func TestSend_EveryMessage(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r))
	w.crowd(300)
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Für alle", "Hallo\n\n[Mehr](https://musterstadt.example/mehr)"))
	w.settle()
	words := map[string]bool{}
	for i := range 300 {
		to := fmt.Sprintf("leser%04d@post.example", i)
		if len(r.raw[to]) != 1 {
			t.Fatalf("%s got %d messages", to, len(r.raw[to]))
		}
		m, err := netmail.ReadMessage(bytes.NewReader([]byte(r.raw[to][0])))
		if err != nil {
			t.Fatal(err)
		}
		way := m.Header.Get("List-Unsubscribe")
		word := wordIn(t, way, "abmelden")
		if words[word] {
			t.Fatal("two people have the same word")
		}
		words[word] = true
		if !strings.Contains(way, "<mailto:info@musterstadt.example?subject=abmelden%20"+word+">") || m.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" ||
			m.Header.Get("List-Id") != "<newsletter.vps.musterstadt.example>" || m.Header.Get("To") != "<"+to+">" {
			t.Errorf("headers: %v", m.Header)
		}
		if strings.Count(r.raw[to][0], "leser") != 1 || strings.Count(r.raw[to][0], word) != 4 {
			t.Errorf("message to %s: %s", to, r.raw[to][0])
		}
	}
}

// A relay that breaks after each 100 messages, a start anew in between: everybody
// gets the issue, nobody twice.
func TestSend_Resumes(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r))
	w.crowd(1200)
	ed := w.editor(town, account.Editor)
	path := w.draft(ed, "Lange Reise", "Text")
	w.release(ed, path)
	for i := 1; i <= 12; i++ {
		r.stopAt = i * 110
		_, _ = w.Jobs.RunDue(t.Context())
		if i%4 == 0 {
			w.start() // a crash: what was in memory is gone
		}
		w.advance(2 * time.Hour)
	}
	r.stopAt = 0
	w.advance(2 * time.Hour)
	_, _ = w.Jobs.RunDue(t.Context())
	twice, never := 0, 0
	for i := range 1200 {
		switch len(r.raw[fmt.Sprintf("leser%04d@post.example", i)]) {
		case 0:
			never++
		case 1:
		default:
			twice++
		}
	}
	if never != 0 || twice != 0 {
		t.Errorf("%d never got it, %d got it twice", never, twice)
	}
	if n := w.count(`select count(*) from newsletter_issues where state = 'sent' and sent = 1200 and failed = 0`); n != 1 {
		t.Error("the issue is not counted as sent to all")
	}
}

// A stop before the batch was noted: it goes out again, with the same Message-IDs.
func TestSend_SameMessageID(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r))
	w.crowd(3)
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Doppelt", "Text"))
	w.settle()
	w.must(w.DB.Update(t.Context(), func(tx *db.Tx) error { // as if the commit after the batch had been lost
		var id string
		var version int64
		err := tx.QueryRow(t.Context(), `update newsletter_issues set state = 'sending', cursor_id = '', version = version - 1 returning id, version`).Scan(&id, &version)
		if err != nil {
			return err
		}
		return w.Jobs.Enqueue(t.Context(), tx, "newsletter.send", fmt.Sprintf("%s:%s:%d", town, id, version-1))
	}))
	w.settle()
	for to, raw := range r.raw {
		if len(raw) != 2 || raw[0] != raw[1] {
			t.Errorf("%s: %d messages, or they differ", to, len(raw))
		}
	}
}

// Who unsubscribes while the issue is under way gets nothing, though the batch
// was read before.
func TestSend_WithdrawnUnderWay(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r), func(w *world) { w.config = func(c *newsletter.Config) { c.Lines = 1 } })
	w.crowd(50)
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Unterwegs", "Text"))
	var once sync.Once
	gone := 0
	r.before = func(string) {
		once.Do(func() {
			for i := range 50 {
				handled, _, err := w.Service.FromMail(context.WithoutCancel(t.Context()), town, newsletter.Incoming{From: fmt.Sprintf("leser%04d@post.example", i), Aligned: true, Subject: "abmelden"})
				if err == nil && handled {
					gone++
				}
			}
		})
	}
	w.settle()
	if gone != 50 || len(r.raw) != 1 {
		t.Errorf("%d unsubscribed, %d messages went out after the first had begun", gone, len(r.raw)-1)
	}
}

// Whom another process of the installation has unsubscribed meanwhile gets
// nothing either: what was read of a batch is read again after a second.
func TestSend_WithdrawnElsewhere(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r), func(w *world) { w.config = func(c *newsletter.Config) { c.Lines = 1 } })
	w.crowd(20)
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Unterwegs", "Text"))
	var once sync.Once
	r.before = func(string) {
		once.Do(func() {
			err := w.DB.Update(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
				_, err := tx.Exec(context.WithoutCancel(t.Context()), `delete from newsletter_subscribers where tenant_id = $1`, town)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			w.advance(2 * time.Second)
		})
	}
	w.settle()
	if len(r.raw) != 1 {
		t.Errorf("%d messages went out after all had unsubscribed", len(r.raw)-1)
	}
}

// Later, never and no: each answer of the other side has its consequence.
func TestSend_Answers(t *testing.T) {
	r := newRelay()
	r.answer = func(to string, nth int) error {
		switch {
		case strings.HasPrefix(to, "leser0001"):
			return dead()
		case strings.HasPrefix(to, "leser0002") && nth < 3:
			return &mail.Error{Stage: "rcpt", Code: 451, Enhanced: "4.7.1"}
		case strings.HasPrefix(to, "leser0003"):
			return &mail.Error{Stage: "end", Code: 554, Enhanced: "5.7.1", Permanent: true}
		case strings.HasPrefix(to, "leser0004"):
			return &mail.Error{Stage: "rcpt", Code: 452}
		}
		return nil
	}
	w := newWorld(t, withRelay(r))
	w.crowd(6)
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Antworten", "Text"))
	for range 40 {
		w.settle()
		w.advance(4 * time.Hour)
	}
	if n := len(r.raw["leser0002@post.example"]); n != 1 {
		t.Errorf("who said later twice got it %d times", n)
	}
	if n := w.count(`select count(*) from newsletter_suppressed where reason = 'bounce'`); n != 1 {
		t.Errorf("%d addresses are suppressed, want the one that does not exist", n)
	}
	if n := w.count(`select count(*) from newsletter_subscribers`); n != 5 {
		t.Errorf("%d subscriptions are left", n)
	}
	if n := w.count(`select count(*) from newsletter_issues where state = 'sent' and sent = 3 and failed = 3`); n != 1 {
		t.Error("the counts of the issue are wrong, or it never ends")
	}
	if n := r.tries["leser0004@post.example"]; n < 10 || n > 30 {
		t.Errorf("%d attempts where the other side always says later", n)
	}
}

// The report of a server ends a subscription only when it names a Message-ID of
// ours, which nobody can make up.
func TestBounce(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r))
	w.crowd(2)
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Rückläufer", "Text"))
	w.settle()
	m, err := netmail.ReadMessage(strings.NewReader(r.raw["leser0001@post.example"][0]))
	w.must(err)
	id := m.Header.Get("Message-ID")
	report := func(id, status string) bool {
		handled, _, err := w.Service.FromMail(t.Context(), town, newsletter.Incoming{FailedID: id, Status: status})
		w.must(err)
		return handled
	}
	if report("<"+strings.Repeat("A", 58)+"@betreiber.example>", "5.1.1") {
		t.Error("a made-up Message-ID was taken")
	}
	if !report(id, "4.4.1") || w.count(`select count(*) from newsletter_subscribers`) != 2 {
		t.Error("a passing fault ended a subscription")
	}
	if !report(id, "5.1.1") || w.count(`select count(*) from newsletter_subscribers`) != 1 {
		t.Error("an address that does not exist is still subscribed")
	}
	// Tenants may share a sender: a report that came to another tenant, even one
	// without a newsletter, is no letter there and ends the right subscription.
	m, err = netmail.ReadMessage(strings.NewReader(r.raw["leser0000@post.example"][0]))
	w.must(err)
	for of, left := range map[tenant.ID]int{"ohne": 0, village: 0} {
		handled, _, err := w.Service.FromMail(t.Context(), of, newsletter.Incoming{FailedID: m.Header.Get("Message-ID"), Status: "5.1.1"})
		if err != nil || !handled || w.count(`select count(*) from newsletter_subscribers`) != left {
			t.Errorf("at %s: handled %t, %v", of, handled, err)
		}
	}
}

// With a pace, what is too much for one domain leaves later; a domain may have a
// pace of its own.
func TestSend_Pace(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r), func(w *world) {
		w.config = func(c *newsletter.Config) { c.Pace, c.Paces = 2, map[string]int{"frei.example": 0, "eng.example": 1} }
	})
	w.crowd(30)
	for i := range 30 {
		for _, domain := range []string{"frei.example", "eng.example"} {
			w.must(w.Service.Plant(t.Context(), town, mail.Address(fmt.Sprintf("leser%d@%s", i, domain)), w.Now()))
		}
	}
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Langsam", "Text"))
	w.settle()
	left := func() map[string]int {
		n := map[string]int{}
		for to := range r.raw {
			_, domain, _ := strings.Cut(to, "@")
			n[domain]++
		}
		return n
	}
	if n := left(); n["post.example"] < 4 || n["post.example"] > 6 || n["eng.example"] < 2 || n["eng.example"] > 4 || n["frei.example"] != 30 {
		t.Errorf("%v left at once at two a second, one for a slow domain, no limit for another", n)
	}
	for range 30 {
		w.advance(time.Second)
		w.settle()
	}
	if n := len(r.raw); n != 90 {
		t.Errorf("%d messages left in the end", n)
	}
}
