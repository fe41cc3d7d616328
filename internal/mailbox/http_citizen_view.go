package mailbox

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/i18n"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// finderView is the start page of the operator.
type finderView struct {
	Query   string
	Asked   bool
	Found   []authority
	Contact []ui.CardSpec
}

type authority struct{ Name, Place, Href string }

func (s *Service) finderView(t *tenant.Tenant, query, lang string) finderView {
	v := finderView{Query: query, Asked: strings.TrimSpace(query) != "", Contact: officesOf(t, lang)}
	for _, a := range s.Directory.Find(query, 20) {
		href := s.BaseURL(a)
		if lang == "en" {
			href += "/en"
		} else {
			href += "/"
		}
		place := strings.TrimSpace(a.Address.Postcode + " " + a.Address.Place)
		v.Found = append(v.Found, authority{Name: a.Name, Place: place, Href: href})
	}
	return v
}

// officesOf returns the mailboxes of a tenant as cards that begin a letter.
func officesOf(t *tenant.Tenant, lang string) []ui.CardSpec {
	out := make([]ui.CardSpec, 0, len(t.Mailboxes))
	for _, m := range t.Mailboxes {
		out = append(out, ui.CardSpec{Href: "/nachricht?amt=" + url.QueryEscape(string(m.ID)), Title: m.Title(lang), Text: m.Duty(lang)})
	}
	return out
}

// stepView is a page of the assistant.
type stepView struct {
	Step    int
	Action  string
	Token   string
	Errors  []ui.FieldError
	Ended   bool
	Lost    bool
	Unsent  bool
	Alert   string
	Steps   []ui.Step
	Office  string
	Days    int
	Choices ui.Choice // steps 1 and 2
	Matter  matterView
	Upload  ui.UploadSpec
	Files   []ui.File
	Groups  []groupView
	// Account says that the writer is signed in; Saved what was saved of the
	// draft, and JustSaved that it was this moment.
	Account bool
	Saved   *saved
	// Rule says what becomes of the letter.
	Rule      string
	JustSaved bool
}

// matterView is step 3.
type matterView struct {
	Subject, Email, Name ui.Input
	Body, Address        ui.Area
	Reply                ui.Choice
	NoEmail              bool // the account has one
}

// groupView is a part of the check page.
type groupView struct {
	Spec  ui.GroupSpec
	Rows  []ui.Pair
	Files []ui.File
}

func (s *Service) stepView(r *http.Request, in stepInput) stepView {
	ctx, lang := r.Context(), i18n.Lang(r.Context())
	d, box := in.Draft, in.Draft.limits(in.Tenant)
	v := stepView{
		Step: in.Step, Action: stepPath(in.Step, d.ID), Token: d.Token, Errors: in.Errors.summary(r),
		Ended: in.Ended, Lost: in.Lost, Unsent: in.Unsent, Alert: in.Alert,
		Steps: stepList(ctx, in, lang), Days: box.ReplyDays, Account: d.Account != "",
	}
	if d.Saved != nil && d.Saved.Account == d.Account {
		v.Saved, v.JustSaved = d.Saved, in.Saved
	}
	v.Rule = ruleBefore(ctx, in.Tenant, d)
	if chosen, ok := d.box(in.Tenant); ok {
		v.Office = chosen.Title(lang)
	}
	switch in.Step {
	case stepOffice:
		v.Choices = officeChoice(r, in, lang)
	case stepTopic:
		v.Choices = topicChoice(r, in, box, lang)
	case stepMatter:
		v.Matter = matterOf(r, in, box)
	case stepFiles:
		v.Upload = uploadSpec(ctx, box, in.Errors.of(r, "files"), true)
		v.Files = uploadsOf(ctx, d.Files, true)
	case stepCheck:
		v.Groups = checkGroups(ctx, in.Tenant, d, lang)
	}
	return v
}

