package mailbox

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// maxAnswer is the longest answer, in characters.
const maxAnswer = 20000

// staffPrefix begins the ids of the drafts of clerks, among the drafts of the
// session.
const staffPrefix = "amt."

// validDraftID accepts what newID makes.
func validDraftID(id string) bool {
	return len(id) == 26 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// staffDraft returns a draft of this person for this thread.
func staffDraft(r *http.Request, who account.Actor, threadID, id string) (draft, error) {
	d, err := loadDraft(web.SessionOf(r), staffPrefix+id)
	if err == nil && (d.Thread != threadID || d.Values["person"] != who.Person) {
		err = fault.NotFound
	}
	d.ID = strings.TrimPrefix(d.ID, staffPrefix)
	return d, err
}

// beginAnswer returns the draft with the id that the form carried, making it and
// its key at the first post. Two posts of one form at the same time get the same
// draft, and so the same message.
func (s *Service) beginAnswer(r *http.Request, who account.Actor, threadID, id string, byMail bool) (draft, error) {
	if !validDraftID(id) {
		return draft{}, fault.Invalid
	}
	sess, key := web.SessionOf(r), draftPrefix+staffPrefix+id
	if _, ok := sess.Get(key); !ok {
		if err := roomForDraft(sess); err != nil {
			return draft{}, err
		}
	}
	var d draft
	err := sess.Update(key, func(raw []byte) (out []byte, err error) {
		if raw == nil {
			d = newDraft()
			d.ID, d.Thread, d.Token, d.K = staffPrefix+id, threadID, "", nil
			d.Values["person"] = who.Person
			return encode(d), nil
		}
		if d, err = decodeDraft(raw); err == nil && (d.Thread != threadID || d.Values["person"] != who.Person) {
			err = fault.NotFound
		}
		return raw, err
	})
	if err != nil || d.Sent != nil || len(d.K) == len(seal.Key{}) {
		return d, err
	}
	k, err := s.drawKey(r.Context(), who, threadID, d.Message, byMail)
	if err != nil {
		return draft{}, err
	}
	return changeDraft(sess, d.ID, func(d *draft) error {
		d.K = k[:]
		return nil
	})
}

// roomForDraft drops the clerk's drafts that were sent, when there are many. A
// form of one of them that is sent once more then meets the version that its
// answer has changed, and nothing goes out twice.
func roomForDraft(sess *web.Session) error {
	if len(sess.Keys(draftPrefix)) < maxDrafts {
		return nil
	}
	for _, k := range sess.Keys(draftPrefix + staffPrefix) {
		d, err := loadDraft(sess, strings.TrimPrefix(k, draftPrefix))
		if err == nil && (d.Sent != nil || len(d.Files) == 0 && d.Values["body"] == "") {
			sess.Delete(k)
		}
	}
	if len(sess.Keys(draftPrefix)) >= maxDrafts {
		return fault.With(fault.TooMany, "mailbox.error.drafts")
	}
	return nil
}

// postedAnswer is what the form of an answer carried.
type postedAnswer struct {
	id, body, action, remove, seen string
	version                        int
	draft                          draft
	wrong                          fieldErrors
}

func (s *Service) postAnswer(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	th, err := s.head(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	in, err := s.readAnswer(r, t, who, th)
	if errors.Is(err, fault.Unavailable) && in.body != "" {
		return showLost(w, r, fault.Unavailable, in.body)
	}
	if wrong := atFiles(err); len(wrong) > 0 {
		return s.showCutAnswer(w, r, who, th, in, wrong)
	}
	if err != nil {
		return err
	}
	switch {
	case in.draft.Sent != nil: // the same form a second time
		return web.Redirect(w, r, casePath(th.ID))
	case in.remove != "":
		return s.removeFile(w, r, th, in)
	case len(in.wrong) > 0:
		return s.showAnswer(w, r, who, http.StatusUnprocessableEntity, in)
	}
	return s.sendAnswer(w, r, who, th, in)
}

// showCutAnswer answers a form that could not be read to its end with what of it
// did arrive; what is missing stands as it was kept before.
func (s *Service) showCutAnswer(w http.ResponseWriter, r *http.Request, who account.Actor, th thread, in postedAnswer, wrong fieldErrors) error {
	if kept, err := staffDraft(r, who, th.ID, in.id); err == nil {
		in.draft = kept
		in.body = cmp.Or(in.body, kept.Values["body"])
	}
	in.wrong = append(in.wrong, wrong...)
	return s.showAnswer(w, r, who, http.StatusUnprocessableEntity, in)
}

// showAnswer shows the thread with the draft in its form.
func (s *Service) showAnswer(w http.ResponseWriter, r *http.Request, who account.Actor, status int, in postedAnswer) error {
	return s.showThread(w, r, who, status, threadForms{
		Draft: in.id, Files: in.draft.Files, Body: in.body, Wrong: in.wrong, Conflict: status == http.StatusConflict, Seen: in.seen,
	})
}

func (s *Service) removeFile(w http.ResponseWriter, r *http.Request, th thread, in postedAnswer) error {
	if _, err := s.removeUpload(r.Context(), web.SessionOf(r), in.draft.ID, in.remove); err != nil {
		return err
	}
	return web.Redirect(w, r, casePath(th.ID)+"?entwurf="+in.id)
}

func (s *Service) sendAnswer(w http.ResponseWriter, r *http.Request, who account.Actor, th thread, in postedAnswer) error {
	done := undo{Done: "antwort", Thread: th.ID}
	if in.action == "abschliessen" {
		done.Done = "antwort-zu"
	}
	err := s.storeAnswer(r, who, answerInput{
		Thread: th.ID, Version: in.version, Draft: in.draft, Body: in.body, Close: in.action == "abschliessen",
	})
	switch {
	case errors.Is(err, fault.Conflict):
		return s.showAnswer(w, r, who, http.StatusConflict, in)
	case errors.Is(err, fault.Unavailable):
		return showLost(w, r, fault.Unavailable, in.body)
	case err != nil:
		return err
	}
	if err := s.finishDraft(r, in.draft); err != nil {
		return err
	}
	if err := s.remember(r, done); err != nil {
		return err
	}
	return web.Redirect(w, r, casePath(th.ID))
}

// storeAnswer sends an answer while its draft is marked: if the session ends
// meanwhile, its files stay. After an error that leaves it open whether the
// answer was stored, the mark stays too; files that belong to nothing are swept
// later.
func (s *Service) storeAnswer(r *http.Request, who account.Actor, in answerInput) error {
	sending := func(n int) error {
		_, err := changeDraft(web.SessionOf(r), in.Draft.ID, func(d *draft) error {
			d.Sending = max(0, d.Sending+n)
			return nil
		})
		return err
	}
	if err := sending(1); err != nil {
		return err
	}
	err := s.answer(r.Context(), who, in)
	switch fault.KindOf(err) {
	case fault.Conflict, fault.NotFound, fault.Denied, fault.TooMany:
		_ = sending(-1) // the session is over: then there is nothing to mark
	}
	return err
}

// finishDraft marks a draft as sent, so that the same form sent again is known
// for what it is. Its text and files are forgotten; a file that came in a second
// post at the same moment is removed.
func (s *Service) finishDraft(r *http.Request, done draft) error {
	var extra []upload
	_, err := changeDraft(web.SessionOf(r), done.ID, func(d *draft) error {
		extra = nil
		for _, f := range d.Files {
			if !hasPart(done.Files, f.Part) {
				extra = append(extra, f)
			}
		}
		d.Sent, d.Files, d.K, d.Sending = &sent{Thread: d.Thread}, nil, nil, 0
		delete(d.Values, "body")
		return nil
	})
	if err == nil {
		s.dropUploads(r.Context(), extra)
	}
	if fault.KindOf(err) == fault.Conflict || fault.KindOf(err) == fault.NotFound {
		return nil // the session ended meanwhile; the answer is stored
	}
	return err
}

func hasPart(files []upload, part string) bool {
	for _, f := range files {
		if f.Part == part {
			return true
		}
	}
	return false
}

// readAnswer reads the form part by part and stores its files sealed as they
// stream in. A file that is refused leaves the others in place.
func (s *Service) readAnswer(r *http.Request, t *tenant.Tenant, who account.Actor, th thread) (in postedAnswer, err error) {
	box, _ := t.Mailbox(th.Mailbox)
	byMail := s.answersByMail(th)
	defer func() {
		if err == nil && th.Reply.byMail() && in.remove == "" && len(in.draft.Files) > 0 {
			in.wrong = append(in.wrong, fault.Field{Name: "files", Key: "mailbox.bymail.files.answer"})
		}
	}()
	parts, err := web.Parts(r)
	if err != nil {
		return in, err
	}
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		in.draft, err = s.beginAnswer(r, who, th.ID, in.id, byMail)
		return err
	}
	for {
		p, err := parts.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return in, err
		}
		if !p.IsFile {
			if err := in.field(p); err != nil {
				return in, err
			}
			continue
		}
		if p.FileName == "" {
			continue
		}
		if err := begin(); err != nil {
			return in, err
		}
		if err := s.takeFile(r.Context(), web.SessionOf(r), &in, box, who.Tenant, p); err != nil {
			return in, err
		}
	}
	if err := begin(); err != nil {
		return in, err
	}
	in.wrong = in.wrong.with(fault.FieldsOf(parts.Invalid())...)
	if in.draft.Sent != nil {
		return in, nil
	}
	oversized := in.wrong.oversized()
	if in.remove == "" {
		in.wrong = in.wrong.with(checkAnswer("body", in.body)...)
	}
	if oversized {
		return in, nil
	}
	in.draft, err = changeDraft(web.SessionOf(r), in.draft.ID, func(d *draft) error {
		d.Values["body"] = in.body
		return nil
	})
	return in, err
}

