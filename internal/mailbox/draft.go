package mailbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// draft is an unsent message. It lives in the memory of one session and
// nowhere else; its key K seals the files that were uploaded for it, so that
// they are unreadable once the session is gone, and are removed with it
// (forgetDraft). The assistant, the citizen's reply and the clerk's answer all
// use it.
type draft struct {
	ID      string            `json:"id"`
	Thread  string            `json:"thread"`
	Message string            `json:"message"`
	Token   string            `json:"token,omitempty"`
	K       []byte            `json:"k"`
	Values  map[string]string `json:"values"`
	Files   []upload          `json:"files,omitempty"`
	Reached int               `json:"reached,omitempty"`
	Sent    *sent             `json:"sent,omitempty"`
	Noted   bool              `json:"noted,omitempty"`
	// Sending counts the requests that are storing it right now. While it is
	// not zero nobody knows whether the files belong to a stored letter, so
	// that neither the end of the session nor another tab may remove them.
	Sending int `json:"sending,omitempty"`
	// Unsure remembers that an attempt to store it ended without an answer:
	// the letter may be stored as it was then.
	Unsure bool `json:"unsure,omitempty"`
	// Account is the signed-in person who writes it, as last seen; Saved says
	// where they saved it.
	Account string `json:"account,omitempty"`
	Saved   *saved `json:"saved,omitempty"`
}

// draftPrefix is the beginning of the session keys that hold drafts.
const draftPrefix = "draft."

// maxDrafts bounds how many letters one session may have in the making.
const maxDrafts = 12

func newDraft() draft {
	k := seal.NewKey()
	return draft{
		ID: newID(), Thread: newID(), Message: newID(), Token: string(seal.NewToken()), K: k[:],
		Values: map[string]string{}, Reached: 1,
	}
}

// newID returns an identifier that cannot be guessed.
func newID() string { return strings.ToLower(rand.Text()) }

func (d draft) key() (k seal.Key) {
	copy(k[:], d.K)
	return k
}

func (d draft) size() int64 {
	var n int64
	for _, f := range d.Files {
		n += f.Size
	}
	return n
}

// untouched reports whether nobody has gone on from the first page, or written
// anything below an opened thread.
func (d draft) untouched() bool {
	if len(d.Files) > 0 || d.Sent != nil || d.Sending != 0 || d.Saved != nil {
		return false
	}
	if d.Token == "" {
		return d.Values["body"] == ""
	}
	return d.Reached <= 1
}

// loadDraft returns the draft with the id from the session. A session that has
// ended, and a draft of another session, is NotFound.
func loadDraft(s *web.Session, id string) (draft, error) {
	if s == nil || id == "" {
		return draft{}, fault.NotFound
	}
	raw, ok := s.Get(draftPrefix + id)
	if !ok {
		return draft{}, fault.NotFound
	}
	return decodeDraft(raw)
}

func decodeDraft(raw []byte) (draft, error) {
	var d draft
	if err := json.Unmarshal(raw, &d); err != nil {
		return draft{}, fmt.Errorf("mailbox: read draft: %w", err)
	}
	if d.Values == nil {
		d.Values = map[string]string{}
	}
	return d, nil
}

// putDraft stores a new draft.
func putDraft(s *web.Session, d draft) error {
	if err := makeRoom(s); err != nil {
		return err
	}
	return s.Put(draftPrefix+d.ID, encode(d))
}

// maxSent bounds how many sent letters a session still shows the code of.
const maxSent = 30

// makeRoom makes room for one more draft. When there are too many unsent ones,
// those go first in which nothing has been answered yet; of the sent ones, whose
// codes are still shown, the oldest goes.
func makeRoom(s *web.Session) error {
	unsent, sent := 0, 0
	oldest, first := "", time.Time{}
	for _, k := range s.Keys(draftPrefix) {
		d, err := loadDraft(s, strings.TrimPrefix(k, draftPrefix))
		switch {
		case err != nil:
			continue
		case d.Sent == nil:
			unsent++
		default:
			if sent++; oldest == "" || d.Sent.At.Before(first) {
				oldest, first = k, d.Sent.At
			}
		}
	}
	if sent >= maxSent {
		s.Delete(oldest)
	}
	if unsent < maxDrafts {
		return nil
	}
	for _, k := range s.Keys(draftPrefix) {
		if d, err := loadDraft(s, strings.TrimPrefix(k, draftPrefix)); err == nil && d.untouched() {
			s.Delete(k)
			unsent--
		}
	}
	if unsent >= maxDrafts {
		return fault.With(fault.TooMany, "mailbox.error.drafts")
	}
	return nil
}

