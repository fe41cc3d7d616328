package mailbox

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// threadPageView is the page of one thread.
type threadPageView struct {
	ID, Title, Number, Status, From, Mailbox string
	Tone                                     ui.Tone
	Messages                                 []messageView
	Facts, Sender                            []ui.Pair
	Address                                  []string
	Letter, ByMail                           bool
	// Mail is set for a letter that came by e-mail.
	Mail                       *mailView
	Withdrawal, Unread, Closed bool
	Sealed                     bool
	Pending, Older             int
	People                     []ui.Option
	Assignee                   string
	Mine                       bool
	Protocol                   []ui.Moment
	// Holders counts the people with an account who have the thread in their
	// mailbox; Registered says that it has no collection code.
	Holders    int
	Registered bool
	Changed    time.Time
	Done       string
	HasDone    bool
	Forms      formsView
	// Fate says what becomes of the thread; Excepted that a law keeps it.
	Fate     []string
	Excepted bool
}

// formsView is the state of the forms of a thread, ready to show.
type formsView struct {
	Draft, NoteDraft, Version, Seen, Body, Note string
	Files                                       []ui.File
	BodyError, NoteError, FilesError            string
	Errors                                      []ui.FieldError
	Conflict                                    string
	Limits, Accept                              string
}

// messageView is one message of the thread.
type messageView struct {
	Article  ui.Article
	Markdown string
	Files    []ui.File
	Print    string // address of the print view of this answer alone
	// Undelivered is the sentence for an answer whose mail was given up.
	Undelivered string
}

func (s *Service) threadView(r *http.Request, who account.Actor, id string, forms threadForms) (threadPageView, error) {
	ctx := r.Context()
	t, err := s.tenantOf(r)
	if err != nil {
		return threadPageView{}, err
	}
	o, err := s.openThread(ctx, who, id)
	if err != nil {
		return threadPageView{}, err
	}
	names, err := s.Accounts.Names(ctx, who.Tenant)
	if err != nil {
		return threadPageView{}, err
	}
	v := threadHead(r, t, o)
	v.Facts, v.Changed = s.facts(r, t, o, names), o.Changed
	v.Assignee, v.Mine = o.Assignee, o.Assignee == who.Person
	v.Messages = messageViews(r, t, who, o, names, forms)
	if v.People, err = s.memberOptions(r, o.thread, names); err != nil {
		return threadPageView{}, err
	}
	log, err := s.protocol(ctx, who, id, 5)
	if err != nil {
		return threadPageView{}, err
	}
	v.Protocol = protocolView(r, log, names)
	if v.Holders, err = s.holders(ctx, who.Tenant, origin{ID: id}); err != nil {
		return threadPageView{}, err
	}
	box, _ := t.Mailbox(o.Mailbox)
	f := s.fateOfThread(ctx, box, o.thread)
	v.Fate, v.Excepted = f.staffText(ctx, o.Registered), f.Except != (exception{})
	v.Forms = formsOf(r, o, box, forms, names)
	return v, nil
}

