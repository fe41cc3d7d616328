package mailbox

import (
	"context"
	"net/http"
	"slices"
	"time"

	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// heldView is what the page of a thread shows besides, when it was opened from
// the mailbox of a person with an account.
type heldView struct {
	Unread, Notice                                   bool
	ReadAction, NoticeAction, LetGoHref, HistoryHref string
	Registered                                       bool // there is no code that would open it as well
	Begun                                            bool // the office wrote first, and has no letter yet
	Account                                          string
}

func heldViewOf(c collected, o opened) *heldView {
	return &heldView{
		Unread: c.holding.Unread, Notice: c.holding.Notice, Registered: o.Registered, Begun: o.begun(), ReadAction: collectedPath("gelesen", c),
		NoticeAction: collectedPath("benachrichtigung", c), LetGoHref: collectedPath("entfernen", c), HistoryHref: collectedPath("verlauf", c),
	}
}

// heldDone says what has just been done; the address carries which.
func heldDone(ctx context.Context, done string) string {
	switch done {
	case "antwort":
		return i18n.T(ctx, "mailbox.postfach.done.answer")
	case "gelesen":
		return i18n.T(ctx, "mailbox.postfach.done.read")
	case "meldung":
		return i18n.T(ctx, "mailbox.postfach.done.notice")
	case "uebernommen":
		return i18n.T(ctx, "mailbox.adopt.done")
	}
	return doneText(ctx, done)
}

// begun reports whether the office wrote first and the person has not answered.
func (o opened) begun() bool {
	return len(o.Messages) > 0 && !slices.ContainsFunc(o.Messages, func(m openMessage) bool { return m.Kind == fromCitizen })
}

// begunState is stateOf for a thread that the office began.
func begunState(ctx context.Context) (word, text string, tone ui.Tone) {
	return i18n.T(ctx, "mailbox.postfach.begun.state"), i18n.T(ctx, "mailbox.postfach.begun.text"), ui.Info
}

func againTitle(ctx context.Context, v collectedView) string {
	if v.Held != nil && v.Held.Begun {
		return i18n.T(ctx, "mailbox.postfach.begun.reply")
	}
	return i18n.T(ctx, "mailbox.thread.again")
}

func againIntro(ctx context.Context, v collectedView) string {
	if v.Held != nil {
		return i18n.T(ctx, "mailbox.postfach.again.intro")
	}
	return i18n.T(ctx, "mailbox.thread.again.intro")
}

// letGoView is the page before a thread leaves the mailbox.
type letGoView struct {
	Action, Back, Number string
	Registered           bool
}

// historyView is a whole matter on paper.
type historyView struct {
	Title, Back string
	Facts       []ui.Pair
	Messages    []collectedMessage
	Pending     bool
	At          time.Time
}

func (s *Service) historyView(r *http.Request, t *tenant.Tenant, c collected, o opened) historyView {
	ctx := r.Context()
	v := historyView{Title: o.Subject, Back: collectedPath("vorgang", c), At: s.Now(), Pending: o.Pending > 0}
	if v.Title == "" {
		v.Title = i18n.T(ctx, "mailbox.thread.title")
	}
	office := ""
	if box, ok := t.Mailbox(o.Mailbox); ok {
		office = box.Title(i18n.Lang(ctx))
	}
	word, text, _ := stateOf(ctx, o.thread, office)
	if o.begun() && o.State == stateWaiting {
		word, text, _ = begunState(ctx)
	}
	v.Facts = []ui.Pair{
		{Key: i18n.T(ctx, "mailbox.receipt.tenant"), Text: t.Name},
		{Key: i18n.T(ctx, "mailbox.receipt.mailbox"), Text: office},
		{Key: i18n.T(ctx, "mailbox.receipt.number"), Text: o.Number},
		{Key: i18n.T(ctx, "mailbox.postfach.begun"), Node: ui.DateTime(o.Received)},
		{Key: i18n.T(ctx, "mailbox.thread.state"), Text: word + ". " + text},
	}
	for _, m := range o.Messages {
		if cm, ok := collectedMessageOf(ctx, t, c, o.Contact.Name, m); ok {
			v.Messages = append(v.Messages, cm)
		}
	}
	return v
}
