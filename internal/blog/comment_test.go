package blog_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/web/webtest"
)

// public is everything that anybody can fetch about a post and its comments.
func public(c *webtest.Client, path string) map[string]string {
	out := map[string]string{}
	for _, p := range []string{path, "/en" + path, path + "/kommentare.json", "/aktuelles", "/aktuelles/feed.xml"} {
		page := c.Get(p)
		var b bytes.Buffer
		b.WriteString(page.Body)
		page.Header.Write(&b)
		out[p] = b.String()
	}
	return out
}

func TestComment_Moderated(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Neue Öffnungszeiten")
	c := s.visitor()
	mine := s.write(c, path, "Das ist gut.\nDanke!").Want(http.StatusOK)
	if !strings.HasPrefix(mine.Path, "/aktuelles/kommentar/") || !mine.Contains("wird geprüft") {
		t.Fatalf("after sending: %s %q", mine.Path, mine.Text("main"))
	}
	for where, text := range public(s.visitor(), path) {
		if strings.Contains(text, "Das ist gut") {
			t.Errorf("%s shows a comment nobody has looked at", where)
		}
	}
	desk := s.staff("e.redaktion")
	queue := desk.Get("/amt/redaktion/kommentare").Want(http.StatusOK)
	form := queue.Form("main form[action=/amt/redaktion/kommentare]")
	form.Check("kommentar", "").Submit("aktion=freigeben").Want(http.StatusOK)
	page := s.visitor().Get(path).Want(http.StatusOK)
	if got := page.Text(".ps-comment .ps-letter"); got != "Das ist gut. Danke!" {
		t.Errorf("published comment = %q", got)
	}
	if page = c.Get(mine.Path); !page.Contains("veröffentlicht") {
		t.Errorf("the author's page says %q", page.Text("main"))
	}
}

// TestComment_PublicIsContentAndTime: what is public of a comment is its content and its time; neither the address nor anything
// else that the program knows of it appears anywhere (B23, B24).
func TestComment_PublicIsContentAndTime(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	mine := s.write(s.visitor(), path, "Ein Wort dazu.")
	token := strings.TrimPrefix(mine.Path, "/aktuelles/kommentar/")
	var id string
	var hash []byte
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select id, token from blog_comments`).Scan(&id, &hash)
	}))
	for where, text := range public(s.visitorAt("198.51.100.9"), path) {
		for _, secret := range []string{visitor, "203.0.113", token, string(hash), "score", "falle", "schnell"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q", where, secret)
			}
		}
	}
	json := s.visitor().Get(path + "/kommentare.json").Body
	want := `{"comments":[{"text":"Ein Wort dazu.","time":"2026-11-20T08:00:20Z"}]}`
	if json != want {
		t.Errorf("JSON = %s, want %s", json, want)
	}
	if strings.Contains(json, id) {
		t.Error("the JSON names an id")
	}
	names := s.visitor().Get(path).Form("#kommentarformular").Names()
	if got := strings.Join(names, " "); got != "formular kommentar website" {
		t.Errorf("fields of the form = %q", got)
	}
	for _, c := range s.visitor().Get(path).Header.Values("Set-Cookie") {
		t.Errorf("reading sets a cookie: %s", c)
	}
}

// TestComment_AddressSealed: no table of the database holds the address, and only the profile vorlage has a sealed one.
func TestComment_AddressSealed(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	s.write(s.visitor(), path, "Mit Adresse.")
	var box []byte
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select box from blog_evidence`).Scan(&box)
	}))
	if len(box) < 50 || bytes.Contains(box, []byte(visitor)) {
		t.Errorf("box of %d bytes", len(box))
	}
	s.must(tenant.SetModule(t.Context(), s.DB, "beispielingen", tenant.Blog, true))
	s.must(s.Directory.Refresh(t.Context()))
	strict := account.Actor{Tenant: "beispielingen", Person: "x"}
	id, err := s.Blog.Create(t.Context(), strict, blog.Draft{Title: "Streng", Source: "x", Comments: true})
	s.must(err)
	s.must(s.Blog.Publish(t.Context(), strict, id))
	_, err = s.Blog.Comment(t.Context(), s.tenant("beispielingen"), "streng", blog.Submission{Body: "Ohne.", From: netip.MustParseAddr(visitor)})
	s.must(err)
	if n := s.count(`select count(*) from blog_evidence where tenant_id = 'beispielingen'`); n != 0 {
		t.Errorf("%d addresses in the profile streng", n)
	}
	s.noKey = true
	_, err = s.Blog.Comment(t.Context(), s.tenant("betreiber"), "frei", blog.Submission{Body: "Jetzt?", From: netip.MustParseAddr(visitor)})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a key: %v, want Unavailable", err)
	}
	page := s.write(s.visitor(), path, "Und so?")
	if page.Status != http.StatusServiceUnavailable || page.Text("#kommentar") != "Und so?" {
		t.Errorf("without a key the page is %d with %q", page.Status, page.Text("#kommentar"))
	}
}