func stepList(ctx context.Context, in stepInput, lang string) []ui.Step {
	var out []ui.Step
	for n := stepOffice; n <= stepCheck; n++ {
		// After a session has ended only what the last request carried is there:
		// an earlier step whose answers are gone is not done.
		done := n < in.Draft.Reached && len(in.Draft.problems(ctx, in.Tenant, n)) == 0
		st := ui.Step{Label: stepLabel(ctx, n), Current: n == in.Step, Done: done}
		if n <= in.Draft.Reached {
			st.Href = stepPath(n, in.Draft.ID)
		}
		switch box, ok := in.Draft.box(in.Tenant); {
		case n == stepOffice && ok:
			st.Note = box.Title(lang)
		case n == stepTopic && ok:
			if topic, ok := box.Topic(in.Draft.Values["topic"]); ok {
				st.Note = topic.Title(lang)
			}
		case n == stepFiles:
			st.Note = i18n.T(ctx, "mailbox.steps.optional")
		}
		out = append(out, st)
	}
	return out
}

func officeChoice(r *http.Request, in stepInput, lang string) ui.Choice {
	ctx := r.Context()
	c := ui.Choice{
		Name: "mailbox", Label: stepTitle(ctx, stepOffice), Hint: i18n.T(ctx, "mailbox.step1.hint", "tenant", in.Tenant.Name),
		Heading: true, Boxed: true, Value: in.Draft.Values["mailbox"], Error: in.Errors.of(r, "mailbox"),
	}
	for _, m := range in.Tenant.Mailboxes {
		c.Options = append(c.Options, ui.Option{Value: string(m.ID), Label: m.Title(lang), Hint: m.Duty(lang)})
	}
	if box, ok := in.Tenant.FallbackMailbox(); ok && len(in.Tenant.Mailboxes) > 1 {
		c.Options = append(c.Options, ui.Option{
			Value: unsure, Label: i18n.T(ctx, "mailbox.step1.unsure"), Hint: i18n.T(ctx, "mailbox.step1.unsure.hint", "office", box.Title(lang)),
		})
	}
	return c
}

func topicChoice(r *http.Request, in stepInput, box tenant.Mailbox, lang string) ui.Choice {
	ctx := r.Context()
	c := ui.Choice{
		Name: "topic", Label: stepTitle(ctx, stepTopic), Hint: i18n.T(ctx, "mailbox.step2.hint", "office", box.Title(lang)),
		Heading: true, Boxed: true, Value: in.Draft.Values["topic"], Error: in.Errors.of(r, "topic"),
	}
	for _, t := range box.Topics {
		c.Options = append(c.Options, ui.Option{Value: t.ID, Label: t.Title(lang)})
	}
	if len(box.Topics) == 0 {
		c.Value = generalTopic
		c.Options = []ui.Option{{Value: generalTopic, Label: i18n.T(ctx, "mailbox.step2.general")}}
	}
	return c
}

