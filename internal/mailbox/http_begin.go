package mailbox

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// postedBegin is what the form of a new message to a person carried.
type postedBegin struct {
	id, box, subject, body, remove string
	draft                          draft
	wrong                          fieldErrors
}

// beginHandler is a handler of the page on which an office writes first.
type beginHandler func(w http.ResponseWriter, r *http.Request, who account.Actor, from origin) error

// fromThread serves a handler for the thread of the address, fromPermission for
// the permission.
func fromThread(h beginHandler) account.StaffHandler {
	return func(w http.ResponseWriter, r *http.Request, who account.Actor) error {
		return h(w, r, who, origin{ID: r.PathValue("id")})
	}
}

func fromPermission(h beginHandler) account.StaffHandler {
	return func(w http.ResponseWriter, r *http.Request, who account.Actor) error {
		return h(w, r, who, origin{ID: r.PathValue("id"), Permission: true})
	}
}

func (s *Service) getBeginTo(w http.ResponseWriter, r *http.Request, who account.Actor, from origin) error {
	to, err := s.addressee(r.Context(), who, from)
	if err != nil {
		return err
	}
	if to.Holders == 0 {
		return errNobody
	}
	from.Mailbox = to.Mailbox
	in := postedBegin{id: r.URL.Query().Get("entwurf")}
	if d, err := begunDraft(r, who, from, in.id); err == nil {
		in.draft, in.box, in.subject, in.body = d, d.Values["mailbox"], d.Values["subject"], d.Values["body"]
	} else {
		in.id = newID()
	}
	return s.showBegin(w, r, who, from, http.StatusOK, in)
}

// begunDraft returns the draft of a new message that this person began here.
func begunDraft(r *http.Request, who account.Actor, from origin, id string) (draft, error) {
	d, err := loadDraft(web.SessionOf(r), staffPrefix+id)
	if err == nil && (d.Values["from"] != from.ID || d.Values["person"] != who.Person) {
		err = fault.NotFound
	}
	return d, err
}

func (s *Service) postBeginTo(w http.ResponseWriter, r *http.Request, who account.Actor, from origin) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	to, err := s.addressee(r.Context(), who, from)
	if err != nil {
		if !from.Permission || !errors.Is(err, fault.NotFound) {
			return err
		}
		return s.showTakenBack(w, r, who, from, "", postedText(r, "body"), err)
	}
	from.Mailbox = to.Mailbox
	in, err := s.readBegin(r, t, who, from)
	if errors.Is(err, fault.Unavailable) && in.body != "" {
		return showLost(w, r, fault.Unavailable, in.body)
	}
	switch {
	case errors.Is(err, errNobody):
		return s.showNobody(w, r, who, from, in.id, in.body)
	case from.Permission && errors.Is(err, fault.NotFound):
		return s.showTakenBack(w, r, who, from, in.id, in.body, err)
	case err != nil:
		return err
	case in.draft.Sent != nil: // the same form a second time
		return web.Redirect(w, r, casePath(in.draft.Sent.Thread))
	case in.remove != "":
		if _, err := s.removeUpload(r.Context(), web.SessionOf(r), in.draft.ID, in.remove); err != nil {
			return err
		}
		return web.Redirect(w, r, from.form()+"?entwurf="+in.id)
	case len(in.wrong) > 0:
		return s.showBegin(w, r, who, from, http.StatusUnprocessableEntity, in)
	}
	return s.sendBegun(w, r, t, who, from, in)
}

// showTakenBack answers who writes from a permission that is none, or none any
// more: with text to give back it is the page for that, whatever the address
// names, so that nobody learns which permissions there were.
func (s *Service) showTakenBack(w http.ResponseWriter, r *http.Request, who account.Actor, from origin, draftID, text string, err error) error {
	if text == "" {
		return err
	}
	return s.showNobody(w, r, who, from, draftID, text)
}

func (s *Service) sendBegun(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Actor, from origin, in postedBegin) error {
	box, _ := t.Mailbox(tenant.MailboxID(in.box))
	_, err := sending(web.SessionOf(r), in.draft.ID, func(d draft) error {
		_, err := s.begin(r.Context(), who, beginInput{From: from, Draft: d, Mailbox: box, Subject: in.subject, Body: in.body})
		return err
	}, nil)
	switch {
	case errors.Is(err, errNobody):
		return s.showNobody(w, r, who, from, in.id, in.body)
	case from.Permission && errors.Is(err, fault.NotFound):
		return s.showTakenBack(w, r, who, from, in.id, in.body, err)
	case errors.Is(err, fault.Unavailable):
		return showLost(w, r, fault.Unavailable, in.body)
	case err != nil:
		return err
	}
	if err := s.finishDraft(r, in.draft); err != nil {
		return err
	}
	if err := s.remember(r, undo{Done: "begonnen", Thread: in.draft.Thread}); err != nil {
		return err
	}
	return web.Redirect(w, r, casePath(in.draft.Thread))
}