func TestComment_Refused(t *testing.T) {
	s := newSite(t)
	path, id := s.post("Frei", unmoderated)
	c := s.visitor()
	if page := s.write(c, path, "  "); page.Status != http.StatusUnprocessableEntity || !page.Has("#kommentar[aria-invalid=true]") {
		t.Errorf("empty comment: %d", page.Status)
	}
	long := strings.Repeat("a ", 2001)
	if page := s.write(c, path, long); page.Status != http.StatusUnprocessableEntity || page.Form("#kommentarformular").Get("kommentar") != long {
		t.Errorf("long comment: %d, kept %d of %d", page.Status, len(page.Form("#kommentarformular").Get("kommentar")), len(long))
	}
	huge := strings.Repeat("x", 1<<20)
	if page := s.write(c, path, huge); page.Status != http.StatusUnprocessableEntity || page.Form("#kommentarformular").Get("kommentar") != huge {
		t.Errorf("1 MB: %d", page.Status)
	}
	c.MayBreak = true
	if page := s.write(c, path, strings.Repeat("x", 5<<20)); !page.Broken && page.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("5 MB: %d", page.Status)
	}
	if n := s.count(`select count(*) from blog_comments`); n != 0 {
		t.Errorf("%d comments were stored", n)
	}
	form := s.visitor().Get(path).Form("#kommentarformular")
	s.advance(61 * 24 * time.Hour)
	s.must(s.Deputy.Renew(t.Context()))
	if page := form.Set("kommentar", "Zu spät").Submit(); page.Status != http.StatusConflict || page.Text("#kommentar") != "Zu spät" {
		t.Errorf("after closing: %d, %q", page.Status, page.Text("#kommentar"))
	}
	if page := s.visitor().Get(path); page.Has("#kommentarformular") || !page.Contains("geschlossen") {
		t.Error("the page of closed comments has a form or no reason")
	}
	s.must(s.Blog.Withdraw(t.Context(), s.editor, id))
	s.visitor().Get(path).Want(http.StatusNotFound)
	s.visitor().Get(path + "/kommentare.json").Want(http.StatusNotFound)
}

func TestComment_TwiceIsOnce(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	c := s.visitor()
	form := c.Get(path).Form("#kommentarformular")
	s.advance(time.Minute)
	first := form.Set("kommentar", "Einmal").Submit()
	second := form.Submit()
	if first.Path != second.Path || s.count(`select count(*) from blog_comments`) != 1 {
		t.Errorf("sent twice: %s and %s, %d comments", first.Path, second.Path, s.count(`select count(*) from blog_comments`))
	}
}