func matterOf(r *http.Request, in stepInput, box tenant.Mailbox) matterView {
	ctx, val := r.Context(), in.Draft.Values
	reply := val["reply"]
	if reply == "" && in.Errors.of(r, "reply") == "" {
		reply = string(replyCode)
		if in.Draft.Account != "" {
			reply = string(replyAccount)
		}
	}
	v := matterView{
		Subject: ui.Input{Name: "subject", Label: fieldLabel(ctx, "subject"), Hint: i18n.T(ctx, "mailbox.step3.subject.hint"), Max: maxSubject},
		Body: ui.Area{
			Name: "body", Label: fieldLabel(ctx, "body"), Hint: i18n.T(ctx, "mailbox.step3.body.hint"), Rows: 10, Max: maxBody,
			Help: &ui.HelpText{ID: "nachricht", Title: i18n.T(ctx, "mailbox.step3.body.help"), Body: bodyHelp(), Keep: true},
		},
		Reply: ui.Choice{
			Name: "reply", Label: fieldLabel(ctx, "reply"), Value: reply, Boxed: true,
			Help:    &ui.HelpText{ID: "antwortweg", Title: i18n.T(ctx, "mailbox.step3.reply.help"), Text: i18n.T(ctx, "mailbox.step3.reply.help.text"), Keep: true},
			Options: replyOptions(ctx, box, in.Draft.Account != ""),
		},
		Email: ui.Input{
			Name: "email", Label: fieldLabel(ctx, "email"), Hint: i18n.T(ctx, "mailbox.step3.email.hint"), Type: "email", Autocomplete: "email", Optional: true,
			Help: &ui.HelpText{ID: "email", Title: i18n.T(ctx, "mailbox.step3.email.help"), Text: i18n.T(ctx, "mailbox.step3.email.help.text"), Keep: true},
		},
		Name:    ui.Input{Name: "name", Label: fieldLabel(ctx, "name"), Autocomplete: "name", Optional: !box.SenderRequired},
		Address: ui.Area{Name: "address", Label: fieldLabel(ctx, "address"), Rows: 3, Optional: !box.SenderRequired, Attrs: autocomplete("street-address")},
	}
	v.Name.Hint, v.Address.Hint = i18n.T(ctx, "mailbox.step3.sender.hint"), i18n.T(ctx, "mailbox.step3.address.hint")
	if box.SenderRequired {
		v.Name.Hint = i18n.T(ctx, "mailbox.step3.sender.required", "office", box.Title(i18n.Lang(ctx)))
		v.Address.Hint = i18n.T(ctx, "mailbox.step3.address.required")
		v.Reply.Help.Text = i18n.T(ctx, "mailbox.step3.reply.required.text")
	}
	if box.MembersOnly {
		v.Name.Label, v.Name.Optional, v.Name.Autocomplete = i18n.T(ctx, "mailbox.field.authority"), false, "organization"
		v.Name.Hint = i18n.T(ctx, "mailbox.step3.authority.hint")
	}
	for _, f := range []struct {
		name       string
		value, err *string
	}{
		{"subject", &v.Subject.Value, &v.Subject.Error}, {"body", &v.Body.Value, &v.Body.Error}, {"email", &v.Email.Value, &v.Email.Error},
		{"name", &v.Name.Value, &v.Name.Error}, {"address", &v.Address.Value, &v.Address.Error},
	} {
		*f.value, *f.err = val[f.name], in.Errors.of(r, f.name)
	}
	v.Reply.Error = in.Errors.of(r, "reply")
	v.NoEmail = in.Draft.Account != ""
	return v
}

func replyOptions(ctx context.Context, box tenant.Mailbox, registered bool) []ui.Option {
	if registered {
		return []ui.Option{
			{Value: string(replyAccount), Label: i18n.T(ctx, "mailbox.reply.account"), Hint: i18n.T(ctx, "mailbox.reply.account.hint")},
			{Value: string(replyLetter), Label: i18n.T(ctx, "mailbox.reply.letter"), Hint: i18n.T(ctx, "mailbox.reply.letter.held")},
		}
	}
	out := []ui.Option{
		{Value: string(replyCode), Label: i18n.T(ctx, "mailbox.reply.code"), Hint: i18n.T(ctx, "mailbox.reply.code.hint")},
		{Value: string(replyLetter), Label: i18n.T(ctx, "mailbox.reply.letter"), Hint: i18n.T(ctx, "mailbox.reply.letter.hint")},
	}
	if box.EmailReply {
		out = append(out, ui.Option{Value: string(replyEmail), Label: i18n.T(ctx, "mailbox.reply.email"), Hint: i18n.T(ctx, "mailbox.reply.email.hint")})
	}
	return out
}

func uploadSpec(ctx context.Context, box tenant.Mailbox, err string, button bool) ui.UploadSpec {
	accept := make([]string, 0, len(box.FileKinds))
	for _, k := range box.FileKinds {
		accept = append(accept, "."+k)
		switch k {
		case "jpg":
			accept = append(accept, ".jpeg")
		case "tif":
			accept = append(accept, ".tiff")
		}
	}
	u := ui.UploadSpec{
		Name: "files", Label: i18n.T(ctx, "mailbox.files.label"), Multiple: true, Optional: true, Accept: strings.Join(accept, ","), Error: err,
		Limits: i18n.T(ctx, "mailbox.files.limits", "n", box.MaxFiles, "each", i18n.Size(ctx, box.MaxFile), "sum", i18n.Size(ctx, box.MaxMessage), "kinds", kindList(box.FileKinds)),
	}
	if button {
		u.Button, u.ButtonName, u.ButtonValue = i18n.T(ctx, "mailbox.files.upload"), "aktion", "hochladen"
	}
	return u
}

