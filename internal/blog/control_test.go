package blog_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/vault"
)

// A comment that was approved stays as it was approved: the form that it came with brings no other text.
func TestComment_NoChangeAfterApproval(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei")
	form := s.visitor().Get(path).Form("#kommentarformular")
	s.advance(time.Minute)
	form.Set("kommentar", "Geprüft").Submit().Want(http.StatusOK)
	var id string
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select id from blog_comments`).Scan(&id)
	}))
	if done, err := s.Blog.Approve(t.Context(), s.editor, id); !done || err != nil {
		t.Fatal(done, err)
	}
	form.Set("kommentar", "Werbung").Submit().Want(http.StatusOK)
	if got := s.visitor().Get(path).Texts(".ps-comment .ps-letter"); !slices.Equal(got, []string{"Geprüft"}) {
		t.Errorf("after sending the form again: %q", got)
	}
	if n := s.count(`select count(*) from blog_comments`); n != 1 {
		t.Errorf("%d comments", n)
	}
}

// The token that deletes a comment stands nowhere but in the address to which its author is led.
func TestComment_TokenOnce(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	mine := s.write(s.visitor(), path, "Meins.")
	token := strings.TrimPrefix(mine.Path, "/aktuelles/kommentar/")
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		var id string
		var stored []byte
		if err := tx.QueryRow(t.Context(), `select id, token from blog_comments`).Scan(&id, &stored); err != nil {
			return err
		}
		if len(token) < 26 || strings.Contains(id, token) || bytes.Contains(stored, []byte(token)) || len(stored) != 32 {
			t.Errorf("the database holds the token: %q, %d bytes", id, len(stored))
		}
		return nil
	}))
	desk := s.staff("e.redaktion")
	pages := public(s.visitor(), path)
	pages["the queue"] = desk.Get("/amt/redaktion/kommentare?stand=oeffentlich").Body
	pages["the desk"] = desk.Get("/amt/redaktion/kommentare?stand=oeffentlich").Click("Meins.").Body
	for where, text := range pages {
		if strings.Contains(text, token) {
			t.Errorf("%s shows the token", where)
		}
	}
	other := s.write(s.visitorAt("198.51.100.30"), path, "Anderes.")
	s.must(s.Blog.Delete(t.Context(), "betreiber", strings.TrimPrefix(other.Path, "/aktuelles/kommentar/")))
	if got := s.visitor().Get(path).Texts(".ps-comment .ps-letter"); !slices.Equal(got, []string{"Meins."}) {
		t.Errorf("another token deleted: %q", got)
	}
}

// Every act of the staff stands in the journal, under the person who did it.
func TestJournal(t *testing.T) {
	s := newSite(t)
	ctx := t.Context()
	dpo := s.hire("d.schutz", account.DPO)
	path, post := s.post("Frei", unmoderated)
	draft := blog.Draft{Title: "Frei", Source: "x", Comments: true}
	s.must(s.Blog.Save(ctx, s.editor, post, 2, draft))
	name, err := s.Blog.AddPicture(ctx, s.editor, post, "Ein Verlauf", bytes.NewReader(photo(t, 10, 10)))
	s.must(err)
	s.must(s.Blog.RemovePicture(ctx, s.editor, post, name))
	var receipts []blog.Receipt
	for n := range 4 {
		got, err := s.Blog.Comment(ctx, s.tenant("betreiber"), "frei", blog.Submission{Body: "Nr. " + itoa(n), Form: s.Blog.NewForm("frei"), From: netip.MustParseAddr(visitor)})
		s.must(err)
		receipts = append(receipts, got)
	}
	did := func(done bool, err error) {
		t.Helper()
		if s.must(err); !done {
			t.Error("nothing was decided")
		}
	}
	did(s.Blog.Reject(ctx, s.editor, receipts[0].ID, "werbung", "Werbung."))
	did(s.Blog.Approve(ctx, s.editor, receipts[0].ID))
	s.must(s.Blog.Discard(ctx, s.editor, receipts[1].ID))
	_, err = s.Blog.Report(ctx, s.tenant("betreiber"), receipts[2].ID, "hass", "Seht.", netip.MustParseAddr(visitor))
	s.must(err)
	desk := s.staff("e.redaktion")
	desk.PostForm(desk.Get("/amt/redaktion/meldungen").Click("Seht.").Path, "entscheidung", "kept", "begruendung", "Erlaubt.").Want(http.StatusOK)
	for _, refuse := range []bool{true, false} {
		s.must(s.Blog.AskEvidence(ctx, s.editor, receipts[3].ID, vault.EvidenceClaim, "Klage"))
		open, err := s.Vault.EvidenceRequests(ctx, dpo.Grant, "betreiber")
		s.must(err)
		if refuse {
			s.must(s.Blog.RefuseEvidence(ctx, dpo, open[0].ID))
		} else {
			_, _, err = s.Blog.GrantEvidence(ctx, dpo, open[0].ID)
			s.must(err)
		}
	}
	s.must(s.Blog.Withdraw(ctx, s.editor, post))
	s.must(s.Blog.Schedule(ctx, s.editor, post, s.Now().Add(time.Hour)))
	s.advance(2 * time.Hour)
	_, err = s.Jobs.RunDue(ctx)
	s.must(err)
	s.visitor().Get(path).Want(http.StatusOK)
	s.must(s.Blog.Remove(ctx, s.editor, post))

	got := map[string]int{}
	s.must(s.DB.View(ctx, func(tx *db.Tx) error {
		all, err := db.Collect(ctx, tx, func(r db.Scanner) (e [2]string, err error) { return e, r.Scan(&e[0], &e[1]) }, `select actor, action from journal_entries where tenant = 'betreiber'`)
		for _, e := range all {
			got[e[0]+" "+e[1]]++
		}
		return err
	}))
	editor, second := "staff:"+s.editor.Person, "staff:"+dpo.Person
	for want, n := range map[string]int{
		editor + " post.created": 1, editor + " post.saved": 1, editor + " post.published": 1, editor + " post.withdrawn": 1, editor + " post.scheduled": 1,
		"job:blog.publish post.published": 1, editor + " post.deleted": 1, editor + " picture.added": 1, editor + " picture.removed": 1,
		editor + " comment.rejected": 1, editor + " comment.approved": 1, editor + " blog.comment.deleted": 1, editor + " case.answered": 1,
		editor + " evidence.asked": 2, second + " evidence.refused": 1, second + " evidence.granted": 1,
	} {
		if got[want] != n {
			t.Errorf("%s: %d entries, want %d", want, got[want], n)
		}
	}
	if t.Failed() {
		t.Log(fmt.Sprint(got))
	}
}