func TestComment_TextIsText(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	text := `<script>alert(1)</script> <img src=x onerror=alert(2)> [x](javascript:alert(3)) https://example.org/a?b=1&c="x`
	s.write(s.visitor(), path, text)
	page := s.visitor().Get(path)
	for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`} {
		if strings.Contains(page.Body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if got := page.Attr(".ps-comment .ps-letter a", "href"); got != "https://example.org/a?b=1&c=" {
		t.Errorf("link = %q", got)
	}
	if got := page.Attr(".ps-comment .ps-letter a", "rel"); !strings.Contains(got, "nofollow") || !strings.Contains(got, "ugc") || !strings.Contains(got, "noopener") {
		t.Errorf("rel = %q", got)
	}
}

func TestComment_Answer(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	s.write(s.visitor(), path, "Frage?")
	page := s.visitor().Get(path)
	form := page.Click("Antworten").Want(http.StatusOK).Form("#kommentarformular")
	s.advance(time.Minute)
	form.Set("kommentar", "Antwort.").Submit().Want(http.StatusOK)
	page = s.visitor().Get(path)
	if got := page.Text(".ps-comment--answer .ps-letter"); got != "Antwort." {
		t.Errorf("answer = %q", got)
	}
	if page.Count(".ps-comment--answer .ps-comment__ways a") != 1 {
		t.Error("an answer can be answered")
	}
}

func TestComment_Delete(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	c := s.visitor()
	mine := s.write(c, path, "Gleich weg.")
	form := mine.Form("")
	if page := form.Submit(); page.Status != http.StatusOK || !page.Contains("gelöscht") {
		t.Errorf("after deleting: %d", page.Status)
	}
	if n := s.count(`select count(*) from blog_comments`) + s.count(`select count(*) from blog_evidence`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	c.Get(mine.Path).Want(http.StatusNotFound)
	if err := s.Blog.Delete(t.Context(), "betreiber", "ABC"); !errors.Is(err, fault.NotFound) {
		t.Errorf("an unknown token: %v", err)
	}
	got := s.write(s.visitor(), path, "Mit Antwort.")
	answer := s.visitor().Get(path).Click("Antworten").Form("#kommentarformular")
	s.advance(time.Minute)
	answer.Set("kommentar", "Ich antworte.").Submit()
	s.must(s.Blog.Delete(t.Context(), "betreiber", strings.TrimPrefix(got.Path, "/aktuelles/kommentar/")))
	page := s.visitor().Get(path)
	if strings.Contains(page.Body, "Mit Antwort.") || !page.Contains("Dieser Kommentar wurde gelöscht.") || !page.Contains("Ich antworte.") {
		t.Errorf("a deleted comment with an answer: %q", page.Texts(".ps-comment"))
	}
}

func TestComment_Suspicion(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	flags := func(change func(*webtest.Form), wait time.Duration, text string) string {
		t.Helper()
		form := s.visitor().Get(path).Form("#kommentarformular")
		s.advance(wait)
		change(form)
		form.Set("kommentar", text).Submit().Want(http.StatusOK)
		var got string
		s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `select state || ' ' || flags from blog_comments order by created_at desc, id limit 1`).Scan(&got)
		}))
		s.advance(11 * time.Minute) // the next one is not near a limit
		return got
	}
	plain := func(*webtest.Form) {}
	for _, c := range []struct {
		name, want, text string
		wait             time.Duration
		change           func(*webtest.Form)
	}{
		{"an ordinary one", "published ", "Ganz normal.", time.Minute, plain},
		{"the same again", "waiting wiederholung", "ganz  NORMAL.", time.Minute, plain},
		{"a filled trap", "waiting falle", "Eins", time.Minute, func(f *webtest.Form) { f.Set("website", "x") }},
		{"within a second", "waiting schnell", "Zwei", time.Second, plain},
		{"a forged form", "waiting formular", "Drei", time.Minute, func(f *webtest.Form) { f.Set("formular", "abc") }},
		{"many links", "waiting links", "http://a.example http://b.example http://c.example", time.Minute, plain},
		{"a word of the list", "waiting woerter", "Bestes Casino", time.Minute, plain},
	} {
		if got := flags(c.change, c.wait, c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestComment_ManyFromOneNetwork(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	tenant := s.tenant("betreiber")
	send := func(n int, proof string) (blog.Receipt, error) {
		form := s.Blog.NewForm("frei")
		if proof != "" {
			proof = work(t, form)
		}
		return s.Blog.Comment(t.Context(), tenant, "frei", blog.Submission{Body: "Nr. " + string(rune('A'+n)), Form: form, Proof: proof, From: netip.MustParseAddr(visitor)})
	}
	for n := range 6 {
		if got, err := send(n, ""); err != nil || !got.Public {
			t.Fatalf("comment %d: %+v, %v", n, got, err)
		}
	}
	if got, err := send(6, ""); err != nil || got.Public {
		t.Errorf("beyond the limit without proof: %+v, %v, want it to wait", got, err)
	}
	if got, err := send(7, "yes"); err != nil || !got.Public {
		t.Errorf("beyond the limit with proof: %+v, %v", got, err)
	}
	if page := s.visitor().Get(path); !page.Has("script[src*=kommentar]") && !strings.Contains(page.Body, "kommentar.mjs") {
		t.Error("the page near the limit does not ask for work")
	}
	var err error
	for n := 8; err == nil && n < 60; n++ {
		_, err = send(n, "")
	}
	if fault.KindOf(err) != fault.TooMany {
		t.Errorf("a flood: %v, want TooMany", err)
	}
	page := s.write(s.visitor(), path, "Noch einer")
	if page.Status != http.StatusOK { // write waits 20 s, the window may have ended
		if page.Status != http.StatusTooManyRequests || page.Text("#kommentar") != "Noch einer" {
			t.Errorf("a flood by the form: %d, kept %q", page.Status, page.Text("#kommentar"))
		}
	}
	if got, err := s.Blog.Comment(t.Context(), tenant, "frei", blog.Submission{Body: "Von nebenan", Form: s.Blog.NewForm("frei"), From: netip.MustParseAddr("198.51.100.4")}); err != nil || !got.Public {
		t.Errorf("another network: %+v, %v", got, err)
	}
}

func work(t *testing.T, form string) string {
	t.Helper()
	for n := range 1 << 22 {
		if p := strings.ToLower(string(rune('a'+n%26))) + itoa(n); blog.Proves(form, p) {
			return p
		}
	}
	t.Fatal("no proof found")
	return ""
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