func uploadsOf(ctx context.Context, files []upload, remove bool) []ui.File {
	out := make([]ui.File, 0, len(files))
	for _, f := range files {
		x := ui.File{Name: f.Name, Kind: strings.ToUpper(endingOf(f.Name)), Size: f.Size, State: i18n.T(ctx, "mailbox.files.accepted"), Tone: ui.Good}
		if remove {
			x.Remove = f.Part
		}
		out = append(out, x)
	}
	return out
}

func checkGroups(ctx context.Context, t *tenant.Tenant, d draft, lang string) []groupView {
	l := d.letter(ctx, t)
	group := func(n int, change string) groupView {
		return groupView{Spec: ui.GroupSpec{Title: stepLabel(ctx, n), Href: stepPath(n, d.ID), ChangeLabel: change, Number: n}}
	}
	office := group(stepOffice, i18n.T(ctx, "mailbox.step5.change.office"))
	office.Rows = []ui.Pair{{Key: i18n.T(ctx, "mailbox.step5.authority"), Text: t.Name}, {Key: i18n.T(ctx, "mailbox.step5.office"), Text: l.Mailbox.Title(lang)}}
	topic := group(stepTopic, i18n.T(ctx, "mailbox.step5.change.topic"))
	name := i18n.T(ctx, "mailbox.step2.general")
	if x, ok := l.Mailbox.Topic(l.Topic); ok {
		name = x.Title(lang)
	}
	topic.Rows = []ui.Pair{{Key: stepLabel(ctx, stepTopic), Text: name}}
	matter := group(stepMatter, i18n.T(ctx, "mailbox.step5.change.matter"))
	matter.Rows = []ui.Pair{
		{Key: fieldLabel(ctx, "subject"), Text: l.Subject},
		{Key: fieldLabel(ctx, "body"), Node: ui.SafeLines(l.Body)},
		{Key: fieldLabel(ctx, "reply"), Text: replyLabel(ctx, l.Reply)},
	}
	for _, f := range [][2]string{{"email", l.Contact.Email}, {"name", l.Contact.Name}, {"address", l.Contact.Address}} {
		if f[0] == "email" && l.Account != "" {
			continue // asked of nobody who has an account
		}
		text := f[1]
		if text == "" {
			text = i18n.T(ctx, "mailbox.step5.none")
		}
		label := fieldLabel(ctx, f[0])
		if f[0] == "name" && l.Mailbox.MembersOnly {
			label = i18n.T(ctx, "mailbox.field.authority")
		}
		matter.Rows = append(matter.Rows, ui.Pair{Key: label, Node: ui.SafeLines(text)})
	}
	files := group(stepFiles, i18n.T(ctx, "mailbox.step5.change.files"))
	files.Files = uploadsOf(ctx, d.Files, false)
	if len(files.Files) == 0 {
		files.Rows = []ui.Pair{{Key: stepLabel(ctx, stepFiles), Text: i18n.T(ctx, "mailbox.step5.nofiles")}}
	}
	return []groupView{office, topic, matter, files}
}

func replyLabel(ctx context.Context, way replyWay) string {
	switch way {
	case replyLetter:
		return i18n.T(ctx, "mailbox.reply.letter")
	case replyEmail:
		return i18n.T(ctx, "mailbox.reply.email")
	case replyAccount:
		return i18n.T(ctx, "mailbox.reply.account")
	}
	return i18n.T(ctx, "mailbox.reply.code")
}

// stepTitle is the heading of a step.
func stepTitle(ctx context.Context, n int) string {
	switch n {
	case stepOffice:
		return i18n.T(ctx, "mailbox.step1.title")
	case stepTopic:
		return i18n.T(ctx, "mailbox.step2.title")
	case stepMatter:
		return i18n.T(ctx, "mailbox.step3.title")
	case stepFiles:
		return i18n.T(ctx, "mailbox.step4.title")
	}
	return i18n.T(ctx, "mailbox.step5.title")
}