func checkAnswer(field, text string) []fault.Field {
	switch {
	case strings.TrimSpace(text) == "":
		return []fault.Field{{Name: field, Key: "mailbox.error.answer.empty"}}
	case utf8.RuneCountInString(text) > maxAnswer:
		return []fault.Field{{Name: field, Key: "mailbox.error.answer.long", Args: []any{"max", maxAnswer}}}
	}
	return nil
}

// field keeps one text field of the form.
func (in *postedAnswer) field(p *web.Part) error {
	value, err := p.Value()
	if err != nil {
		return err
	}
	switch p.Name {
	case "entwurf":
		in.id = value
	case "version":
		in.version, _ = strconv.Atoi(value)
	case "gesehen":
		in.seen = value
	case "body":
		in.body = value
	case "aktion":
		in.action = value
	case "entfernen":
		in.remove = value
	}
	return nil
}

// takeFile receives one file into the draft. What is wrong with it is kept for
// the page.
func (s *Service) takeFile(ctx context.Context, sess *web.Session, in *postedAnswer, box tenant.Mailbox, of tenant.ID, p *web.Part) error {
	if in.draft.Sent != nil {
		return nil
	}
	u, err := s.receive(ctx, in.draft, box, of, p.FileName, p)
	if wrong := fault.FieldsOf(err); len(wrong) > 0 {
		in.wrong = append(in.wrong, wrong...)
		return nil
	}
	if err != nil {
		return err
	}
	d, err := changeDraft(sess, in.draft.ID, func(d *draft) error {
		d.Files = append(d.Files, u)
		return nil
	})
	if err != nil {
		s.dropUploads(ctx, []upload{u})
		return err
	}
	in.draft = d
	return nil
}

