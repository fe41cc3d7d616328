package mailbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/mailbox"
	"poststelle/internal/vault"
)

// A letter that comes in after the page of the deletion was shown is not
// destroyed: the page comes back and says what is new.
func TestDelete_LetterInBetweenIsKept(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	page := b.Get(casePath(d.Thread) + "/loeschen").Want(200)
	p.advance(time.Minute)
	p.must(p.Service.WriteAgain(t.Context(), p.stadt(), d.Code, "Bitte nicht löschen, es ist gefährlicher geworden."))
	page = page.Form("main form").Set("grund", "irrtum").Submit().Want(409)
	if !page.Contains("ist 1 Nachricht oder Notiz dazugekommen") || page.Form("main form").Get("grund") != "irrtum" {
		t.Error("the page must say what is new and keep the reason")
	}
	if n := p.count(`select count(*) from mailbox_messages`); n != 2 {
		t.Fatalf("%d messages, want both", n)
	}
	p.settle()
	b.Get(casePath(d.Thread)).Want(200)
	page.Form("main form").Submit().Want(200)
	if n := p.count(`select count(*) from mailbox_threads`); n != 0 {
		t.Errorf("%d threads after the second, informed decision", n)
	}
}

// stubborn is a vault whose Shred answers err for persons until it is nil.
type stubborn struct {
	vault.Service
	err       error
	retention string
}

func (s *stubborn) Shred(ctx context.Context, token, of, thread string) error {
	if s.err != nil && token != s.retention {
		return s.err
	}
	return s.Service.Shred(ctx, token, of, thread)
}

// While a deletion is under way nothing can come in that would go unread, and
// the settling job finishes it.
func TestDelete_TakesNothingInMeanwhile(t *testing.T) {
	var s *stubborn
	p := newPost(t, func(p *post) {
		s = &stubborn{Service: p.service, err: fault.Unavailable}
		p.service = s
	})
	s.retention = p.Service.Tokens.Retention
	d := p.deliver()
	who := p.actor(p.Tiefbau)
	if err := p.Service.Remove(t.Context(), who, d.Thread, "erledigt"); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("Remove() = %v", err)
	}
	if err := p.Service.WriteAgain(t.Context(), p.stadt(), d.Code, "Noch etwas"); !errors.Is(err, fault.NotFound) {
		t.Errorf("WriteAgain() = %v, want NotFound", err)
	}
	if err := p.Service.Answer(t.Context(), who, mailbox.Reply{Thread: d.Thread, Body: "x"}); !errors.Is(err, fault.NotFound) {
		t.Errorf("Answer() = %v, want NotFound", err)
	}
	if got := subjects(p.signIn(p.Tiefbau).Get("/amt/eingang").Want(200)); len(got) != 0 {
		t.Errorf("the list still shows %q", got)
	}
	p.advance(time.Minute)
	p.settle()
	if n := p.count(`select count(*) from mailbox_threads`); n != 0 {
		t.Errorf("%d threads left", n)
	}
}

// What the vault refuses stays as it was.
func TestDelete_RefusedByTheVaultIsTakenBack(t *testing.T) {
	var s *stubborn
	p := newPost(t, func(p *post) {
		s = &stubborn{Service: p.service, err: fault.NotFound}
		p.service = s
	})
	s.retention = p.Service.Tokens.Retention
	d := p.deliver()
	if err := p.Service.Remove(t.Context(), p.actor(p.Tiefbau), d.Thread, "erledigt"); !errors.Is(err, fault.NotFound) {
		t.Fatalf("Remove() = %v", err)
	}
	p.advance(2 * time.Hour)
	p.settle()
	p.must(p.Service.WriteAgain(t.Context(), p.stadt(), d.Code, "Noch etwas"))
	p.signIn(p.Tiefbau).Get(casePath(d.Thread)).Want(200)
}

// Without the vault nothing is written that would be carried out later.
func TestDelete_VaultAwayChangesNothing(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	who := p.actor(p.Tiefbau)
	p.Switch.Off()
	if err := p.Service.Remove(t.Context(), who, d.Thread, "erledigt"); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("Remove() = %v", err)
	}
	p.Switch.On()
	p.advance(2 * time.Hour)
	p.settle()
	p.signIn(p.Tiefbau).Get(casePath(d.Thread)).Want(200)
}

// A forward that reached only the vault, and whose settling job is gone, is
// carried over by the hourly comparison.
func TestReapply_CarriesForwardOver(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	p.must(p.Vault.Forward(t.Context(), p.grant(p.Tiefbau).Token, "musterstadt", d.Thread, "bauamt"))
	p.advance(time.Hour)
	p.settle()
	p.signIn(p.Bau).Get(casePath(d.Thread)).Want(200)
	p.signIn(p.Tiefbau).Get(casePath(d.Thread)).Want(404)
}

// Who has the thread open while it is deleted, and writes, is told that it is
// gone and gets the text back; nothing says that a part of the system is away.
func TestDelete_WritingMeanwhileIsTold(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	citizen := p.browser()
	thread := citizen.Get("/abholen").Want(200).Form("main form").Set("code", d.Code.String()).Submit().Want(200)
	p.must(p.Service.Remove(t.Context(), p.actor(p.Tiefbau), d.Thread, "erledigt"))
	gone := thread.Form("main form[enctype=multipart/form-data]").Set("body", "Ist das noch in Arbeit? Ich warte schon lange.").Submit("aktion=senden").Want(404)
	for _, want := range []string{"Das Amt hat ihn gelöscht", "Ist das noch in Arbeit?"} {
		if !gone.Contains(want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if gone.Contains("antwortet nicht") {
		t.Error("the page blames the system")
	}
}
