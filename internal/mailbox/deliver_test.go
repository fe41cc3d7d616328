package mailbox_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/fault"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
)

func (p *post) actor(c clerk) account.Actor {
	p.t.Helper()
	g := p.grant(c)
	who := account.Actor{Tenant: "musterstadt", Person: g.Person, Name: c.Name, Role: account.Role(g.Role), Grant: g.Token}
	for _, m := range g.Mailboxes {
		who.Mailboxes = append(who.Mailboxes, tenant.MailboxID(m))
	}
	return who
}

func (p *post) stadt() *tenant.Tenant {
	p.t.Helper()
	t, ok := p.Directory.ByID("musterstadt")
	if !ok {
		p.t.Fatal("musterstadt is not in the directory")
	}
	return t
}

func lamp() mailbox.Letter {
	return mailbox.Letter{
		Mailbox: "tiefbauamt", Topic: "schaden", Subject: "Laterne dunkel", Body: "Vor Haus 12 ist es seit Montag dunkel.",
		Name: "Ida Kranz", Email: "ida@kranz.example",
		Files: []mailbox.File{
			{Name: "skizze.txt", Content: []byte("Hausnummer 12, links vom Eingang")},
			{Name: "notiz.txt", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("zweite Datei")), nil }},
		},
	}
}

// A letter without a page goes all the way: sealed, taken in, read, answered,
// collected, continued, forwarded, closed.
func TestDeliver_Journey(t *testing.T) {
	p := newPost(t)
	ctx := t.Context()
	done, err := p.Service.Deliver(ctx, p.stadt(), lamp())
	p.must(err)
	if done.Number == "" || done.Code == "" || !done.Due.After(done.At) {
		t.Fatalf("Deliver() = %+v", done)
	}
	n, err := p.Service.TakeIn(ctx)
	p.must(err)
	if n != 1 {
		t.Fatalf("TakeIn() = %d, want 1", n)
	}
	who := p.actor(p.Tiefbau)
	seen, err := p.Service.SeeThread(ctx, who, done.Thread)
	p.must(err)
	if seen.Subject != "Laterne dunkel" || seen.Sender != "Ida Kranz" || seen.State != "new" || !seen.Unread {
		t.Errorf("staff see %+v", seen)
	}
	if got := seen.Messages[0].Files["skizze.txt"] + "|" + seen.Messages[0].Files["notiz.txt"]; got != "Hausnummer 12, links vom Eingang|zweite Datei" {
		t.Errorf("files hold %q", got)
	}

	p.must(p.Service.Assign(ctx, who, done.Thread, who.Person))
	p.must(p.Service.Answer(ctx, who, mailbox.Reply{Thread: done.Thread, Body: "Mast 4711", Note: true}))
	p.advance(time.Second)
	p.must(p.Service.Answer(ctx, who, mailbox.Reply{
		Thread: done.Thread, Body: "Wir kommen **Donnerstag**.", Files: []mailbox.File{{Name: "plan.txt", Content: []byte("Plan")}},
	}))
	mine, err := p.Service.SeeCollected(ctx, "musterstadt", done.Code.String())
	p.must(err)
	if len(mine.Messages) != 2 || mine.Messages[1].Body != "Wir kommen **Donnerstag**." || mine.Messages[1].Files["plan.txt"] != "Plan" || mine.State != "waiting" {
		t.Errorf("the sender collects %+v", mine)
	}
	if _, err := p.Jobs.RunDue(ctx); err != nil || len(p.Mail.Messages()) != 1 {
		t.Errorf("notice: %d mails, %v; want one", len(p.Mail.Messages()), err)
	}

	p.advance(time.Second)
	p.must(p.Service.WriteAgain(ctx, p.stadt(), done.Code, "Danke, sie leuchtet.", mailbox.File{Name: "danke.txt", Content: []byte("Danke")}))
	p.must(p.Service.AskWithdrawal(ctx, p.stadt(), done.Code))
	_, err = p.Service.TakeIn(ctx)
	p.must(err)
	p.advance(time.Second)
	p.must(p.Service.Forward(ctx, who, done.Thread, "bauamt", "gehört dorthin", false))
	if _, err := p.Service.SeeThread(ctx, who, done.Thread); !errors.Is(err, fault.NotFound) {
		t.Errorf("the old office still reads: %v", err)
	}
	next := p.actor(p.Bau)
	p.must(p.Service.MarkRead(ctx, next, done.Thread))
	p.must(p.Service.CloseThread(ctx, next, done.Thread))
	seen, err = p.Service.SeeThread(ctx, next, done.Thread)
	p.must(err)
	if len(seen.Messages) != 5 || seen.Messages[4].Event != "forward" || seen.State != "closed" || !seen.Withdrawal {
		t.Errorf("after everything staff see %+v", seen)
	}
}

func TestDeliver_Refuses(t *testing.T) {
	p := newPost(t)
	for name, c := range map[string]struct {
		change func(*mailbox.Letter)
		want   fault.Kind
	}{
		"unknown mailbox":      {func(l *mailbox.Letter) { l.Mailbox = "zoo" }, fault.NotFound},
		"foreign topic":        {func(l *mailbox.Letter) { l.Topic = "antrag" }, fault.Invalid},
		"no subject":           {func(l *mailbox.Letter) { l.Subject = " " }, fault.Invalid},
		"not UTF-8":            {func(l *mailbox.Letter) { l.Body = "\xff" }, fault.Invalid},
		"unknown way":          {func(l *mailbox.Letter) { l.Reply = "fax" }, fault.Invalid},
		"letter to nowhere":    {func(l *mailbox.Letter) { l.Reply, l.Address = "letter", "" }, fault.Invalid},
		"sender missing":       {func(l *mailbox.Letter) { l.Mailbox, l.Topic, l.Address = "bauamt", "", "" }, fault.Invalid},
		"mail not allowed":     {func(l *mailbox.Letter) { l.Mailbox, l.Topic, l.Reply = "buergerbuero", "", "email" }, fault.Invalid},
		"file of a wrong kind": {func(l *mailbox.Letter) { l.Files[1] = mailbox.File{Name: "x.pdf", Content: []byte("no pdf")} }, fault.Invalid},
		"file that fails": {func(l *mailbox.Letter) {
			l.Files[1] = mailbox.File{Name: "x.txt", Open: func() (io.ReadCloser, error) { return nil, fault.Unavailable }}
		}, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			l := lamp()
			c.change(&l)
			if _, err := p.Service.Deliver(t.Context(), p.stadt(), l); fault.KindOf(err) != c.want {
				t.Errorf("Deliver() = %v, want %v", err, c.want)
			}
		})
	}
	if n := p.count(`select count(*) from mailbox_threads`); n != 0 {
		t.Errorf("%d letters stored, want none", n)
	}
	objects := 0
	p.must(p.Blobs.List(context.Background(), func(_ blob.ID, _ blob.Info) error { objects++; return nil }))
	if objects != 0 {
		t.Errorf("%d files left of refused letters", objects)
	}
	if err := p.Service.WriteAgain(t.Context(), p.stadt(), "0000", "x"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("WriteAgain(wrong code) = %v", err)
	}
}
