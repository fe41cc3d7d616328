package newsletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

// elsewhere is evidence of a consent that was given to another program.
func elsewhere(address string) newsletter.Evidence {
	return newsletter.Evidence{
		Address: address, Text: "Ja, ich möchte den Newsletter der Stadt.", Version: "2024-03", Form: "Anmeldung am Stadtfest",
		Confirmed: time.Date(2024, 6, 1, 9, 30, 0, 0, time.UTC),
	}
}

func (w *world) imports(list ...newsletter.Evidence) newsletter.Imported {
	w.t.Helper()
	sum, err := w.Service.Import(w.t.Context(), town, "Umzug", list)
	w.must(err)
	return sum
}

// refusals are the keys of the sentences by the place in the list.
func refusals(sum newsletter.Imported) map[int][]string {
	out := map[int][]string{}
	for _, r := range sum.Refused {
		for _, f := range fault.FieldsOf(r.Err) {
			out[r.At] = append(out[r.At], f.Name+" "+f.Key)
		}
	}
	return out
}

// What lacks evidence is refused with its place, the rest is taken, and it may be
// done again.
func TestImport(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	spoilt := func(change func(*newsletter.Evidence)) newsletter.Evidence {
		e := elsewhere("spoilt@post.example")
		change(&e)
		return e
	}
	list := []newsletter.Evidence{
		elsewhere("eins@post.example"),
		spoilt(func(e *newsletter.Evidence) { e.Address = "kein" }),
		spoilt(func(e *newsletter.Evidence) { e.Text = " " }),
		spoilt(func(e *newsletter.Evidence) { e.Version = "" }),
		spoilt(func(e *newsletter.Evidence) { e.Form = "" }),
		spoilt(func(e *newsletter.Evidence) { e.Confirmed = time.Time{} }),
		spoilt(func(e *newsletter.Evidence) { e.Confirmed = w.Now().Add(time.Hour) }),
		spoilt(func(e *newsletter.Evidence) { e.Lang = "fr" }),
		spoilt(func(e *newsletter.Evidence) { e.Categories = []string{"gibtsnicht"} }),
		elsewhere("EINS@post.example"),
		elsewhere(anna),
		elsewhere("zwei@post.example"),
	}
	sum := w.imports(list...)
	want := map[int][]string{
		1: {"address mail.address.form"}, 2: {"text newsletter.import.missing"}, 3: {"version newsletter.import.missing"}, 4: {"way newsletter.import.missing"},
		5: {"consented newsletter.import.time"}, 6: {"consented newsletter.import.future"}, 7: {"lang newsletter.import.lang"}, 8: {"categories newsletter.import.categories"},
	}
	got := refusals(sum)
	for at, words := range want {
		if at == 1 && len(got[1]) == 1 { // whatever package mail calls it
			continue
		}
		if !slices.Equal(got[at], words) {
			t.Errorf("line %d: %v, want %v", at, got[at], words)
		}
	}
	if sum.Added != 2 || sum.Kept != 2 || len(got) != len(want) {
		t.Errorf("Import() = %+v", sum)
	}
	if again := w.imports(list...); again.Added != 0 || again.Kept != 4 || len(again.Refused) != 8 {
		t.Errorf("Import() again = %+v", again)
	}
	if n := w.count(`select count(*) from journal_entries where action = 'newsletter.imported' and actor = 'cli' and reason = 'Umzug'`); n != 1 {
		t.Errorf("%d entries in the journal, want one for the list that changed something", n)
	}
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Für alle", "Text"))
	w.settle()
	for _, a := range []string{"eins@post.example", "zwei@post.example"} {
		if len(w.to(a)) != 1 {
			t.Errorf("%s got %d issues", a, len(w.to(a)))
		}
	}
	for _, bad := range []struct {
		of     tenant.ID
		reason string
		want   error
	}{{"ohne", "Umzug", fault.NotFound}, {"gibtsnicht", "Umzug", fault.NotFound}, {town, "  ", fault.Invalid}} {
		if _, err := w.Service.Import(t.Context(), bad.of, bad.reason, list); !errors.Is(err, bad.want) {
			t.Errorf("Import() of %s with reason %q = %v, want %v", bad.of, bad.reason, err, bad.want)
		}
	}
}