func threadHead(r *http.Request, t *tenant.Tenant, o opened) threadPageView {
	ctx := r.Context()
	v := threadPageView{
		ID: o.ID, Title: o.Subject, Number: o.Number, Status: i18n.T(ctx, "mailbox.staff.status."+string(o.State)), Tone: statusOf(o.State),
		From: o.Contact.Name, Withdrawal: o.Withdrawal, Unread: o.Unread, Closed: o.State == stateClosed, Sealed: o.Sealed, Pending: o.Pending, Older: o.Older,
		ByMail: o.Reply == replyEmail, Mail: mailOf(r, t, o), Letter: o.Reply == replyLetter, Registered: o.Registered,
	}
	if m, ok := t.Mailbox(o.Mailbox); ok {
		v.Mailbox = m.Title(i18n.Lang(ctx))
	}
	switch {
	case o.Sealed:
		v.Title = i18n.T(ctx, "mailbox.staff.thread.arriving", "number", o.Number)
	case v.Title == "":
		v.Title = i18n.T(ctx, "mailbox.staff.row.nosubject")
	}
	if v.From == "" {
		v.From = i18n.T(ctx, "mailbox.staff.row.anonymous")
	}
	if v.Letter || o.Registered && o.Contact.Address != "" {
		v.Address = strings.Split(o.Contact.Address, "\n")
	}
	v.Sender = []ui.Pair{{Key: i18n.T(ctx, "mailbox.staff.sender.name"), Text: v.From}}
	if v.Mail != nil {
		v.Sender = v.Mail.Sender
		return v
	}
	if o.Contact.Email != "" {
		v.Sender = append(v.Sender, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.sender.email"), Text: o.Contact.Email})
	}
	if o.Contact.Address != "" {
		v.Sender = append(v.Sender, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.sender.address"), Node: ui.SafeLines(o.Contact.Address)})
	}
	v.Sender = append(v.Sender, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.sender.reply"), Text: i18n.T(ctx, "mailbox.staff.reply."+string(o.Reply))})
	return v
}

func (s *Service) facts(r *http.Request, t *tenant.Tenant, o opened, names map[string]string) []ui.Pair {
	ctx := r.Context()
	due, near := dueOf(o.thread, s.Now())
	facts := []ui.Pair{
		{Key: i18n.T(ctx, "mailbox.staff.fact.number"), Text: o.Number},
		{Key: i18n.T(ctx, "mailbox.staff.fact.received"), Node: ui.DateTime(o.Received)},
		{Key: i18n.T(ctx, "mailbox.staff.fact.due"), Node: ui.Due(due, near)},
	}
	if m, ok := t.Mailbox(o.Mailbox); ok {
		facts = append(facts, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.fact.mailbox"), Text: m.Title(i18n.Lang(ctx))})
		if topic, ok := m.Topic(o.Topic); ok {
			facts = append(facts, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.fact.topic"), Text: topic.Title(i18n.Lang(ctx))})
		}
	}
	if o.Assignee != "" {
		facts = append(facts, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.fact.who"), Node: ui.Presence(nameOf(r, names, o.Assignee), false)})
	} else {
		facts = append(facts, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.fact.who"), Text: i18n.T(ctx, "mailbox.staff.who.nobody")})
	}
	receipt := "mailbox.staff.fact.noreceipt"
	if o.Receipt != "" {
		receipt = "mailbox.staff.fact.hasreceipt"
	}
	return append(facts, ui.Pair{Key: i18n.T(ctx, "mailbox.staff.fact.receipt"), Text: i18n.T(ctx, receipt)})
}

func nameOf(r *http.Request, names map[string]string, person string) string {
	return cmp.Or(names[person], i18n.T(r.Context(), "mailbox.staff.who.left"))
}

func messageViews(r *http.Request, t *tenant.Tenant, who account.Actor, o opened, names map[string]string, forms threadForms) []messageView {
	var out []messageView
	fresh := false
	for _, m := range o.Messages {
		v := messageOf(r, t, who, o, m, names)
		if fresh && v.Article.Tag == "" {
			v.Article.Tag = i18n.T(r.Context(), "mailbox.staff.thread.new")
		}
		fresh = fresh || forms.Conflict && m.ID == forms.Seen
		out = append(out, v)
	}
	return out
}

func messageOf(r *http.Request, t *tenant.Tenant, who account.Actor, o opened, m openMessage, names map[string]string) messageView {
	ctx := r.Context()
	a := ui.Article{Anchor: "n-" + m.ID, At: m.Created, Name: nameOf(r, names, m.Author), Mine: m.Author == who.Person}
	v := messageView{Files: fileViews(r, o.ID, m)}
	switch m.Kind {
	case fromCitizen:
		a.Who, a.Name, a.Mine = ui.Citizen, cmp.Or(o.Contact.Name, i18n.T(ctx, "mailbox.staff.row.anonymous")), false
		a.Text = m.Body
		if o.Mail != nil && m.ID == o.First {
			a.Tag = i18n.T(ctx, "mailbox.bymail.tag")
		}
	case fromOffice:
		a.Who, v.Markdown = ui.Office, m.Body
		if m.ByMail {
			a.Tag = i18n.T(ctx, "mailbox.staff.thread.bymail")
		}
		if m.Undelivered {
			v.Undelivered = i18n.T(ctx, "mailbox.staff.undelivered.text")
			if o.Reply.byMail() {
				v.Undelivered = i18n.T(ctx, "mailbox.bymail.undelivered")
			}
		}
		v.Print = casePath(o.ID) + "/druck?antwort=" + m.ID
	case note:
		a.Who, a.Text = ui.Internal, m.Body
	default:
		a.Who, a.Text = ui.Internal, eventText(r, t, m.Event)
	}
	v.Article = a
	return v
}

// eventText is the line of a forward, with the reason that only the office
// reads.
func eventText(r *http.Request, t *tenant.Tenant, e eventNote) string {
	title := func(id string) string {
		if m, ok := t.Mailbox(tenant.MailboxID(id)); ok {
			return m.Title(i18n.Lang(r.Context()))
		}
		return id
	}
	return i18n.T(r.Context(), "mailbox.staff.thread.forwarded", "from", title(e.From), "to", title(e.To), "reason", e.Reason)
}

func fileViews(r *http.Request, threadID string, m openMessage) []ui.File {
	var out []ui.File
	for _, f := range m.Files {
		out = append(out, ui.File{
			Name: f.Name, Kind: kindLabel(f.Type), Size: f.Size, Href: casePath(threadID) + "/datei/" + m.ID + "/" + f.Part,
		})
	}
	return out
}

// kindLabel names a content type as people do: "PDF".
func kindLabel(mime string) string {
	for _, k := range fileKinds() {
		if slices.Contains(k.types, mime) {
			return strings.ToUpper(k.ending)
		}
	}
	return ""
}

func (s *Service) memberOptions(r *http.Request, t thread, names map[string]string) ([]ui.Option, error) {
	members, err := s.Vault.Members(r.Context(), string(t.Tenant), string(t.Mailbox))
	if err != nil {
		return nil, paused(err)
	}
	var out []ui.Option
	for _, m := range members {
		if m.Active {
			out = append(out, ui.Option{Value: m.Person, Label: nameOf(r, names, m.Person), Selected: m.Person == t.Assignee})
		}
	}
	slices.SortFunc(out, func(a, b ui.Option) int { return strings.Compare(a.Label, b.Label) })
	return out, nil
}

func protocolView(r *http.Request, log []journal.Item, names map[string]string) []ui.Moment {
	var out []ui.Moment
	for _, e := range log {
		m := ui.Moment{At: e.At, Text: actionText(r, e.Action)}
		if person, ok := strings.CutPrefix(e.Actor, "staff:"); ok {
			m.By = nameOf(r, names, person)
		}
		out = append(out, m)
	}
	return out
}

func actionText(r *http.Request, action string) string {
	switch action {
	case "letter.received", "letter.added", "withdrawal.asked", "answer.sent", "note.added", "thread.assigned", "thread.closed",
		"thread.reopened", "thread.read", "thread.excepted", "thread.unexcepted", "thread.forwarded", "thread.deletion", "answer.undelivered", "thread.begun", "thread.adopted", "thread.letgo":
		return i18n.T(r.Context(), "mailbox.staff.log."+strings.ReplaceAll(action, ".", "_"))
	}
	return i18n.T(r.Context(), "mailbox.staff.log.other")
}

func formsOf(r *http.Request, o opened, box tenant.Mailbox, forms threadForms, names map[string]string) formsView {
	ctx := r.Context()
	v := formsView{
		Draft: forms.Draft, NoteDraft: newID(), Version: strconv.Itoa(o.Version), Body: forms.Body, Note: forms.Note,
		BodyError: forms.Wrong.of(r, "body"), NoteError: forms.Wrong.of(r, "notiz"), FilesError: forms.Wrong.of(r, "files"),
		Errors: forms.Wrong.summary(r), Accept: acceptOf(box),
		Limits: i18n.T(ctx, "mailbox.staff.answer.limits", "n", box.MaxFiles, "bytes", i18n.Size(ctx, box.MaxFile), "kinds", kindList(box.FileKinds)),
	}
	if v.Draft == "" {
		v.Draft = newID()
	}
	if n := len(o.Messages); n > 0 {
		v.Seen = o.Messages[n-1].ID
	}
	for _, f := range forms.Files {
		v.Files = append(v.Files, ui.File{
			Name: f.Name, Size: f.Size, State: i18n.T(ctx, "mailbox.staff.answer.filestate"), Tone: ui.Good, Remove: f.Part,
		})
	}
	if forms.Conflict {
		v.Conflict = conflictText(r, o, forms.Seen, names)
	}
	return v
}

func acceptOf(box tenant.Mailbox) string {
	var out []string
	for _, k := range box.FileKinds {
		out = append(out, "."+k)
	}
	return strings.Join(out, ",")
}

// conflictText says what came in between.
func conflictText(r *http.Request, o opened, seen string, names map[string]string) string {
	ctx := r.Context()
	if o.State == stateClosed {
		return i18n.T(ctx, "mailbox.staff.closed")
	}
	i := slices.IndexFunc(o.Messages, func(m openMessage) bool { return m.ID == seen })
	for _, m := range slices.Backward(o.Messages[i+1:]) {
		switch m.Kind {
		case fromOffice:
			return i18n.T(ctx, "mailbox.staff.collision.office", "name", nameOf(r, names, m.Author))
		case fromCitizen:
			return i18n.T(ctx, "mailbox.staff.collision.citizen")
		}
	}
	return i18n.T(ctx, "mailbox.staff.conflict")
}

// forwardView is the page on which a thread is handed over.
type forwardView struct {
	ID, Title, Number, To, Reason string
	Tell                          bool
	Boxes                         []ui.Option
	Wrong                         fieldErrors
	Errors                        []ui.FieldError
	ToError, ReasonError          string
}

func (v *forwardView) fill(r *http.Request, t *tenant.Tenant, th thread) {
	ctx := r.Context()
	v.ID, v.Number, v.Title = th.ID, th.Number, i18n.T(ctx, "mailbox.staff.forward.title")
	for _, m := range t.Mailboxes {
		if m.ID != th.Mailbox {
			v.Boxes = append(v.Boxes, ui.Option{Value: string(m.ID), Label: m.Title(i18n.Lang(ctx)), Selected: string(m.ID) == v.To})
		}
	}
	v.Errors, v.ToError, v.ReasonError = v.Wrong.summary(r), v.Wrong.of(r, "mailbox"), v.Wrong.of(r, "grund")
}

// deletePageView says what goes.
type deletePageView struct {
	ID, Title, Number string
	Version, Held     string
	Changed, Unread   string // what is new; that something is unread
	What              []ui.Pair
	Grounds           []ui.Option
	Withdrawal        bool
	Fate              []string
	Bound             bool // a law keeps it: it cannot be deleted
	Errors            []ui.FieldError
	GroundError       string
}

func (s *Service) deleteView(r *http.Request, who account.Actor, id string, form deleteForm) (deletePageView, error) {
	ctx := r.Context()
	n, th, err := s.contents(ctx, who, id)
	if err != nil {
		return deletePageView{}, err
	}
	v := deletePageView{
		ID: id, Number: th.Number, Title: i18n.T(ctx, "mailbox.staff.delete.title"), Withdrawal: th.Withdrawal,
		Errors: form.Wrong.summary(r), GroundError: form.Wrong.of(r, "grund"),
		Version: strconv.Itoa(th.Version), Held: strconv.Itoa(n.Messages + n.Notes),
		What: []ui.Pair{
			{Key: i18n.T(ctx, "mailbox.staff.fact.number"), Text: th.Number},
			{Key: i18n.T(ctx, "mailbox.staff.delete.messages"), Text: i18n.Number(ctx, int64(n.Messages))},
			{Key: i18n.T(ctx, "mailbox.staff.delete.notes"), Text: i18n.Number(ctx, int64(n.Notes))},
			{Key: i18n.T(ctx, "mailbox.staff.delete.files"), Text: i18n.Number(ctx, int64(n.Files))},
		},
	}
	t, err := s.tenantOf(r)
	if err != nil {
		return v, err
	}
	box, _ := t.Mailbox(th.Mailbox)
	f := s.fateOfThread(ctx, box, th)
	v.Fate, v.Bound = f.staffText(ctx, th.Registered), f.Except != (exception{})
	if th.Unread {
		v.Unread = i18n.T(ctx, "mailbox.staff.delete.unread")
	}
	if form.Changed {
		v.Changed = i18n.T(ctx, "mailbox.staff.delete.changed")
		if added := n.Messages + n.Notes - form.Held; added > 0 {
			v.Changed = i18n.T(ctx, "mailbox.staff.delete.added", "n", added)
		}
	}
	for _, g := range grounds() {
		v.Grounds = append(v.Grounds, ui.Option{
			Value: g, Label: i18n.T(ctx, "mailbox.staff.ground."+g), Selected: g == form.Ground || form.Ground == "" && th.Withdrawal && g == "zurueckgezogen",
		})
	}
	return v, nil
}

// printPageView is a thread, or one answer as a letter, on paper.
type printPageView struct {
	ID, Title, Number, Authority, Mailbox string
	AddressOf                             []string
	Address                               []string
	Facts                                 []ui.Pair
	Messages                              []messageView
	Letter                                bool
	Date                                  time.Time
}

func (s *Service) printView(r *http.Request, who account.Actor, id, answer string) (printPageView, error) {
	t, err := s.tenantOf(r)
	if err != nil {
		return printPageView{}, err
	}
	o, err := s.openThread(r.Context(), who, id)
	if err != nil {
		return printPageView{}, err
	}
	names, err := s.Accounts.Names(r.Context(), who.Tenant)
	if err != nil {
		return printPageView{}, err
	}
	h := threadHead(r, t, o)
	v := printPageView{
		ID: id, Title: h.Title, Number: o.Number, Authority: t.Name, Mailbox: h.Mailbox, Facts: s.facts(r, t, o, names), Date: s.Now(),
		AddressOf: []string{t.Name, h.Mailbox, t.Address.Street, strings.TrimSpace(t.Address.Postcode + " " + t.Address.Place)},
	}
	v.Messages = messageViews(r, t, who, o, names, threadForms{})
	if answer == "" {
		return v, nil
	}
	i := slices.IndexFunc(o.Messages, func(m openMessage) bool { return m.ID == answer && m.Kind == fromOffice })
	if i < 0 {
		return printPageView{}, fault.NotFound
	}
	v.Letter, v.Date, v.Messages = true, o.Messages[i].Created, v.Messages[i:i+1]
	if o.Contact.Name != "" {
		v.Address = append(v.Address, o.Contact.Name)
	}
	v.Address = append(v.Address, strings.Split(o.Contact.Address, "\n")...)
	return v, nil
}

// lostView is a text that could not be sent.
type lostView struct {
	Text, Thread string
	Ended        bool // the session; otherwise the vault is away
	Cookie       bool // is missing
	Nobody       bool // holds the thread any more
	TakenBack    bool // the permission, if there was one
}