func (s *Service) postNote(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	th, err := s.head(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	text := form.Get("notiz")
	wrong := fieldErrors(fault.FieldsOf(err)).with(checkAnswer("notiz", text)...)
	if len(wrong) > 0 {
		return s.showThread(w, r, who, http.StatusUnprocessableEntity, threadForms{Note: text, Wrong: wrong})
	}
	d, err := s.beginAnswer(r, who, th.ID, form.Get("entwurf"), false)
	if err == nil && d.Sent == nil {
		err = s.storeAnswer(r, who, answerInput{Thread: th.ID, Draft: d, Body: text, Note: true})
	}
	if errors.Is(err, fault.Unavailable) {
		return showLost(w, r, fault.Unavailable, text)
	}
	if err != nil {
		return err
	}
	if err := s.finishDraft(r, d); err != nil {
		return err
	}
	return s.act(w, r, "notiz", func(string) error { return nil })
}

// postedText reads one text out of a form that will not be carried out; ""
// when it cannot be read.
func postedText(r *http.Request, field string) string {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		form, _ := web.Form(r)
		if form == nil {
			return ""
		}
		return form.Get(field)
	}
	parts, err := web.Parts(r)
	if err != nil {
		return ""
	}
	for {
		p, err := parts.Next()
		if err != nil {
			return ""
		}
		if !p.IsFile && p.Name == field {
			text, _ := p.Value()
			return text
		}
	}
}
