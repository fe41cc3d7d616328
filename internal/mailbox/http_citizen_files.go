package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// posted is what a form with files brought: its fields, the files that were
// accepted and stored sealed, and what is wrong with the others.
type posted struct {
	Values *web.Values
	Files  []upload
	Wrong  []fault.Field
}

// readPosted reads a form with files, part by part and never whole. A file that
// is refused does not stop the others. With an error the form ended early: then
// nothing of it is kept, and Values holds the fields that did arrive.
//
// A file that is too large is read to its end and dropped: who sends it would
// otherwise see a broken connection in place of the page that says so.
func (s *Service) readPosted(r *http.Request, d draft, box tenant.Mailbox, of tenant.ID) (posted, error) {
	p := posted{Values: &web.Values{}}
	parts, err := web.Parts(r)
	if err != nil {
		return p, err
	}
	for {
		err := s.readPart(r, parts, d, box, of, &p)
		if errors.Is(err, io.EOF) {
			p.Wrong = append(fault.FieldsOf(parts.Invalid()), p.Wrong...)
			return p, nil
		}
		if err != nil {
			s.dropSoon(r.Context(), p.Files)
			p.Files = nil
			return p, err
		}
	}
}

// readPart takes one part. Its errors end the form.
func (s *Service) readPart(r *http.Request, parts *web.PartReader, d draft, box tenant.Mailbox, of tenant.ID, p *posted) error {
	part, err := parts.Next()
	if err != nil {
		return err
	}
	if !part.IsFile {
		v, err := part.Value()
		if err == nil {
			p.Values.Set(part.Name, append(p.Values.All(part.Name), v)...)
		}
		return err
	}
	if part.Name != "files" || part.FileName == "" {
		return nil // a file field left empty
	}
	d.Files = append(d.Files[:len(d.Files):len(d.Files)], p.Files...)
	u, err := s.receiveMetered(r, d, box, of, part)
	if wrong := fault.FieldsOf(err); len(wrong) > 0 {
		p.Wrong = append(p.Wrong, wrong...)
		return nil
	}
	if err == nil {
		p.Files = append(p.Files, u)
	}
	return err
}

// receiveMetered is receive within what the network of the request may upload
// without sending it.
func (s *Service) receiveMetered(r *http.Request, d draft, box tenant.Mailbox, of tenant.ID, part *web.Part) (upload, error) {
	m := &metered{r: part, b: s.uploads, used: charge{net: web.Network(web.ClientIP(r.Context())), at: s.Now()}}
	u, err := s.receive(r.Context(), d, box, of, part.FileName, m)
	if err == nil {
		m.keep(u.Blob)
		return u, nil
	}
	m.undo()
	if m.over {
		return u, fault.Fields(fault.Field{Name: "files", Key: "mailbox.error.files.room", Args: []any{"name", cleanFileName(part.FileName)}})
	}
	return u, err
}

// dropSoon removes uploads although the request may be over.
func (s *Service) dropSoon(ctx context.Context, files []upload) {
	if len(files) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	s.dropUploads(ctx, files)
}

// addUploads puts accepted files into the draft. When the draft is gone, or the
// letter was sent meanwhile, they are removed again.
func (s *Service) addUploads(r *http.Request, id string, files []upload, change func(*draft)) (draft, error) {
	d, err := changeDraft(web.SessionOf(r), id, func(d *draft) error {
		if d.Sending > 0 || d.Sent != nil {
			return fault.With(fault.Conflict, "mailbox.error.sending")
		}
		d.Files = append(d.Files, files...)
		change(d)
		return nil
	})
	if err != nil {
		s.dropSoon(r.Context(), files)
		return d, fmt.Errorf("mailbox: keep uploads: %w", err)
	}
	return d, nil
}

// postFiles takes files, removes one, and goes on or back. Both the button
// beside the field and the one that goes on upload what was chosen.
func (s *Service) postFiles(w http.ResponseWriter, r *http.Request) error {
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	d, err := s.letterDraft(r)
	lost := errors.Is(err, fault.NotFound)
	switch {
	case lost && web.SessionState(r) == web.None:
		return s.renderRefused(w, r, stepFiles, &web.Values{})
	case lost:
		if d, err = s.freshDraft(w, r, stepFiles, &web.Values{}); err != nil {
			return err
		}
	case err != nil:
		return err
	case d.Sent != nil:
		return web.Redirect(w, r, "/nachricht/gesendet?e="+d.ID)
	}
	in := stepInput{Tenant: t, Draft: d, Step: stepFiles, Lost: lost}
	p, err := s.readPosted(r, d, d.limits(t), t.ID)
	if err != nil {
		return s.filesFailed(w, r, in, err)
	}
	return s.saveFiles(w, r, in, p)
}

// filesFailed answers an upload that could not be read to its end. What was
// uploaded before stands in the list. A body that is no form at all is not a
// person's mistake and gets the plain page.
func (s *Service) filesFailed(w http.ResponseWriter, r *http.Request, in stepInput, err error) error {
	if web.StatusOf(err) == http.StatusBadRequest {
		return err
	}
	if in.Errors = atFiles(err); len(in.Errors) > 0 {
		return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
	}
	return s.stepFailed(w, r, in, err)
}

// atFiles is what is said at the field for files about a form that could not be
// read to its end; nil if the field has nothing to do with it.
func atFiles(err error) fieldErrors {
	if fe, ok := errors.AsType[*fault.Error](err); ok && fe.Kind == fault.Invalid && fe.Key != "" {
		return fieldErrors{{Name: "files", Key: fe.Key, Args: fe.Args}}
	}
	return nil
}

func (s *Service) saveFiles(w http.ResponseWriter, r *http.Request, in stepInput, p posted) error {
	help, err := keepHelp(w, r, p.Values.Get("hilfe"))
	if err != nil {
		return err
	}
	action, gone := p.Values.Get("aktion"), p.Values.Get("entfernen")
	stay := help || in.Lost || action == "hochladen" || gone != ""
	d, err := s.addUploads(r, in.Draft.ID, p.Files, func(d *draft) {
		d.Account = in.Draft.Account
		if !stay && action != "zurueck" && action != saveAction && len(p.Wrong) == 0 && len(d.problems(r.Context(), in.Tenant, stepFiles)) == 0 {
			d.Reached = max(d.Reached, d.next(r.Context(), in.Tenant, stepFiles))
		}
	})
	if err == nil && gone != "" {
		d, err = s.removeUpload(r.Context(), web.SessionOf(r), d.ID, gone)
	}
	if err != nil {
		return s.stepFailed(w, r, in, err)
	}
	in.Draft, in.Errors = d, p.Wrong
	if gone == "" && !help {
		in.Errors = append(in.Errors, d.problems(r.Context(), in.Tenant, stepFiles)...)
	}
	switch {
	case in.Lost:
		return s.renderStep(w, r, http.StatusForbidden, in)
	case len(p.Wrong) > 0 || len(in.Errors) > 0 && action != "zurueck":
		return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
	case stay:
		return web.Redirect(w, r, stepPath(stepFiles, d.ID))
	case action == saveAction:
		return s.saveHere(w, r, stepInput{Tenant: in.Tenant, Draft: d, Step: stepFiles})
	case action == "zurueck":
		return web.Redirect(w, r, stepPath(stepMatter, d.ID))
	}
	return web.Redirect(w, r, stepPath(d.next(r.Context(), in.Tenant, stepFiles), d.ID))
}