// stepLabel names a step in the list of steps.
func stepLabel(ctx context.Context, n int) string {
	switch n {
	case stepOffice:
		return i18n.T(ctx, "mailbox.steps.office")
	case stepTopic:
		return i18n.T(ctx, "mailbox.steps.topic")
	case stepMatter:
		return i18n.T(ctx, "mailbox.steps.matter")
	case stepFiles:
		return i18n.T(ctx, "mailbox.steps.files")
	}
	return i18n.T(ctx, "mailbox.steps.check")
}

func fieldLabel(ctx context.Context, name string) string {
	switch name {
	case "subject":
		return i18n.T(ctx, "mailbox.field.subject")
	case "body":
		return i18n.T(ctx, "mailbox.field.body")
	case "reply":
		return i18n.T(ctx, "mailbox.field.reply")
	case "email":
		return i18n.T(ctx, "mailbox.field.email")
	case "name":
		return i18n.T(ctx, "mailbox.field.name")
	}
	return i18n.T(ctx, "mailbox.field.address")
}

// goneView is a page whose form is no longer there: what came with the request
// is given back as text.
type goneView struct {
	Title, Text    string
	Typed          []ui.Pair
	Again, Collect string // addresses to begin anew and to the collection, "" for none
	Sent           bool   // nothing is amiss: collecting comes first
}

// sentView is the confirmation.
type sentView struct {
	Groups   []string
	Code     string
	Number   string
	Office   string
	Due      time.Time
	Reply    replyWay
	Facts    []ui.Line
	Receipt  string
	QRHref   string
	TextHref string
	Action   string
	// Older is set when the letter is stored as it was first sent: Stored is
	// that text, Changed the one that was sent last.
	Older           bool
	Stored, Changed string
	// Held is the address of the thread in the sender's mailbox; then there is
	// no code.
	Held string
	// Rule says what becomes of the letter.
	Rule string
}

func (s *Service) sentView(r *http.Request, t *tenant.Tenant, d draft) sentView {
	code := seal.Token(d.Token).Code().String()
	v := sentView{
		Groups: strings.Split(code, "-"), Code: code, Number: d.Sent.Number, Due: d.Sent.Due, Reply: d.Sent.Reply,
		Receipt: d.Sent.Receipt, Action: "/nachricht/gesendet?e=" + d.ID,
		Older: d.Sent.Older, Stored: d.Sent.Stored, Changed: d.Values["body"],
		QRHref: "/nachricht/gesendet/qr.svg?e=" + d.ID, TextHref: "/nachricht/gesendet/quittung.txt?e=" + d.ID,
	}
	if d.Sent.Registered {
		v.Groups, v.Code, v.Held = nil, "", heldPath(d.Sent.Thread)
	}
	if box, ok := t.Mailbox(d.Sent.Mailbox); ok {
		v.Office, v.Rule = box.Title(i18n.Lang(r.Context())), ruleText(r.Context(), box)
	}
	if rec, err := seal.ParseReceipt(d.Sent.Receipt); err == nil {
		v.Facts = receiptFacts(r.Context(), rec.Receipt)
	}
	return v
}

// receiptFacts are the lines of a receipt in words.
func receiptFacts(ctx context.Context, rec seal.Receipt) []ui.Line {
	out := []ui.Line{
		{Key: i18n.T(ctx, "mailbox.receipt.tenant"), Value: rec.TenantName},
		{Key: i18n.T(ctx, "mailbox.receipt.mailbox"), Value: rec.MailboxName},
		{Key: i18n.T(ctx, "mailbox.receipt.number"), Value: rec.Case},
		{Key: i18n.T(ctx, "mailbox.receipt.at"), Value: i18n.DateTime(ctx, rec.At)},
		{Key: i18n.T(ctx, "mailbox.receipt.text"), Value: hexOf(rec.Text), Mono: true},
	}
	for i, f := range rec.Files {
		key := i18n.T(ctx, "mailbox.receipt.nthfile", "number", strconv.Itoa(i+1), "bytes", i18n.Size(ctx, f.Size))
		out = append(out, ui.Line{Key: key, Value: hexOf(f.SHA256), Mono: true})
	}
	return out
}
