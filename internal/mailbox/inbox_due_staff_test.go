package mailbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/mailbox"
	"poststelle/internal/web/webtest"
)

// Sorted by date, what has a date comes first and what the office has answered
// last, also where a page ends between the two, forwards and backwards.
func TestInbox_DueFirstUndatedLast(t *testing.T) {
	p := newPost(t)
	var dated, undated, threads []string
	for i := range 60 {
		subject := fmt.Sprintf("Brief %02d", i)
		d := p.post(func(l *mailbox.Letter) { l.Subject = subject })
		threads = append(threads, d.Thread)
		if i%2 == 0 { // pairs share an instant, and so a date
			p.advance(7 * time.Hour)
		}
		dated = append(dated, subject)
	}
	p.settle()
	who := p.actor(p.Tiefbau)
	answer := func(i int) {
		t.Helper()
		p.must(p.Service.Answer(t.Context(), who, mailbox.Reply{Thread: threads[i], Body: "Wir kommen am Montag."}))
		undated = append(undated, dated[i])
		dated = slices.Delete(dated, i, i+1)
		threads = slices.Delete(threads, i, i+1)
	}
	// The oldest are answered: by the date that is kept they would come first.
	for _, left := range []int{58, 50, 49, 25, 24, 0} {
		for len(dated) > left {
			answer(min(2, len(dated)-1))
		}
		b := p.signIn(p.Tiefbau)
		forwards, last := walk(b, "/amt/eingang?sort=frist&n=25", "a[rel=next]")
		if got := slices.Sorted(slices.Values(forwards[:left])); !slices.Equal(got, dated) {
			t.Errorf("%d dated: first come %v, want %v", left, got, dated)
		}
		if got, want := slices.Sorted(slices.Values(forwards[left:])), slices.Sorted(slices.Values(undated)); !slices.Equal(got, want) {
			t.Errorf("%d dated: then come %v, want %v", left, got, want)
		}
		backwards, first := walk(b, last, "a[rel=prev]")
		if !slices.Equal(pagewise(backwards), pagewise(forwards)) {
			t.Errorf("%d dated: backwards %v, forwards %v", left, backwards, forwards)
		}
		if page := b.Get(first); page.Has("a[rel=prev]") || !slices.Equal(subjects(page), forwards[:25]) {
			t.Errorf("%d dated: the way back ends at %s", left, first)
		}
		cells := b.Get("/amt/eingang?sort=frist&n=100").Texts("tbody tr")
		for i, row := range cells {
			if strings.Contains(row, "–") != (i >= left) {
				t.Errorf("%d dated: row %d shows %q", left, i, row)
			}
		}
	}
}

// walk follows a link from page to page and returns all subjects, and the address
// of the last page.
func walk(b *webtest.Client, from, link string) (all []string, last string) {
	page := b.Get(from).Want(200)
	for {
		all = append(all, subjects(page)...)
		if !page.Has(link) {
			return all, page.Path
		}
		page = page.Click(link).Want(200)
	}
}

// pagewise is a sorted copy: backwards the pages come in another order.
func pagewise(list []string) []string { return slices.Sorted(slices.Values(list)) }
