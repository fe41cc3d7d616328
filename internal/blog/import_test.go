package blog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// foreign reads an export of the folder of test data.
func foreign(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// takeOver imports an export and returns what it did, as one line.
func (s *site) takeOver(what blog.Import, export string) string {
	s.t.Helper()
	got, err := s.Blog.Import(s.t.Context(), s.tenant("betreiber"), what, strings.NewReader(export))
	s.must(err)
	var out []string
	for _, p := range got.Threads {
		out = append(out, fmt.Sprintf("%s %s %d", p.Fate, p.Slug, p.Comments))
	}
	out = append(out, fmt.Sprintf("%d new %d known %d addresses", got.Comments, got.Known, got.Addresses))
	for _, why := range slices.Sorted(maps.Keys(got.Left)) {
		out = append(out, fmt.Sprintf("%d %s", got.Left[why], why))
	}
	return strings.Join(out, "; ")
}

func (s *site) is(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s:\n  %s, want\n  %s", what, got, want)
	}
}

// persons are the words of the exports that say who somebody is.
func persons() []string {
	return []string{
		"Wendelin", "wmuster", "post.example", "Edeltraud", "Spät Dran", "Kunigunde", "kunigunde.example", "ottilie", "Ottilie",
		"203.0.113.20", "2001:db8:77", "Casino", "Kaufen", "Noch nicht geprüft", "Zurückgenommen<",
	}
}

func TestImport_Disqus(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Neue Öffnungszeiten", unmoderated)
	what := blog.Import{Format: blog.Disqus, Posts: blog.PostsDraft}
	dry := what
	dry.Dry = true
	want := "found neue-oeffnungszeiten 4; unmatched  0; 4 new 0 known 1 addresses; 1 deleted; 1 spam"
	s.is("dry run", s.takeOver(dry, foreign(t, "disqus.xml")), want)
	if n := s.count(`select (select count(*) from blog_comments) + (select count(*) from blog_evidence) + (select count(*) from blog_imports)`); n != 0 {
		t.Fatalf("the dry run wrote %d rows", n)
	}
	s.is("run", s.takeOver(what, foreign(t, "disqus.xml")), want)
	s.is("second run", s.takeOver(what, foreign(t, "disqus.xml")), "found neue-oeffnungszeiten 0; unmatched  0; 0 new 4 known 0 addresses; 1 deleted; 1 spam")
	json := s.visitor().Get(path + "/kommentare.json").Body
	s.is("comments", json, `{"comments":[{"text":"Endlich auch samstags!\n\nMehr: https://alt.example/plan_b","time":"2026-10-02T09:15:00Z","answers":[`+
		`{"text":"Gilt das auch im Dezember?","time":"2026-10-02T10:00:00Z"},{"text":"Ja, auch dann.","time":"2026-10-02T11:00:00Z"}]},`+
		`{"text":"Antwort auf Zurückgenommenes","time":"2026-10-02T12:40:00Z"}]}`)
	s.visitor().Get(path).Want(http.StatusOK)
	s.nobody()
}

// nobody makes sure that no column of the database names a person of the exports.
func (s *site) nobody() {
	s.t.Helper()
	for _, q := range []string{
		`select body from blog_comments`, `select title || summary || source || author || slug from blog_posts`, `select id || post_id from blog_imports`,
		`select comment_id || day from blog_evidence`, `select action || object from journal_entries`,
	} {
		s.must(s.DB.View(s.t.Context(), func(tx *db.Tx) error {
			all, err := db.Collect(s.t.Context(), tx, func(r db.Scanner) (v string, err error) { return v, r.Scan(&v) }, q)
			for _, v := range all {
				for _, p := range persons() {
					if strings.Contains(v, p) {
						s.t.Errorf("%s holds %q", q, p)
					}
				}
			}
			return err
		}))
	}
}

