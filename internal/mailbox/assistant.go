package mailbox

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// The five steps of the assistant.
const (
	stepOffice = 1 + iota
	stepTopic
	stepMatter
	stepFiles
	stepCheck
)

const (
	// unsure is the choice of who does not know which office is responsible.
	unsure = "unsicher"
	// generalTopic stands for the topic of an office that names none.
	generalTopic = "allgemein"

	maxSubject = 120
	minBody    = 20
	maxBody    = 20_000
	maxSender  = 200
	maxAddress = 500
)

// stepFieldNames returns the form fields of a step.
func stepFieldNames(n int) []string {
	switch n {
	case stepOffice:
		return []string{"mailbox"}
	case stepTopic:
		return []string{"topic"}
	case stepMatter:
		return []string{"subject", "body", "reply", "email", "name", "address"}
	}
	return nil
}

// take keeps the answers of a step as they were typed, unchecked. A field that
// did not come keeps its answer: a browser sends all but unchosen ones.
func (d *draft) take(n int, form *web.Values) {
	for _, name := range stepFieldNames(n) {
		if !form.Has(name) {
			continue
		}
		v := strings.TrimSpace(form.Get(name))
		switch name {
		case "body", "address":
		default: // single lines
			v = strings.NewReplacer("\n", " ", "\t", " ").Replace(v)
		}
		if v == "" {
			delete(d.Values, name)
			continue
		}
		d.Values[name] = v
	}
}

// box returns the mailbox that was chosen.
func (d draft) box(t *tenant.Tenant) (tenant.Mailbox, bool) {
	if d.Values["mailbox"] == unsure {
		return t.FallbackMailbox()
	}
	return t.Mailbox(tenant.MailboxID(d.Values["mailbox"]))
}

// limits returns the mailbox whose limits hold for files: the chosen one, or
// while none is chosen the one that would get the letter.
func (d draft) limits(t *tenant.Tenant) tenant.Mailbox {
	if box, ok := d.box(t); ok {
		return box
	}
	box, _ := t.DefaultMailbox()
	return box
}

// problems says what is wrong with the answers of a step, in the order of its
// form.
func (d draft) problems(ctx context.Context, t *tenant.Tenant, n int) []fault.Field {
	box, chosen := d.box(t)
	switch n {
	case stepOffice:
		if !chosen {
			return []fault.Field{{Name: "mailbox", Key: "mailbox.error.mailbox"}}
		}
	case stepTopic:
		if !chosen {
			return []fault.Field{{Name: "mailbox", Key: "mailbox.error.mailbox"}}
		}
		if _, ok := box.Topic(d.Values["topic"]); !ok && (len(box.Topics) > 0 || d.Values["topic"] != generalTopic) {
			return []fault.Field{{Name: "topic", Key: "mailbox.error.topic"}}
		}
	case stepMatter:
		return slices.Concat(d.textProblems(), d.reachProblems(box))
	case stepFiles:
		return d.fileProblems(ctx, d.limits(t))
	}
	return nil
}

func (d draft) textProblems() (wrong []fault.Field) {
	add := func(name, key string, args ...any) {
		wrong = append(wrong, fault.Field{Name: name, Key: key, Args: args})
	}
	switch n := utf8.RuneCountInString(d.Values["subject"]); {
	case n == 0:
		add("subject", "mailbox.error.subject.empty")
	case n > maxSubject:
		add("subject", "mailbox.error.subject.long", "n", maxSubject)
	}
	switch n := utf8.RuneCountInString(d.Values["body"]); {
	case n < minBody:
		add("body", "mailbox.error.body.short", "n", minBody)
	case n > maxBody:
		add("body", "mailbox.error.body.long", "n", maxBody)
	}
	return wrong
}