// changeDraft applies change to the stored draft in one step, so that an upload
// and a step saved at the same time in another tab do not lose each other.
func changeDraft(s *web.Session, id string, change func(*draft) error) (draft, error) {
	var out draft
	if s == nil {
		return out, fault.NotFound
	}
	err := s.Update(draftPrefix+id, func(raw []byte) ([]byte, error) {
		if raw == nil {
			return nil, fault.NotFound
		}
		d, err := decodeDraft(raw)
		if err != nil {
			return nil, err
		}
		if err := change(&d); err != nil {
			return nil, err
		}
		out = d
		return encode(d), nil
	})
	return out, err
}

// forgetDraft is called for every value that a session leaves behind: the
// uploads of a letter that was never sent are removed at once. Their key is
// gone with the session, so a removal that fails leaves nothing readable; the
// sweep removes it later.
func (s *Service) forgetDraft(key string, value []byte) {
	if !strings.HasPrefix(key, draftPrefix) {
		return
	}
	d, err := decodeDraft(value)
	s.uploads.release(d.Files)
	if err != nil || d.Sent != nil || d.Sending > 0 {
		return // what is being sent is left to its request, or to the sweep
	}
	s.dropSoon(context.Background(), d.Files)
}

// dropUploads removes files of a draft, except those that a stored letter uses.
func (s *Service) dropUploads(ctx context.Context, files []upload) {
	s.uploads.release(files)
	ids := make([]blob.ID, 0, len(files))
	for _, f := range files {
		ids = append(ids, f.Blob)
	}
	if err := s.Refs.Discard(ctx, ids...); err != nil {
		s.Log.Warn("uploads of an unsent letter not removed yet", "count", len(ids), "kind", fault.KindOf(err).Error())
	}
}

// sending runs store for a draft that is marked meanwhile: no other tab and no
// end of the session takes its files away. After an error that leaves it open
// whether the letter was stored, the draft stays marked as Unsure; it can be
// changed and sent again, and store finds out. Store must stop at a draft that
// is sent already. After it has stored the letter, kept changes the draft that
// stays, unless that is nil; it is not called when the session has ended.
func sending(sess *web.Session, id string, store func(draft) error, kept func(*draft)) (draft, error) {
	d, err := changeDraft(sess, id, func(d *draft) error { d.Sending++; return nil })
	if err != nil {
		return d, err
	}
	err = store(d)
	after, keepErr := changeDraft(sess, id, func(d *draft) error {
		d.Sending = max(0, d.Sending-1)
		d.Unsure = d.Unsure || err != nil && outcomeUnknown(err)
		if err == nil && kept != nil {
			kept(d)
		}
		return nil
	})
	if keepErr == nil {
		d = after
	}
	return d, err
}

// outcomeUnknown reports whether a letter may have been stored in spite of the
// error. What was refused before the commit was not.
func outcomeUnknown(err error) bool {
	switch fault.KindOf(err) {
	case fault.Conflict, fault.NotFound, fault.Denied, fault.Invalid, fault.TooMany, fault.TooLarge:
		return false
	}
	return true
}

// lostUploads says which files of a draft the store has no longer. A letter is
// never confirmed with a file that is not there.
func (s *Service) lostUploads(ctx context.Context, files []upload) error {
	var wrong []fault.Field
	for _, f := range files {
		_, err := s.Blobs.Stat(ctx, f.Blob)
		switch {
		case err == nil:
		case !errors.Is(err, fault.NotFound):
			return err
		default:
			wrong = append(wrong, fault.Field{Name: "files", Key: "mailbox.error.files.lost", Args: []any{"name", f.Name}})
		}
	}
	return fault.Fields(wrong...)
}

// withoutLost takes the files out of a draft that the store has no longer.
func (s *Service) withoutLost(ctx context.Context, sess *web.Session, d draft) (draft, error) {
	var lost []upload
	for _, f := range d.Files {
		if _, err := s.Blobs.Stat(ctx, f.Blob); errors.Is(err, fault.NotFound) {
			lost = append(lost, f)
		}
	}
	s.uploads.release(lost)
	return changeDraft(sess, d.ID, func(d *draft) error {
		d.Files = slices.DeleteFunc(d.Files, func(f upload) bool { return hasPart(lost, f.Part) })
		return nil
	})
}

