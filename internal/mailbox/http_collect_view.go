package mailbox

import (
	"context"
	"net/http"

	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// collectView is the page that asks for the code.
type collectView struct {
	Ended  bool // a session, or this visit, has ended
	Errors []ui.FieldError
	Error  string
	Typed  string // refused, to be corrected
}

type withdrawalView struct{ Action, Back string }

// collectedView is a thread for its sender.
type collectedView struct {
	Title, Number, Office string
	State, StateText      string
	Tone                  ui.Tone
	Done, Alert           string
	Pending               bool
	Errors                []ui.FieldError
	Messages              []collectedMessage
	AgainAction           string
	Body                  ui.Area
	Upload                ui.UploadSpec
	Uploads               []ui.File
	NoticeAction          string
	Email                 ui.Input
	ReceiptHref           string
	WithdrawalHref        string
	Withdrawal            bool
	EndAction             string
	// AdoptAction takes the matter into the mailbox of who is signed in; "" for
	// none.
	AdoptAction string
	// Fate says what becomes of the thread.
	Fate []string
	// Held is what only a person with an account has.
	Held *heldView
}

// collectedMessage is a message of the thread: a letter with plain text, an answer
// in Markdown, or a line about what happened.
type collectedMessage struct {
	Article ui.Article
	Answer  string // Markdown of the office
	Event   string
	Files   []ui.File
}

func (s *Service) collectedView(r *http.Request, t *tenant.Tenant, c collected, o opened, d draft, in collectedInput) collectedView {
	ctx, lang := r.Context(), i18n.Lang(r.Context())
	box, ok := t.Mailbox(o.Mailbox)
	if !ok {
		box = d.limits(t)
	}
	v := collectedView{
		Title: o.Subject, Number: o.Number, Office: box.Title(lang), Done: doneText(ctx, in.Done), Alert: in.Alert, Pending: o.Pending > 0, Errors: in.Errors.summary(r),
		AgainAction: collectedPath("antwort", c, "e="+d.ID), NoticeAction: collectedPath("benachrichtigung", c),
		WithdrawalHref: collectedPath("rueckzug", c), Withdrawal: o.Withdrawal, EndAction: collectedPath("ende", c),
		Uploads: uploadsOf(ctx, d.Files, true), Upload: uploadSpec(ctx, box, in.Errors.of(r, "files"), true),
	}
	if v.Title == "" {
		v.Title = i18n.T(ctx, "mailbox.thread.title")
	}
	v.Fate = s.fateOfThread(ctx, box, o.thread).citizenText(ctx, keptText(ctx, c))
	if c.registered() {
		v.Done, v.Held = heldDone(ctx, in.Done), heldViewOf(c, o)
	}
	if s.mayAdopt(r, c) {
		v.AdoptAction = "/postfach/uebernehmen?v=" + c.ID
	}
	v.State, v.StateText, v.Tone = stateOf(ctx, o.thread, v.Office)
	if o.begun() && o.State == stateWaiting {
		v.State, v.StateText, v.Tone = begunState(ctx)
	}
	for _, m := range o.Messages {
		if tm, ok := collectedMessageOf(ctx, t, c, o.Contact.Name, m); ok {
			v.Messages = append(v.Messages, tm)
		}
	}
	if o.Receipt != "" {
		v.ReceiptHref = collectedPath("quittung.txt", c)
	}
	text := in.Body
	if text == "" {
		text = d.Values["body"]
	}
	v.Body = ui.Area{Name: "body", Label: i18n.T(ctx, "mailbox.field.body"), Value: text, Error: in.Errors.of(r, "body"), Rows: 6, Max: maxBody}
	v.Email = ui.Input{
		Name: "email", Label: i18n.T(ctx, "mailbox.field.email"), Hint: i18n.T(ctx, "mailbox.thread.notice.hint"), Value: o.Contact.Email,
		Error: in.Errors.of(r, "email"), Type: "email", Autocomplete: "email", Optional: true,
	}
	if in.Email != "" {
		v.Email.Value = in.Email
	}
	return v
}

// collectedMessageOf leaves out what does not concern the sender: reasons and
// notes never, a forwarding only where the office wants it told.
func collectedMessageOf(ctx context.Context, t *tenant.Tenant, c collected, sender string, m openMessage) (collectedMessage, bool) {
	lang := i18n.Lang(ctx)
	tm := collectedMessage{Article: ui.Article{Anchor: "m-" + m.ID, At: m.Created}}
	switch m.Kind {
	case fromCitizen:
		tm.Article.Who, tm.Article.Mine = ui.Citizen, sender != ""
		tm.Article.Name, tm.Article.Text = sender, m.Body
		if sender == "" {
			tm.Article.Name = i18n.T(ctx, "mailbox.thread.me")
		}
	case fromOffice:
		tm.Article.Who, tm.Article.Name = ui.Office, t.Name
		tm.Answer = m.Body
	case event:
		if m.Event.Event != "forward" || !m.Event.Tell {
			return tm, false
		}
		to, ok := t.Mailbox(tenant.MailboxID(m.Event.To))
		if !ok {
			return tm, false
		}
		tm.Event = i18n.T(ctx, "mailbox.thread.forwarded", "office", to.Title(lang))
	default:
		return tm, false
	}
	for _, f := range m.Files {
		tm.Files = append(tm.Files, ui.File{Name: f.Name, Size: f.Size, Href: collectedPath("datei/"+f.Message+"/"+f.Part, c)})
	}
	return tm, true
}

// stateOf puts the state of a thread into words for its sender.
func stateOf(ctx context.Context, t thread, office string) (word, text string, tone ui.Tone) {
	switch t.State {
	case stateClosed:
		return i18n.T(ctx, "mailbox.state.closed"), i18n.T(ctx, "mailbox.state.closed.text", "date", i18n.Date(ctx, t.Closed)), ui.Good
	case stateWaiting:
		return i18n.T(ctx, "mailbox.state.waiting"), i18n.T(ctx, "mailbox.state.waiting.text"), ui.Good
	case stateOpen:
		return i18n.T(ctx, "mailbox.state.open"), i18n.T(ctx, "mailbox.state.open.text", "office", office), ui.Info
	}
	return i18n.T(ctx, "mailbox.state.new"), i18n.T(ctx, "mailbox.state.new.text", "office", office, "date", i18n.Date(ctx, t.Due)), ui.Info
}

// doneText says what has just been done; the address carries which.
func doneText(ctx context.Context, done string) string {
	switch done {
	case "antwort":
		return i18n.T(ctx, "mailbox.thread.done.answer")
	case "email":
		return i18n.T(ctx, "mailbox.thread.done.email")
	case "rueckzug":
		return i18n.T(ctx, "mailbox.thread.done.withdrawal")
	}
	return ""
}