// readBegin reads the form part by part. Its mailbox stands before the files,
// because their key belongs to it.
func (s *Service) readBegin(r *http.Request, t *tenant.Tenant, who account.Actor, from origin) (in postedBegin, err error) {
	parts, err := web.Parts(r)
	if err != nil {
		return in, err
	}
	for {
		p, err := parts.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && !p.IsFile {
			err = in.field(p)
		} else if err == nil && p.FileName != "" {
			err = s.beginFile(r, t, who, from, &in, p)
		}
		if err != nil {
			return in, err
		}
	}
	in.wrong = append(in.wrong, fault.FieldsOf(parts.Invalid())...)
	if in.remove == "" {
		in.wrong = append(in.wrong, in.check(t, who, from)...)
	}
	box, ok := from.box(t, who, tenant.MailboxID(in.box))
	if !ok {
		return in, nil // said at its field; nothing was drawn
	}
	if in.draft, err = s.beginDraft(r, who, from, &in, box.ID); err != nil || in.draft.Sent != nil {
		return in, err
	}
	in.draft, err = changeDraft(web.SessionOf(r), in.draft.ID, func(d *draft) error {
		d.Values["subject"], d.Values["body"] = in.subject, in.body
		return nil
	})
	return in, err
}

func (in *postedBegin) field(p *web.Part) error {
	value, err := p.Value()
	if err != nil {
		return err
	}
	switch p.Name {
	case "entwurf":
		in.id = value
	case "postfach":
		in.box = value
	case "subject":
		in.subject = strings.TrimSpace(value)
	case "body":
		in.body = value
	case "entfernen":
		in.remove = value
	}
	return nil
}

// check says what is wrong with the form, in its order.
func (in postedBegin) check(t *tenant.Tenant, who account.Actor, from origin) (wrong []fault.Field) {
	if _, ok := from.box(t, who, tenant.MailboxID(in.box)); !ok {
		wrong = append(wrong, fault.Field{Name: "postfach", Key: "mailbox.error.begin.mailbox"})
	}
	switch n := utf8.RuneCountInString(in.subject); {
	case n == 0:
		wrong = append(wrong, fault.Field{Name: "subject", Key: "mailbox.error.begin.subject"})
	case n > maxSubject:
		wrong = append(wrong, fault.Field{Name: "subject", Key: "mailbox.error.subject.long", Args: []any{"n", maxSubject}})
	}
	return append(wrong, checkAnswer("body", in.body)...)
}

// beginFile receives one file into the draft.
func (s *Service) beginFile(r *http.Request, t *tenant.Tenant, who account.Actor, from origin, in *postedBegin, p *web.Part) error {
	box, ok := from.box(t, who, tenant.MailboxID(in.box))
	if !ok {
		in.wrong = append(in.wrong, fault.Field{Name: "files", Key: "mailbox.error.begin.files"})
		return nil
	}
	d, err := s.beginDraft(r, who, from, in, box.ID)
	if err != nil || d.Sent != nil {
		return err
	}
	u, err := s.receive(r.Context(), d, box, who.Tenant, p.FileName, p)
	if wrong := fault.FieldsOf(err); len(wrong) > 0 {
		in.wrong = append(in.wrong, wrong...)
		return nil
	}
	if err != nil {
		return err
	}
	_, err = changeDraft(web.SessionOf(r), d.ID, func(d *draft) error {
		d.Files = append(d.Files, u)
		return nil
	})
	if err != nil {
		s.dropUploads(r.Context(), []upload{u})
	}
	return err
}

// beginDraft returns the draft that the form names, making it and its keys at
// the first post. Two posts of one form at the same time get the same draft, and
// so the same thread. When another mailbox was chosen since, a new draft begins
// and its files have to be chosen again: the old keys belong to the old mailbox.
func (s *Service) beginDraft(r *http.Request, who account.Actor, from origin, in *postedBegin, box tenant.MailboxID) (draft, error) {
	if !validDraftID(in.id) {
		return draft{}, fault.Invalid
	}
	sess := web.SessionOf(r)
	if d, err := begunDraft(r, who, from, in.id); err == nil && d.Sent == nil && d.Values["mailbox"] != string(box) {
		in.id = newID()
		if len(d.Files) > 0 {
			in.wrong = append(in.wrong, fault.Field{Name: "files", Key: "mailbox.error.begin.files"})
		}
		s.discard(r, d)
	}
	key := draftPrefix + staffPrefix + in.id
	if _, ok := sess.Get(key); !ok {
		if err := roomForDraft(sess); err != nil {
			return draft{}, err
		}
	}
	var d draft
	err := sess.Update(key, func(raw []byte) (out []byte, err error) {
		if raw == nil {
			d = newDraft()
			d.ID, d.Token, d.K = staffPrefix+in.id, "", nil
			d.Values["person"], d.Values["from"], d.Values["mailbox"] = who.Person, from.ID, string(box)
			return encode(d), nil
		}
		if d, err = decodeDraft(raw); err == nil && (d.Values["from"] != from.ID || d.Values["person"] != who.Person) {
			err = fault.NotFound
		}
		return raw, err
	})
	if err != nil || d.Sent != nil || len(d.K) == len(seal.Key{}) {
		return d, err
	}
	k, err := s.drawThread(r.Context(), who, from, box, d.Thread, d.Message)
	if err != nil {
		return draft{}, err
	}
	return changeDraft(sess, d.ID, func(d *draft) error {
		d.K = k[:]
		return nil
	})
}