func TestImport_WordPress(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Neue Öffnungszeiten", unmoderated)
	what := blog.Import{Format: blog.WXR, Posts: blog.PostsNone}
	s.is("without posts", s.takeOver(what, foreign(t, "wordpress.xml")),
		"found neue-oeffnungszeiten 2; unmatched  0; unmatched  0; 2 new 0 known 1 addresses; 1 not approved; 1 pingbacks; 1 spam")
	what.Posts = blog.PostsPublished
	s.is("with posts", s.takeOver(what, foreign(t, "wordpress.xml")),
		"found neue-oeffnungszeiten 0; made buergerfest 1; made unfertig 0; 1 new 2 known 0 addresses; 1 not approved; 1 pingbacks; 1 spam")
	s.is("once more", s.takeOver(what, foreign(t, "wordpress.xml")),
		"found neue-oeffnungszeiten 0; found buergerfest 0; found unfertig 0; 0 new 3 known 0 addresses; 1 not approved; 1 pingbacks; 1 spam")
	if page := s.visitor().Get(path); page.Contains("Dort anders") || page.Text(".ps-comment .ps-letter") != "Danke! Das hilft sehr." {
		t.Errorf("the post that was here: %q", page.Texts(".ps-letter"))
	}
	s.visitor().Get("/aktuelles/unfertig").Want(http.StatusNotFound)
	fest := s.visitor().Get("/aktuelles/buergerfest").Want(http.StatusOK)
	for _, bad := range []string{"<script>alert", "javascript:", "onclick", "onerror", "<img src=\"https://alt"} {
		if strings.Contains(fest.Body, bad) {
			t.Errorf("the imported post holds %q", bad)
		}
	}
	s.is("text", fest.Text(".ps-post__body"), "Am Samstag feiern wir. Programm Musik Tanz Zelt")
	s.is("time", fest.Attr("time", "datetime")[:10], "2026-06-01")
	if n := s.count(`select count(*) from journal_entries where action = 'post.imported'`); n != 7 {
		t.Errorf("%d entries in the journal, want 7: one for each post and run", n)
	}
	s.nobody()
}

// What was deleted here does not come back, and a post that got another address is still the same.
func TestImport_Again(t *testing.T) {
	s := newSite(t)
	what := blog.Import{Format: blog.WXR, Posts: blog.PostsDraft}
	s.takeOver(what, foreign(t, "wordpress.xml"))
	for _, path := range []string{"/aktuelles/neue-oeffnungszeiten", "/aktuelles/buergerfest"} {
		s.visitor().Get(path).Want(http.StatusNotFound) // drafts
	}
	var post, comment string
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select c.id, p.id from blog_comments c join blog_posts p on p.id = c.post_id where p.slug = 'buergerfest'`).Scan(&comment, &post)
	}))
	s.must(s.Blog.Save(t.Context(), s.editor, post, 1, blog.Draft{Title: "Fest", Slug: "fest", Source: "Neu", Comments: true}))
	s.must(s.Blog.Discard(t.Context(), s.editor, comment))
	s.is("second run", s.takeOver(what, foreign(t, "wordpress.xml")),
		"found neue-oeffnungszeiten 0; found fest 0; found unfertig 0; 0 new 3 known 0 addresses; 1 not approved; 1 pingbacks; 1 spam")
	// Publishing a draft that was public there keeps its time.
	s.must(s.Blog.Publish(t.Context(), s.editor, post))
	s.is("time", s.visitor().Get("/aktuelles/fest").Attr("time", "datetime")[:10], "2026-06-01")
}

// The address of a comment is sealed while its period lasts, and opens for two persons as any other; it goes when the period of
// the comment ends, not that of the import. In the profile streng there is none.
func TestImport_Addresses(t *testing.T) {
	s := newSite(t)
	s.post("Neue Öffnungszeiten", unmoderated)
	s.takeOver(blog.Import{Format: blog.Disqus}, foreign(t, "disqus.xml"))
	var id string
	var box []byte
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select comment_id, box from blog_evidence`).Scan(&id, &box)
	}))
	if bytes.Contains(box, []byte("203.0.113.201")) {
		t.Error("the address stands in the clear")
	}
	dpo := s.hire("d.schutz", account.DPO)
	_, err := s.Vault.AskEvidence(t.Context(), s.editor.Grant, "betreiber", id, vault.EvidenceClaim, "Klage")
	s.must(err)
	requests, err := s.Vault.EvidenceRequests(t.Context(), dpo.Grant, "betreiber")
	s.must(err)
	if _, got, err := s.Blog.GrantEvidence(t.Context(), dpo, requests[0].ID); err != nil || got.String() != "203.0.113.201" {
		t.Errorf("opened %q, %v", got, err)
	}
	s.advance(42 * 24 * time.Hour) // 91 days after the comment, 42 after the import
	s.must(s.Blog.Sweep(t.Context()))
	if n := s.count(`select count(*) from blog_evidence`); n != 0 {
		t.Errorf("%d addresses after the period", n)
	}
	s.must(tenant.SetModule(t.Context(), s.DB, "beispielingen", tenant.Blog, true))
	s.must(s.Directory.Refresh(t.Context()))
	got, err := s.Blog.Import(t.Context(), s.tenant("beispielingen"), blog.Import{Format: blog.WXR, Posts: blog.PostsDraft}, strings.NewReader(foreign(t, "wordpress.xml")))
	s.must(err)
	if got.Comments != 3 || got.Addresses != 0 || s.count(`select count(*) from blog_evidence where tenant_id = 'beispielingen'`) != 0 {
		t.Errorf("streng: %+v", got)
	}
}

