package mailbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
	"poststelle/internal/mailbox"
)

// relay is a relay that refuses some addresses and hands the rest on.
type relay struct {
	mail.BulkSender
	refuse map[string]error
}

func (r *relay) Send(ctx context.Context, m mail.Message) error {
	if err := r.refuse[m.To]; err != nil {
		return err
	}
	return r.BulkSender.Send(ctx, m)
}

var errNoSuchUser = &mail.Error{Stage: "rcpt", Code: 550, Permanent: true, Err: errors.New("no such user")}

// work runs jobs, of which some may fail, over a time.
func (p *post) work(over time.Duration) {
	for end := p.Now().Add(over); p.Now().Before(end); p.advance(40 * time.Minute) {
		_, _ = p.Jobs.RunDue(p.t.Context())
	}
}

func TestMail_WaitsForARelay(t *testing.T) {
	p := newPost(t)
	d := p.deliver(func(l *mailbox.Letter) { l.Reply = "email" })
	p.Service.Mail = nil
	p.must(p.Service.Answer(t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: d.Thread, Body: "Wir kommen morgen."}))
	p.work(4 * 24 * time.Hour)
	p.Service.Mail = p.Mail
	p.work(2 * time.Hour)
	if n := len(p.Mail.Messages()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestAnswerMail_GivenUpIsShown(t *testing.T) {
	p := newPost(t)
	r := &relay{BulkSender: mailtest.Wrap(p.t, p.Mail), refuse: map[string]error{"kim@example.org": errNoSuchUser}}
	p.Service.Mail = r
	d := p.deliver(func(l *mailbox.Letter) { l.Reply = "email" })
	p.must(p.Service.Answer(t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: d.Thread, Body: "Wir kommen morgen.", Close: true}))
	b := p.signIn(p.Tiefbau)
	if b.Get(casePath(d.Thread)).Want(200).Contains("Die E-Mail ist nicht angekommen") {
		t.Error("shown before it is so")
	}
	p.work(time.Hour)
	b = p.signIn(p.Tiefbau)
	page := b.Get(casePath(d.Thread)).Want(200)
	if !page.Contains("Die E-Mail ist nicht angekommen") || !page.Contains("E-Mail mit der Antwort nicht zugestellt") {
		t.Error("the clerk does not learn of it")
	}
	if got := subjects(b.Get("/amt/eingang?sicht=neu").Want(200)); len(got) != 1 {
		t.Errorf("new in the inbox: %q, want the case", got)
	}
	// Tried again by the operator, it arrives after all.
	r.refuse = nil
	dead, err := p.Jobs.Dead(t.Context())
	p.must(err)
	p.must(p.Jobs.Retry(t.Context(), dead[0].ID))
	p.work(time.Hour)
	b = p.signIn(p.Tiefbau)
	if b.Get(casePath(d.Thread)).Want(200).Contains("Die E-Mail ist nicht angekommen") || len(p.Mail.Messages()) != 1 {
		t.Error("still shown after it was sent")
	}
}

func TestAnswerMail_WithoutAddressIsShown(t *testing.T) {
	p := newPost(t)
	d := p.deliver(func(l *mailbox.Letter) { l.Reply = "email" })
	c := p.browser()
	page := open(t, c, "", string(d.Code))
	c.PostForm(strings.Replace(page.Path, "vorgang", "benachrichtigung", 1), "email", "").Want(200)
	p.must(p.Service.Answer(t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: d.Thread, Body: "Wir kommen morgen."}))
	p.work(time.Hour)
	if !p.signIn(p.Tiefbau).Get(casePath(d.Thread)).Want(200).Contains("Die E-Mail ist nicht angekommen") {
		t.Error("the clerk does not learn of it")
	}
}

// The trouble of one clerk's address is not repeated for the others.
func TestOfficeNotice_OneJobAPerson(t *testing.T) {
	p := newPost(t)
	third := p.hire("ole.dritt", "Ole Dritt", account.Clerk, "tiefbauamt")
	fourth := p.hire("uma.viert", "Uma Viert", account.Clerk, "tiefbauamt")
	for _, c := range []clerk{p.Tiefbau, third, fourth} {
		p.signIn(c).Get("/amt/einstellungen").Want(200).Form("").Check("postfach", "tiefbauamt").Submit().Want(200)
	}
	r := &relay{BulkSender: mailtest.Wrap(p.t, p.Mail), refuse: map[string]error{
		"ole.dritt@musterstadt.example": errNoSuchUser, "uma.viert@musterstadt.example": fault.Unavailable,
	}}
	p.Service.Mail = r
	p.post()
	p.work(3 * time.Hour)
	p.wantNotice("ayse.kaya@musterstadt.example")
	dead, err := p.Jobs.Dead(t.Context())
	p.must(err)
	if len(dead) != 1 || dead[0].Kind != "mailbox.tellperson" || dead[0].Ref != "musterstadt:tiefbauamt:"+third.Person {
		t.Errorf("dead letters: %+v, want that of the address which does not exist", dead)
	}
	r.refuse = nil
	p.work(2 * time.Hour)
	p.wantNotice("uma.viert@musterstadt.example")
	p.wantNotice("ayse.kaya@musterstadt.example")
}

// A letter that comes after the mail of its minute is told in the next one; a
// heap of letters makes no heap of mails.
func TestOfficeNotice_LaterInTheMinute(t *testing.T) {
	p := newPost(t)
	p.advance(p.Now().Truncate(time.Minute).Add(time.Minute).Sub(p.Now())) // a minute begins
	p.signIn(p.Tiefbau).Get("/amt/einstellungen").Want(200).Form("").Check("postfach", "tiefbauamt").Submit().Want(200)
	mails := func(want int) {
		t.Helper()
		for {
			n, err := p.Jobs.RunDue(t.Context())
			p.must(err)
			if n == 0 {
				break
			}
		}
		if n := len(p.Mail.Messages()); n != want {
			t.Errorf("%d mails, want %d", n, want)
		}
	}
	p.deliver()
	mails(1)
	p.advance(10 * time.Second)
	for range 5 {
		p.deliver()
	}
	mails(1)
	p.advance(50 * time.Second)
	mails(2)
	p.deliver()
	mails(2)
	p.advance(time.Minute)
	mails(3)
	p.advance(time.Hour)
	mails(3)
	p.deliver()
	mails(4)
}