// receive streams one uploaded file into the blob store, sealed under the
// draft's key, while it checks size and kind. What fails leaves nothing.
//
// The kind is decided by the content; the ending must agree with it. The first
// bytes are looked at before anything is stored.
func (s *Service) receive(ctx context.Context, d draft, box tenant.Mailbox, of tenant.ID, fileName string, r io.Reader) (upload, error) {
	name := cleanFileName(fileName)
	fail := func(key string, args ...any) (upload, error) {
		return upload{}, fault.Fields(fault.Field{Name: "files", Key: key, Args: append([]any{"name", name}, args...)})
	}
	if len(d.Files) >= box.MaxFiles {
		return fail("mailbox.error.files.many", "n", box.MaxFiles)
	}
	head, err := readHead(r)
	if err != nil {
		return upload{}, err
	}
	if len(head) == 0 {
		return fail("mailbox.error.files.empty")
	}
	mime, ok := acceptedKind(name, head, box.FileKinds)
	if !ok {
		return fail("mailbox.error.files.kind", "kinds", kindList(box.FileKinds))
	}
	room := min(box.MaxFile, box.MaxMessage-d.size())
	u := upload{Part: "file/" + newID(), Blob: blob.NewID(), Name: name, Type: mime}
	plain := io.MultiReader(bytes.NewReader(head), r)
	u.Size, u.SHA256, err = s.sealToBlob(ctx, d.key(), place(of, d.Message, u.Part), u, plain, room)
	switch {
	case errors.Is(err, errTooBig) && room < box.MaxFile:
		return fail("mailbox.error.files.sum", "bytes", i18n.Size(ctx, box.MaxMessage))
	case errors.Is(err, errTooBig):
		return fail("mailbox.error.files.big", "bytes", i18n.Size(ctx, box.MaxFile))
	case err != nil:
		return upload{}, fmt.Errorf("mailbox: receive file: %w", err)
	}
	return u, nil
}

var errTooBig = errors.New("file is larger than allowed")

// sealToBlob copies at most room plain bytes into a new blob.
func (s *Service) sealToBlob(ctx context.Context, k seal.Key, p seal.Place, u upload, plain io.Reader, room int64) (int64, string, error) {
	hash := sha256.New()
	limited := &capped{r: plain, left: room}
	pr, pw := io.Pipe()
	done := make(chan int64, 1)
	go func() {
		n, err := sealStream(pw, k.Derive(u.Part), p, io.TeeReader(limited, hash))
		pw.CloseWithError(err) // nil closes with EOF
		done <- n
	}()
	_, err := s.Blobs.Put(ctx, u.Blob, pr)
	pr.CloseWithError(io.ErrClosedPipe)
	n := <-done
	if err != nil {
		if limited.over {
			err = errTooBig
		}
		return 0, "", err
	}
	return n, hex.EncodeToString(hash.Sum(nil)), nil
}

func sealStream(w io.Writer, k seal.Key, p seal.Place, r io.Reader) (int64, error) {
	sw, err := seal.NewWriter(w, k, p)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 32<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{sw}, struct{ io.Reader }{r}, buf)
	if err != nil {
		return n, err
	}
	return n, sw.Close()
}

// capped hands out at most left bytes and fails when there are more: a file
// that is cut silently would be a file that nobody sent.
type capped struct {
	r    io.Reader
	left int64
	over bool
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left < int64(len(p)) {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if int64(n) > c.left {
		c.over = true
		return 0, errTooBig
	}
	c.left -= int64(n)
	return n, err
}

// headSize is how much of a file decides its kind. An office document names its
// type in one of its first entries, which lie within this.
const headSize = 64 << 10

func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	return head[:n], nil
}

// removeUpload takes a file out of a draft and off the disk.
func (s *Service) removeUpload(ctx context.Context, sess *web.Session, id, part string) (draft, error) {
	var gone []upload
	d, err := changeDraft(sess, id, func(d *draft) error {
		gone = nil
		if d.Sending > 0 || d.Sent != nil {
			return fmt.Errorf("mailbox: draft is being sent: %w", fault.Conflict)
		}
		d.Files = slices.DeleteFunc(d.Files, func(u upload) bool {
			if u.Part == part {
				gone = append(gone, u)
				return true
			}
			return false
		})
		return nil
	})
	if err == nil {
		s.dropUploads(ctx, gone)
	}
	return d, err
}