// Files that are no exports, or are made to do harm, are refused as a whole.
func TestImport_Refused(t *testing.T) {
	s := newSite(t)
	bomb := `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><disqus xmlns="http://disqus.com"><post>&b;</post></disqus>`
	for name, c := range map[string]struct {
		format blog.Format
		text   string
		says   string
	}{
		"an entity bomb":      {blog.Disqus, bomb, "document type"},
		"an outside entity":   {blog.WXR, `<!DOCTYPE r SYSTEM "file:///etc/passwd"><rss><channel/></rss>`, "document type"},
		"an unknown entity":   {blog.Disqus, `<disqus><thread>&x;</thread></disqus>`, "entity"},
		"deep nesting":        {blog.Disqus, `<disqus>` + strings.Repeat("<a>", 100_000), "nested"},
		"the other format":    {blog.WXR, foreign(t, "disqus.xml"), "instead of <rss>"},
		"and the other way":   {blog.Disqus, foreign(t, "wordpress.xml"), "instead of <disqus>"},
		"nothing":             {blog.Disqus, "", "no <disqus>"},
		"a cut file":          {blog.Disqus, foreign(t, "disqus.xml")[:2000], "EOF"},
		"another encoding":    {blog.Disqus, `<?xml version="1.0" encoding="utf-16"?><disqus/>`, "encoding"},
		"bytes of none":       {blog.Disqus, "<disqus>\xff\xfe</disqus>", "UTF-8"},
		"a feed of nothing":   {blog.WXR, `<rss></rss>`, "no <channel>"},
		"JSON":                {blog.Disqus, `{"comments":[]}`, "no <disqus>"},
		"an unknown format":   {"blogger", `<x/>`, "unknown format"},
		"a file that is huge": {blog.Disqus, `<disqus>` + strings.Repeat("<a>"+strings.Repeat("x", 1<<20)+"</a>", 65), "larger than 64 MB"},
	} {
		_, err := s.Blog.Import(t.Context(), s.tenant("betreiber"), blog.Import{Format: c.format}, strings.NewReader(c.text))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want Invalid with %q", name, err, c.says)
		}
	}
}