// discard forgets a draft with its files, unless it is sent or being sent.
func (s *Service) discard(r *http.Request, d draft) {
	if d.Sent != nil || d.Sending > 0 {
		return
	}
	web.SessionOf(r).Delete(draftPrefix + d.ID)
	s.dropUploads(r.Context(), d.Files)
}

// beginView is the page of a new message to a person.
type beginView struct {
	Action, Back, BackLabel, Lead string
	Draft                         string
	Boxes                         ui.Choice
	Subject                       ui.Input
	Body                          ui.Area
	Upload                        ui.UploadSpec
	Files                         []ui.File
	Errors                        []ui.FieldError
	Several                       int // people whom it reaches, when it is more than one
}

func (s *Service) showBegin(w http.ResponseWriter, r *http.Request, who account.Actor, from origin, status int, in postedBegin) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	to, err := s.addressee(r.Context(), who, from)
	if err != nil {
		return err
	}
	v := beginViewOf(r, t, who, from, to, in)
	if to.Holders > 1 {
		v.Several = to.Holders
	}
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "mailbox.staff.begin.title"), Body: beginPage(v), Errors: len(in.wrong), Staff: true, Narrow: true, Section: "inbox",
	})
}

func beginViewOf(r *http.Request, t *tenant.Tenant, who account.Actor, from origin, to addressee, in postedBegin) beginView {
	ctx := r.Context()
	if in.box == "" {
		in.box = string(to.Mailbox)
	}
	box, ok := from.box(t, who, tenant.MailboxID(in.box))
	if !ok {
		box, _ = t.Mailbox(to.Mailbox)
	}
	v := beginView{
		Action: from.form(), Back: from.page(), Draft: in.id, Errors: in.wrong.summary(r),
		BackLabel: i18n.T(ctx, "mailbox.staff.backto", "number", to.Number), Lead: i18n.T(ctx, "mailbox.staff.begin.lead", "number", to.Number),
		Boxes:   ui.Choice{Name: "postfach", Label: i18n.T(ctx, "mailbox.staff.begin.mailbox"), Hint: i18n.T(ctx, "mailbox.staff.begin.mailboxhint"), Error: in.wrong.of(r, "postfach")},
		Subject: ui.Input{Name: "subject", Label: fieldLabel(ctx, "subject"), Value: in.subject, Error: in.wrong.of(r, "subject"), Max: maxSubject},
		Body: ui.Area{
			Name: "body", Label: i18n.T(ctx, "mailbox.staff.begin.body"), Hint: i18n.T(ctx, "mailbox.staff.answer.hint"), Value: in.body,
			Error: in.wrong.of(r, "body"), Rows: 9, Max: maxAnswer,
		},
		Upload: ui.UploadSpec{
			Name: "files", Label: i18n.T(ctx, "mailbox.staff.begin.files"), Accept: acceptOf(box), Multiple: true, Optional: true, Error: in.wrong.of(r, "files"),
			Limits: i18n.T(ctx, "mailbox.staff.answer.limits", "n", box.MaxFiles, "bytes", i18n.Size(ctx, box.MaxFile), "kinds", kindList(box.FileKinds)),
		},
	}
	if from.Permission {
		v.BackLabel = i18n.T(ctx, "mailbox.permits.title")
		v.Lead = i18n.T(ctx, "mailbox.permits.lead", "name", ui.Spelled(to.Contact.Name), "date", i18n.Date(ctx, to.Since))
	}
	for _, m := range from.boxes(t, who) {
		v.Boxes.Options = append(v.Boxes.Options, ui.Option{Value: string(m.ID), Label: m.Title(i18n.Lang(ctx)), Selected: m.ID == box.ID})
	}
	for _, f := range in.draft.Files {
		v.Files = append(v.Files, ui.File{Name: f.Name, Size: f.Size, State: i18n.T(ctx, "mailbox.staff.answer.filestate"), Tone: ui.Good, Remove: f.Part})
	}
	return v
}

// showNobody says that the person cannot be written to any more, gives the text
// back and forgets the rest.
func (s *Service) showNobody(w http.ResponseWriter, r *http.Request, who account.Actor, from origin, draftID, text string) error {
	if d, err := begunDraft(r, who, from, draftID); err == nil {
		s.discard(r, d)
	}
	v := lostView{Text: text, Thread: from.page(), Nobody: !from.Permission, TakenBack: from.Permission}
	return web.Render(w, r, http.StatusConflict, web.View{
		Title: i18n.T(r.Context(), "mailbox.staff.lost.title"), Body: lostPage(v), Staff: true, Narrow: true, NoIndex: true,
	})
}