// An import brings nobody back who has left, and writes to no address that does
// not exist.
func TestImport_Suppressed(t *testing.T) {
	r := newRelay()
	w := newWorld(t, withRelay(r))
	w.crowd(3)
	report := func(who string) {
		t.Helper()
		_, _, err := w.Service.FromMail(t.Context(), town, newsletter.Incoming{From: who, Aligned: true, Subject: "abmelden"})
		w.must(err)
	}
	report("leser0000@post.example")
	r.answer = func(to string, _ int) error {
		if to == "leser0001@post.example" {
			return dead()
		}
		return nil
	}
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Ausgabe", "Text"))
	w.settle()
	sum := w.imports(elsewhere("Leser0000@post.example"), elsewhere("leser0001@post.example"), elsewhere("neu@post.example"))
	got := refusals(sum)
	if sum.Added != 1 || !slices.Equal(got[0], []string{"address newsletter.import.left"}) || !slices.Equal(got[1], []string{"address newsletter.import.dead"}) {
		t.Errorf("Import() = %+v, %v", sum, got)
	}
	// Another tenant has its own list.
	if sum, err := w.Service.Import(t.Context(), village, "Umzug", []newsletter.Evidence{elsewhere("leser0000@post.example")}); err != nil || sum.Added != 1 {
		t.Errorf("Import() elsewhere = %+v, %v", sum, err)
	}
	w.release(ed, w.draft(ed, "Zweite", "Text"))
	w.settle()
	if len(r.raw["leser0000@post.example"]) != 0 || len(r.raw["leser0001@post.example"]) != 0 || len(r.raw["neu@post.example"]) != 1 {
		t.Error("an issue went to somebody who has left, or to no address")
	}
	w.subscribe(town, "leser0000@post.example")
	if sum := w.imports(elsewhere("leser0000@post.example")); sum.Kept != 1 {
		t.Errorf("Import() of who has come back = %+v", sum)
	}
}

// A list that breaks off is whole up to a batch, and goes on where it was.
func TestImport_Interrupted(t *testing.T) {
	w := newWorld(t)
	var list []newsletter.Evidence
	for i := range 1200 {
		list = append(list, elsewhere(fmt.Sprintf("leser%04d@post.example", i)))
	}
	partly := false
	for at := 1; ; at++ {
		ctx, stop := context.WithCancel(t.Context())
		asked := 0
		w.looked = func() { // each transaction asks for the time
			if asked++; asked == at {
				stop()
			}
		}
		sum, err := w.Service.Import(ctx, town, "Umzug", list)
		stop()
		w.looked = nil
		n := w.count(`select count(*) from newsletter_subscribers`)
		partly = partly || n > 0 && n < len(list)
		if n%500 != 0 && n != len(list) || w.count(`select count(*) from newsletter_evidence`) != n ||
			w.count(`select count(*) from journal_entries where action = 'newsletter.imported'`) != (n+499)/500 {
			t.Fatalf("%d subscriptions after an interruption, %v", n, err)
		}
		if err == nil {
			if n != len(list) || sum.Added+sum.Kept != n || len(sum.Refused) != 0 || !partly {
				t.Errorf("Import() in the end = %+v, %d subscriptions", sum, n)
			}
			return
		}
	}
}

// An export holds everybody who is subscribed with the evidence, nobody else, and
// is in the journal before it begins.
func TestExport(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	w.subscribe(village, "fremd@post.example")
	w.ask(w.browser(town), "wartet@post.example")
	moved := elsewhere("eins@post.example")
	moved.MessageID, moved.Mailed = "<a@alt.example>", moved.Confirmed.Add(-time.Hour)
	w.imports(moved)
	var got []newsletter.Evidence
	n, err := w.Service.Export(t.Context(), town, "Prüfung", func(e newsletter.Evidence) error {
		if w.count(`select count(*) from journal_entries where action = 'newsletter.exported' and reason = 'Prüfung'`) != 1 {
			t.Error("an address was opened before the journal had it")
		}
		got = append(got, e)
		return nil
	})
	w.must(err)
	slices.SortFunc(got, func(a, b newsletter.Evidence) int { return a.Confirmed.Compare(b.Confirmed) })
	if n != 2 || len(got) != 2 || got[0].Address != "eins@post.example" || got[1].Address != anna {
		t.Fatalf("Export() = %d, %+v", n, got)
	}
	if e := got[0]; e.Way != newsletter.WayImport || e.Form != moved.Form || e.Text != moved.Text || e.MessageID != moved.MessageID || !e.Mailed.Equal(moved.Mailed) {
		t.Errorf("the evidence came back as %+v", e)
	}
	if e := got[1]; e.Way != newsletter.WayForm || e.Text == "" || e.MailHash == "" {
		t.Errorf("the evidence of a sign-up is %+v", e)
	}
	for _, bad := range []struct {
		of     tenant.ID
		reason string
	}{{town, ""}, {town, " \n"}, {"gibtsnicht", "Prüfung"}} {
		n, err := w.Service.Export(t.Context(), bad.of, bad.reason, func(newsletter.Evidence) error { t.Error("opened"); return nil })
		if err == nil || n != 0 {
			t.Errorf("Export() of %q with reason %q = %d, %v", bad.of, bad.reason, n, err)
		}
	}
	stopped := errors.New("the pipe is closed")
	if n, err := w.Service.Export(t.Context(), town, "Prüfung", func(newsletter.Evidence) error { return stopped }); !errors.Is(err, stopped) || n != 0 {
		t.Errorf("Export() into nothing = %d, %v", n, err)
	}
}