// Comments that answer each other in a circle, themselves, or thousands deep, all come in, one level deep.
func TestImport_Parents(t *testing.T) {
	s := newSite(t)
	s.post("Viele", unmoderated)
	var b strings.Builder
	b.WriteString(`<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals"><thread dsq:id="1"><link>https://a.example/viele</link></thread>`)
	write := func(id, parent int, text string) {
		fmt.Fprintf(&b, `<post dsq:id="%d"><message>%s</message><createdAt>2026-10-02T09:15:00Z</createdAt><thread dsq:id="1"/><parent dsq:id="%d"/></post>`, id, text, parent)
	}
	write(1, 2, "Kreis A")
	write(2, 1, "Kreis B")
	write(3, 3, "Selbst")
	for n := 10; n < 3010; n++ {
		write(n, n-1, "Kette")
	}
	write(9000, 0, "")
	write(9001, 0, strings.Repeat("lang ", 5000))
	write(9001, 0, "doppelt")
	b.WriteString(`<post dsq:id="9002"><message>wann</message><createdAt>gestern</createdAt><thread dsq:id="1"/></post></disqus>`)
	s.is("run", s.takeOver(blog.Import{Format: blog.Disqus}, b.String()), "found viele 3003; 3003 new 0 known 0 addresses; 1 empty; 1 too long; 1 without time")
	if n := s.count(`select count(*) from blog_comments where parent_id = ''`); n != 3 {
		t.Errorf("%d comments answer none, want 3", n)
	}
	if n := s.count(`select count(*) from blog_comments a where a.parent_id <> '' and not exists (select 1 from blog_comments p where p.id = a.parent_id and p.parent_id = '')`); n != 0 {
		t.Errorf("%d answers stand too deep", n)
	}
	var out bytes.Buffer
	if _, n, err := s.Blog.Export(t.Context(), "betreiber", &out); err != nil || n != 3003 {
		t.Errorf("export: %d comments, %v", n, err)
	}
}

// The export holds posts, content and time, and nothing of what the tables hold beside them.
func TestExport(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	for n := range 14 {
		_, err := s.Blog.Create(t.Context(), s.editor, blog.Draft{Title: "Entwurf " + itoa(n), Source: "x"})
		s.must(err)
	}
	mine := s.write(s.visitor(), path, "Öffentlich.")
	s.advance(time.Hour)
	form := s.visitor().Get(path).Form("#kommentarformular")
	s.advance(time.Minute)
	form.Set("website", "x").Set("kommentar", "Wartet").Submit()
	var out bytes.Buffer
	posts, comments, err := s.Blog.Export(t.Context(), "betreiber", &out)
	if err != nil || posts != 15 || comments != 1 {
		t.Fatalf("%d posts, %d comments, %v", posts, comments, err)
	}
	var got struct {
		Format string
		Posts  []map[string]any
	}
	s.must(json.Unmarshal(out.Bytes(), &got))
	if got.Format != "poststelle-blog/1" || len(got.Posts) != 15 {
		t.Errorf("%s with %d posts", got.Format, len(got.Posts))
	}
	for _, p := range got.Posts {
		for _, c := range p["comments"].([]any) {
			if names := slices.Sorted(maps.Keys(c.(map[string]any))); strings.Join(names, " ") != "text time" {
				t.Errorf("fields of a comment: %q", names)
			}
		}
	}
	var id, author string
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select c.id, p.author from blog_comments c join blog_posts p on p.id = c.post_id where c.state = 'published'`).Scan(&id, &author)
	}))
	for _, secret := range []string{visitor, strings.TrimPrefix(mine.Path, "/aktuelles/kommentar/"), id, author, "Wartet", "falle"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the export holds %q", secret)
		}
	}
}

// FuzzImport: whatever a file holds, reading it ends, and what is taken over has a time and a text of bounded length.
func FuzzImport(f *testing.F) {
	f.Add(foreign(f, "disqus.xml"), true)
	f.Add(foreign(f, "wordpress.xml"), false)
	f.Fuzz(func(t *testing.T, text string, disqus bool) {
		format := blog.WXR
		if disqus {
			format = blog.Disqus
		}
		if err := blog.ReadExport(strings.NewReader(text), format); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
	})
}
