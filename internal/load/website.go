package load

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

// prepareComments opens the form under a post once for each operation, as a
// visitor does. The server does not count what its own machine writes.
func (d *driving) prepareComments(ctx context.Context) ([]operation, error) {
	post := d.Post
	if post == "" {
		page, err := newBrowser(d.base, d.tr).getPath(ctx, "/aktuelles")
		if err != nil {
			return nil, err
		}
		links := postLink.FindSubmatch(page.body)
		if links == nil {
			return nil, fmt.Errorf("no post at /aktuelles: %w", fault.NotFound)
		}
		post = string(links[1])
	}
	return d.each(ctx, func(ctx context.Context, n int) (operation, error) {
		b := newBrowser(d.base, d.tr)
		page, err := b.getPath(ctx, "/aktuelles/"+post)
		if err != nil {
			return nil, err
		}
		f, err := formWith(page, "kommentar")
		if err != nil {
			return nil, err
		}
		f.set("kommentar", fmt.Sprintf("Nummer %d: %s Bei uns in der %s ist es genauso.", n, sentences[n%len(sentences)], streets[n%len(streets)]))
		return func(ctx context.Context) error {
			a, err := b.submit(ctx, f)
			if err == nil && (a.location == nil || !strings.HasPrefix(a.location.Path, "/aktuelles/kommentar/")) {
				err = a.refused()
			}
			return err
		}, nil
	})
}

var postLink = regexp.MustCompile(`href="/aktuelles/([a-z0-9-]+)"`)

// formWith returns the form of a page that has a field of that name.
func formWith(page answer, name string) (*form, error) {
	all, err := forms(page.body, page.url)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.has(name) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("no form with %s at %s: %w", name, page.url.Path, fault.NotFound)
}

// runNewsletter releases an issue and measures until Count messages have come to
// the sink, which is the relay of the server. Each must have a link of its own to
// unsubscribe; one that has none, or that of another, is an error.
func (d *driving) runNewsletter(ctx context.Context) (Report, error) {
	d.say("preparing")
	sink, err := listenSink(ctx, d.Sink)
	if err != nil {
		return Report{}, err
	}
	defer sink.close()
	b, err := d.signIn(ctx)
	if err != nil {
		return Report{}, err
	}
	release, err := d.issue(ctx, b)
	if err != nil {
		return Report{}, err
	}
	watch, err := startWatch(d.PID)
	if err != nil {
		return Report{}, err
	}
	d.say("measuring")
	start := time.Now()
	_, err = b.submitAndFollow(ctx, release)
	if err == nil {
		sink.await(ctx, d.Count, d.Duration)
	}
	r := Report{Scenario: string(d.Scenario), Clients: sink.lines()}
	took := time.Since(start)
	r.summarise(nil, took)
	r.Done, r.Errors, r.FirstError = sink.outcome()
	r.Rate = float64(r.Done) / took.Seconds()
	if r.Server = watch.stop(); r.Server != nil && r.Server.CPUSeconds > 0 {
		r.Server.PerCPUSecond = float64(r.Done) / r.Server.CPUSeconds
	}
	if err == nil && r.Done < d.Count && r.FirstError == "" {
		r.FirstError = fmt.Sprintf("%d of %d messages came", r.Done, d.Count)
		r.Errors = d.Count - r.Done
	}
	return r, err
}

// issue writes an issue and returns the form that releases it.
func (d *driving) issue(ctx context.Context, b *browser) (*form, error) {
	page, err := b.getPath(ctx, "/amt/redaktion/newsletter/neu")
	if err != nil {
		return nil, err
	}
	f, err := formWith(page, "subject")
	if err != nil {
		return nil, err
	}
	f.set("subject", "Neues aus dem Rathaus")
	f.set("body", "Guten Tag,\n\n"+strings.Repeat(strings.Join(sentences, " ")+"\n\n", 3)+"[Mehr auf unserer Website](https://musterstadt.example/neues)\n")
	if page, err = b.submitAndFollow(ctx, f); err != nil {
		return nil, err
	}
	if page, err = b.getPath(ctx, page.url.Path+"/senden"); err != nil {
		return nil, err
	}
	return formWith(page, "wann")
}

// subscribersAtOnce is how many are handed over at the same time.
const subscribersAtOnce = 5000

// Subscribe fills the newsletter of a tenant with invented people, whose addresses
// are spread over a thousand domains that cannot exist. Progress may be nil.
func Subscribe(ctx context.Context, s *newsletter.Service, of tenant.ID, n int, progress func(done int)) (newsletter.Imported, error) {
	var sum newsletter.Imported
	at := time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)
	for from := 0; from < n; from += subscribersAtOnce {
		people := make([]newsletter.Evidence, min(subscribersAtOnce, n-from))
		for i := range people {
			people[i] = newsletter.Evidence{
				Address: fmt.Sprintf("leser%d@post%d.example", from+i, (from+i)%1000), Confirmed: at, Version: "1", Form: "zum Messen",
				Text: "Ja, ich möchte den Newsletter per E-Mail bekommen.",
			}
		}
		some, err := s.Import(ctx, of, "zum Messen", people)
		sum.Added, sum.Kept = sum.Added+some.Added, sum.Kept+some.Kept
		if err != nil {
			return sum, err
		}
		if progress != nil {
			progress(from + len(people))
		}
	}
	return sum, nil
}

// signIn is one sign-in of a member of staff.
func (d *driving) signIn(ctx context.Context) (*browser, error) {
	b := newBrowser(d.base, d.tr)
	page, err := b.getPath(ctx, "/amt/anmelden")
	if err != nil {
		return nil, err
	}
	f, err := formWith(page, "login")
	if err != nil {
		return nil, err
	}
	f.set("login", d.Login)
	f.set("password", d.Password)
	if _, err := b.submitAndFollow(ctx, f); err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return b, nil
}