func (d draft) reachProblems(box tenant.Mailbox) (wrong []fault.Field) {
	way := replyWay(d.Values["reply"])
	switch {
	case d.Account == "" && (way == replyAccount || d.Saved != nil), d.Saved != nil && d.Saved.Account != d.Account:
		wrong = append(wrong, fault.Field{Name: "reply", Key: "mailbox.error.reply.signedout"})
	case d.Account != "" && (way == replyCode || way == replyEmail):
		wrong = append(wrong, fault.Field{Name: "reply", Key: "mailbox.error.reply"})
	case way == replyEmail && !box.EmailReply:
		wrong = append(wrong, fault.Field{Name: "reply", Key: "mailbox.error.reply.email"})
	case way != replyCode && way != replyLetter && way != replyEmail && way != replyAccount:
		wrong = append(wrong, fault.Field{Name: "reply", Key: "mailbox.error.reply"})
	}
	if d.Values["email"] != "" || way == replyEmail {
		_, err := mail.ParseAddress("email", d.Values["email"])
		wrong = append(wrong, fault.FieldsOf(err)...)
	}
	needed := box.SenderRequired || way == replyLetter
	if box.MembersOnly && d.Values["name"] == "" && !needed {
		wrong = append(wrong, fault.Field{Name: "name", Key: "mailbox.error.name.authority"})
	}
	for _, f := range []struct {
		name, empty, long string
		most              int
	}{
		{"name", "mailbox.error.name.empty", "mailbox.error.name.long", maxSender},
		{"address", "mailbox.error.address.empty", "mailbox.error.address.long", maxAddress},
	} {
		switch n := utf8.RuneCountInString(d.Values[f.name]); {
		case n == 0 && needed:
			wrong = append(wrong, fault.Field{Name: f.name, Key: f.empty})
		case n > f.most:
			wrong = append(wrong, fault.Field{Name: f.name, Key: f.long, Args: []any{"n", f.most}})
		}
	}
	return wrong
}

// fileProblems compares what was uploaded with the limits of the mailbox, which
// may have been changed since.
func (d draft) fileProblems(ctx context.Context, box tenant.Mailbox) (wrong []fault.Field) {
	add := func(key string, args ...any) {
		wrong = append(wrong, fault.Field{Name: "files", Key: key, Args: args})
	}
	var sum int64
	for i, f := range d.Files {
		sum += f.Size
		switch {
		case i >= box.MaxFiles:
			add("mailbox.error.files.many", "name", f.Name, "n", box.MaxFiles)
		case !slices.Contains(box.FileKinds, endingOf(f.Name)):
			add("mailbox.error.files.kind", "name", f.Name, "kinds", kindList(box.FileKinds))
		case f.Size > box.MaxFile:
			add("mailbox.error.files.big", "name", f.Name, "bytes", i18n.Size(ctx, box.MaxFile))
		case sum > box.MaxMessage:
			add("mailbox.error.files.sum", "name", f.Name, "bytes", i18n.Size(ctx, box.MaxMessage))
		}
	}
	return wrong
}

// firstOpen returns the first step that is not answered properly, the check
// page when there is none.
func (d draft) firstOpen(ctx context.Context, t *tenant.Tenant) int {
	for n := stepOffice; n < stepCheck; n++ {
		if len(d.problems(ctx, t, n)) > 0 {
			return n
		}
	}
	return stepCheck
}

// next returns the step that follows a proper answer to step n: the following
// one, or, for who has been on the check page, the check page again. A step
// before it that is open comes first.
func (d draft) next(ctx context.Context, t *tenant.Tenant, n int) int {
	open := d.firstOpen(ctx, t)
	if d.Reached == stepCheck {
		return open
	}
	return min(n+1, open)
}

// letter returns what is to be sent, in the language of ctx. The caller has seen
// that no step is open.
func (d draft) letter(ctx context.Context, t *tenant.Tenant) letter {
	box, _ := d.box(t)
	l := letter{
		Mailbox: box, Subject: d.Values["subject"], Body: d.Values["body"], Reply: replyWay(d.Values["reply"]),
		Contact: contact{Name: d.Values["name"], Address: d.Values["address"], Lang: i18n.Lang(ctx)},
		Files:   d.Files, Account: d.Account,
	}
	if d.Saved != nil {
		l.Saved = d.Saved.ID
	}
	if topic, ok := box.Topic(d.Values["topic"]); ok {
		l.Topic = topic.ID
	}
	if a, err := mail.ParseAddress("email", d.Values["email"]); err == nil {
		l.Contact.Email = string(a)
	}
	return l
}
