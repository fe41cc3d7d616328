package blog_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

func TestDesk_WritePost(t *testing.T) {
	s := newSite(t)
	desk := s.staff("e.redaktion")
	desk.Get("/amt/redaktion").Want(http.StatusOK)
	form := desk.Get("/amt/redaktion/beitraege/neu").Want(http.StatusOK).Form("")
	page := form.Set("titel", "").Set("text", "## Groß\n\n[weg](javascript:x) <b>roh</b>").Submit()
	if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Form("").Get("text"), "<b>roh</b>") {
		t.Fatalf("without a title: %d", page.Status)
	}
	form = page.Form("")
	preview := form.Set("titel", "Über das Öl").Submit("aktion=vorschau").Want(http.StatusOK)
	if got := preview.Text(".ps-post__preview h2"); got != "Groß" {
		t.Errorf("preview shows %q", got)
	}
	if strings.Contains(preview.Body, `href="javascript:`) || preview.Has(".ps-post__preview b") {
		t.Error("the preview holds markup that was not cleaned")
	}
	edit := preview.Form("").Submit().Want(http.StatusOK)
	s.visitor().Get("/aktuelles/ueber-das-oel").Want(http.StatusNotFound)
	id := strings.TrimPrefix(edit.Path, "/amt/redaktion/beitraege/")
	desk.PostForm("/amt/redaktion/beitraege/"+id+"/stand", "aktion", "veroeffentlichen").Want(http.StatusOK)
	if got := s.visitor().Get("/aktuelles/ueber-das-oel").Want(http.StatusOK).Text("h1"); got != "Über das Öl" {
		t.Errorf("h1 = %q", got)
	}
	if !s.visitor().Get("/aktuelles").Contains("Über das Öl") {
		t.Error("the list does not name the post")
	}
	// Two editors: the second one is told.
	a, b := desk.Get(edit.Path).Form("form[action="+edit.Path+"]"), desk.Get(edit.Path).Form("form[action="+edit.Path+"]")
	a.Set("kurz", "Erste").Submit().Want(http.StatusOK)
	if page := b.Set("kurz", "Zweite").Submit(); page.Status != http.StatusConflict || page.Form("form[action="+edit.Path+"]").Get("kurz") != "Zweite" {
		t.Errorf("a lost race: %d", page.Status)
	}
	// A browser that was closed, or signed out in another tab, loses no text.
	closed := s.staff("e.redaktion")
	late := closed.Get("/amt/redaktion/beitraege/neu").Form("").Set("text", "Ohne Cookie")
	closed.CloseBrowser()
	if page := late.Submit(); page.Status != http.StatusForbidden || page.Text("#text") != "Ohne Cookie" {
		t.Errorf("without a cookie: %d, %q", page.Status, page.Text("#text"))
	}
	// Nor does a session that has ended.
	late = desk.Get(edit.Path).Form("form[action="+edit.Path+"]").Set("kurz", "Kurz gefasst").Set("text", "Lange geschrieben")
	s.advance(9 * time.Hour)
	if page := late.Submit(); page.Status != http.StatusForbidden || page.Text("#text") != "Lange geschrieben" || page.Text("#kurz") != "Kurz gefasst" {
		t.Errorf("after the session: %d, %q", page.Status, page.Text("#text"))
	}
}

func TestDesk_OnlyEditors(t *testing.T) {
	s := newSite(t)
	_, id := s.post("Frei", unmoderated)
	for _, role := range []account.Role{account.Clerk, account.Auditor, account.DPO} {
		login := "x." + string(role)
		s.hire(login, role)
		c := s.staff(login)
		for _, path := range []string{"/amt/redaktion/beitraege", "/amt/redaktion/beitraege/" + id, "/amt/redaktion/kommentare", "/amt/redaktion/meldungen"} {
			if got := c.Get(path).Status; got != http.StatusForbidden {
				t.Errorf("%s as %s: %d", path, role, got)
			}
		}
		c.PostForm("/amt/redaktion/beitraege/"+id+"/stand", "aktion", "zuruecknehmen").Want(http.StatusForbidden)
	}
	if page := s.visitor().Get("/amt/redaktion/beitraege"); page.Path[:13] != "/amt/anmelden" {
		t.Errorf("signed out: %s", page.Path)
	}
}

func TestModuleOff(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei")
	unknown := s.visitor().Get("/gibt-es-nicht")
	s.must(tenant.SetModule(t.Context(), s.DB, "betreiber", tenant.Blog, false))
	s.must(s.Directory.Refresh(t.Context()))
	for _, p := range []string{"/aktuelles", "/aktuelles/feed.xml", path, path + "/kommentare.json"} {
		page := s.visitor().Get(p)
		if page.Status != http.StatusNotFound || page.Text("main") != unknown.Text("main") {
			t.Errorf("%s while the module is off: %d", p, page.Status)
		}
	}
	s.visitor().PostForm(path+"/kommentare", "kommentar", "x").Want(http.StatusNotFound)
	s.must(tenant.SetModule(t.Context(), s.DB, "betreiber", tenant.Blog, true))
	s.must(s.Directory.Refresh(t.Context()))
	other := s.visitor()
	other.Host = village
	other.Get(path).Want(http.StatusNotFound)
}

func TestSchedule(t *testing.T) {
	s := newSite(t)
	id, err := s.Blog.Create(t.Context(), s.editor, blog.Draft{Title: "Später", Source: "Text"})
	s.must(err)
	if err := s.Blog.Schedule(t.Context(), s.editor, id, s.Now().Add(-time.Minute)); err == nil {
		t.Error("scheduled into the past")
	}
	s.must(s.Blog.Schedule(t.Context(), s.editor, id, s.Now().Add(time.Hour)))
	s.must(s.Blog.Schedule(t.Context(), s.editor, id, s.Now().Add(2*time.Hour)))
	run := func(want int) {
		t.Helper()
		_, err := s.Jobs.RunDue(t.Context())
		s.must(err)
		s.visitor().Get("/aktuelles/spaeter").Want(want)
	}
	s.advance(90 * time.Minute)
	run(http.StatusNotFound) // the first time was changed
	s.advance(time.Hour)
	run(http.StatusOK)
}

func TestReport_DecisionAndComplaints(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	author := s.visitor()
	mine := s.write(author, path, "Das ist eine Beleidigung.")
	page := s.visitor().Get(path).Click("Melden").Want(http.StatusOK)
	if bad := page.Form("").Submit(); bad.Status != http.StatusUnprocessableEntity || bad.Count(".kern-error") < 2 {
		t.Errorf("an empty report: %d", bad.Status)
	}
	report := page.Form("").Set("grund", "beleidigung").Set("begruendung", "Das verletzt mich.").Submit().Want(http.StatusOK)
	if !report.Contains("angekommen") {
		t.Errorf("acknowledgement: %q", report.Text("main"))
	}
	desk := s.staff("e.redaktion")
	detail := desk.Get("/amt/redaktion/meldungen").Want(http.StatusOK).Click("Das verletzt mich.")
	detail.Form("form[action="+detail.Path+"]").Set("entscheidung", "removed").Set("grund", "beleidigung").
		Set("begruendung", "§ 185 StGB.").Submit().Want(http.StatusOK)
	public := s.visitor().Get(path)
	if strings.Contains(public.Body, "Das ist eine Beleidigung.") || !public.Contains("entfernt. Grund: Beleidigung oder Verleumdung") {
		t.Errorf("public marker: %q", public.Texts(".ps-comment"))
	}
	if again := s.visitor().Get(report.Path); !again.Contains("§ 185 StGB.") {
		t.Error("the reporter does not read the reasons")
	}
	own := author.Get(mine.Path)
	if !own.Contains("§ 185 StGB.") {
		t.Error("the author does not read the reasons")
	}
	author.PostForm(mine.Path, "begruendung", "Das war erlaubt.").Want(http.StatusOK)
	detail = desk.Get("/amt/redaktion/meldungen").Click("Das war erlaubt.").Want(http.StatusOK)
	desk.PostForm(detail.Path, "entscheidung", "restored", "begruendung", "Stimmt, das war erlaubt.").Want(http.StatusOK)
	if !s.visitor().Get(path).Contains("Das ist eine Beleidigung.") {
		t.Error("the comment is not back")
	}
	if got := desk.PostForm(detail.Path, "entscheidung", "upheld", "begruendung", "Doch nicht.").Status; got != http.StatusConflict {
		t.Errorf("deciding twice: %d", got)
	}
}

func TestReport_Appeal(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	s.write(s.visitor(), path, "Harmlos.")
	report := s.visitor().Get(path).Click("Melden").Form("").Set("grund", "hass").Set("begruendung", "Ich finde schon.").Submit()
	desk := s.staff("e.redaktion")
	detail := desk.Get("/amt/redaktion/meldungen").Click("Ich finde schon.")
	desk.PostForm(detail.Path, "entscheidung", "kept", "begruendung", "Das ist erlaubt.").Want(http.StatusOK)
	own := s.visitor()
	if page := own.Get(report.Path); !page.Contains("Der Kommentar bleibt") || !page.Contains("Das ist erlaubt.") {
		t.Errorf("answer to the reporter: %q", page.Text("main"))
	}
	own.PostForm(report.Path, "begruendung", "Bitte noch einmal prüfen.").Want(http.StatusOK)
	if page := own.Get(report.Path); !page.Contains("Ihre Beschwerde wird geprüft") {
		t.Error("the appeal is not confirmed")
	}
	desk.Get("/amt/redaktion/meldungen").Click("Bitte noch einmal prüfen.").Want(http.StatusOK)
}

// A report outlives its comment: the desk says that it is gone, and no date.
func TestReport_CommentDeleted(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	mine := s.write(s.visitor(), path, "Bald wieder weg.")
	s.visitor().Get(path).Click("Melden").Form("").Set("grund", "hass").Set("begruendung", "Das ist Hetze.").Submit().Want(http.StatusOK)
	s.must(s.Blog.Delete(t.Context(), "betreiber", strings.TrimPrefix(mine.Path, "/aktuelles/kommentar/")))
	detail := s.staff("e.redaktion").Get("/amt/redaktion/meldungen").Click("Das ist Hetze.").Want(http.StatusOK)
	if got := detail.Text(".ps-article"); !strings.Contains(got, "Dieser Kommentar wurde gelöscht.") || strings.Contains(got, "0001") {
		t.Errorf("a deleted comment reads %q", got)
	}
}

// TestEvidence_TwoPersonsOnly: the address is opened by two persons with a ground, shown once, and journalled (B25–B27).
func TestEvidence_TwoPersonsOnly(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	s.write(s.visitor(), path, "Strittig.")
	s.hire("d.schutz", account.DPO)
	editor := s.staff("e.redaktion")
	queue := editor.Get("/amt/redaktion/kommentare?stand=oeffentlich").Click("Strittig.")
	ask := queue.Click("Anfordern").Want(http.StatusOK)
	if bad := ask.Form("").Submit(); bad.Status != http.StatusUnprocessableEntity {
		t.Errorf("asking without a ground: %d", bad.Status)
	}
	listed := ask.Form("").Set("ground", vault.EvidenceClaim).Set("reason", "Klage 3 O 12/26").Submit().Want(http.StatusOK)
	if listed.Has("form input[value=oeffnen]") {
		t.Error("the person who asked is offered to open")
	}
	dpo := s.staff("d.schutz")
	page := dpo.Get("/amt/redaktion/nachweise").Want(http.StatusOK)
	action := page.Attr("form[action] input[value=oeffnen]", "value")
	if action == "" {
		t.Fatal("the second person is not offered to open")
	}
	forms := page.Select("main form")
	var target string
	for _, a := range forms[0].Attr {
		if a.Key == "action" {
			target = a.Val
		}
	}
	if got := editor.PostForm(target, "aktion", "oeffnen").Status; got != http.StatusForbidden {
		t.Errorf("the person who asked opens: %d", got)
	}
	opened := dpo.PostForm(target, "aktion", "oeffnen").Want(http.StatusOK)
	if got := opened.Text("#ip"); got != visitor {
		t.Errorf("opened %q", got)
	}
	if again := dpo.Get("/amt/redaktion/nachweise"); strings.Contains(again.Body, visitor) {
		t.Error("the address is shown twice")
	}
	if n := s.count(`select count(*) from journal_entries where action in ('evidence.asked', 'evidence.granted')`); n != 2 {
		t.Errorf("%d entries in the journal, want 2", n)
	}
}

// An author who deletes while a request waits takes the text away, not the evidence.
func TestEvidence_AskedOutlivesComment(t *testing.T) {
	t.Run("deleted by its author", func(t *testing.T) {
		evidenceOutlives(t, func(s *site, mine, _ string) {
			s.must(s.Blog.Delete(t.Context(), "betreiber", strings.TrimPrefix(mine, "/aktuelles/kommentar/")))
		})
	})
	t.Run("deleted by the staff", func(t *testing.T) {
		evidenceOutlives(t, func(s *site, _, desk string) {
			s.staff("e.redaktion").PostForm(desk, "aktion", "loeschen").Want(http.StatusOK)
		})
	})
}

// evidenceOutlives asks for the evidence of a comment, has the comment deleted by
// its page or that of the desk, and opens the evidence.
func evidenceOutlives(t *testing.T, remove func(s *site, mine, desk string)) {
	t.Helper()
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	mine := s.write(s.visitor(), path, "Rasch gelöscht.")
	s.hire("d.schutz", account.DPO)
	desk := s.staff("e.redaktion").Get("/amt/redaktion/kommentare?stand=oeffentlich").Click("Rasch gelöscht.")
	desk.Click("Anfordern").Form("").
		Set("ground", vault.EvidenceClaim).Set("reason", "Klage 3 O 12/26").Submit().Want(http.StatusOK)
	remove(s, mine.Path, desk.Path)
	if n := s.count(`select count(*) from blog_comments`); n != 0 {
		t.Errorf("%d comments are left", n)
	}
	page := s.staff("d.schutz").Get("/amt/redaktion/nachweise")
	if got := page.Form("main form").Submit().Want(http.StatusOK).Text("#ip"); got != visitor {
		t.Errorf("opened %q", got)
	}
}

func TestSweep(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	s.write(s.visitor(), path, "Bleibt.")
	form := s.visitor().Get(path).Form("#kommentarformular")
	form.Set("website", "x").Set("kommentar", "Werbung").Submit()
	q := s.staff("e.redaktion").Get("/amt/redaktion/kommentare").Click("Werbung")
	_, err := s.Blog.Reject(t.Context(), s.editor, strings.TrimPrefix(q.Path, "/amt/redaktion/kommentare/"), "werbung", "Werbung.")
	s.must(err)
	at := func(d time.Duration, evidence, comments int) {
		t.Helper()
		s.advance(d)
		s.must(s.Blog.Sweep(t.Context()))
		if e, c := s.count(`select count(*) from blog_evidence`), s.count(`select count(*) from blog_comments`); e != evidence || c != comments {
			t.Errorf("%d boxes and %d comments, want %d and %d", e, c, evidence, comments)
		}
	}
	at(89*24*time.Hour, 2, 2)
	at(2*24*time.Hour, 0, 2)
	at(93*24*time.Hour, 0, 1)
}

// photo is a JPEG with a block of metadata that says where it was taken and that the camera was turned.
func photo(t testing.TB, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(255 * x / w), uint8(255 * y / h), 80, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	exif := []byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00GPS 48.7758 9.1829")
	block := append([]byte{0xff, 0xe1, byte((len(exif) + 2) >> 8), byte(len(exif) + 2)}, exif...)
	return append(append([]byte{0xff, 0xd8}, block...), b.Bytes()[2:]...)
}

func TestPicture(t *testing.T) {
	s := newSite(t)
	path, id := s.post("Bild")
	desk := s.staff("e.redaktion")
	edit := "/amt/redaktion/beitraege/" + id
	upload := func() *formOf { return &formOf{desk.Get(edit).Form("form[action=" + edit + "/bild]")} }
	if page := upload().File("bild", "a.jpg", "image/jpeg", photo(t, 40, 20)).Submit(); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("without a description: %d", page.Status)
	}
	if page := upload().Set("alt", "x").File("bild", "a.jpg", "image/jpeg", []byte("<svg onload=x>")).Submit(); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("no picture: %d", page.Status)
	}
	page := upload().Set("alt", "Ein Verlauf").File("bild", "a.jpg", "image/jpeg", photo(t, 3000, 1000)).Submit().Want(http.StatusOK)
	src := page.Attr(".ps-post__picture img", "src")
	if page.Attr(".ps-post__picture img", "width") != "533" || page.Attr(".ps-post__picture img", "height") != "1600" {
		t.Errorf("not turned and made smaller: %s x %s", page.Attr(".ps-post__picture img", "width"), page.Attr(".ps-post__picture img", "height"))
	}
	got := s.visitor().Get(src).Want(http.StatusOK)
	if strings.Contains(got.Body, "GPS") || strings.Contains(got.Body, "Exif") {
		t.Error("metadata is left")
	}
	for name, want := range map[string]string{
		"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
		"Cache-Control": "public, max-age=31536000, immutable",
	} {
		if got := got.Header.Get(name); got != want {
			t.Errorf("%s = %q", name, got)
		}
	}
	line := page.Text(".ps-post__picture code")
	desk.Get(edit).Form("form[action="+edit+"]").Set("text", "Vorher\n\n"+line+"\n\n![fremd](https://fremd.example/x.png)").Submit().Want(http.StatusOK)
	post := s.visitor().Get(path)
	if post.Attr(".ps-post__body img", "src") != src || post.Attr(".ps-post__body img", "alt") != "Ein Verlauf" || strings.Contains(post.Body, "fremd.example") {
		t.Errorf("pictures of the post: %q", post.Attr(".ps-post__body img", "src"))
	}
	s.must(s.Blog.Withdraw(t.Context(), s.editor, id))
	s.visitor().Get(src).Want(http.StatusNotFound)
	if got := desk.Get(src).Want(http.StatusOK).Header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("a picture of a draft: Cache-Control %q", got)
	}
	if _, _, _, _, key := blog.EncodeAnew(bombPNG(t)); key != "blog.error.picturesize" {
		t.Errorf("a picture of 60000 x 60000: %q", key)
	}
}

func TestFeed(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Erster & <letzter>")
	page := s.visitor().Get("/aktuelles/feed.xml").Want(http.StatusOK)
	if got := page.Header.Get("Content-Type"); got != "application/atom+xml; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	checkAtom(t, page.Body, "http://"+operator+path)
	for name, value := range map[string]string{"If-None-Match": page.Header.Get("ETag"), "If-Modified-Since": page.Header.Get("Last-Modified")} {
		c := s.visitor()
		c.Header.Set(name, value)
		if got := c.Get("/aktuelles/feed.xml"); got.Status != http.StatusNotModified || got.Body != "" {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	s.advance(time.Minute)
	s.post("Zweiter")
	c := s.visitor()
	c.Header.Set("If-None-Match", page.Header.Get("ETag"))
	c.Get("/aktuelles/feed.xml").Want(http.StatusOK)
}

func TestPages(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Viele", unmoderated)
	for n := range 230 {
		_, err := s.Blog.Comment(t.Context(), s.tenant("betreiber"), "viele", blog.Submission{Body: "Nummer " + itoa(n), Form: s.Blog.NewForm("viele")})
		s.must(err)
		s.advance(time.Second)
	}
	seen, next := 0, path+"/kommentare.json"
	for next != "" {
		var got struct {
			Comments []struct{ Text string }
			Next     string
		}
		s.must(json.Unmarshal([]byte(s.visitor().Get(next).Body), &got))
		for _, c := range got.Comments {
			if c.Text != "Nummer "+itoa(seen) {
				t.Fatalf("comment %d is %q", seen, c.Text)
			}
			seen++
		}
		next = got.Next
	}
	if seen != 230 {
		t.Errorf("%d comments", seen)
	}
	page := s.visitor().Get(path)
	if got := page.Text("#kommentare-t"); got != "230 Kommentare" || page.Count(".ps-comment") != 100 {
		t.Errorf("%q, %d on the page", got, page.Count(".ps-comment"))
	}
}

// TestReport_Sealed: what people write in reports and complaints stands nowhere in the clear, and a sealed text opens in its own
// place alone.
func TestReport_Sealed(t *testing.T) {
	s := newSite(t)
	path, _ := s.post("Frei", unmoderated)
	c := s.visitor()
	mine := s.write(c, path, "Strittig.")
	report := s.visitor().Get(path).Click("Melden").Form("").Set("grund", "hass").Set("begruendung", "Geheime Meldung").Submit().Want(http.StatusOK)
	desk := s.staff("e.redaktion")
	detail := desk.Get("/amt/redaktion/meldungen").Click("Geheime Meldung").Want(http.StatusOK)
	desk.PostForm(detail.Path, "entscheidung", "removed", "grund", "hass", "begruendung", "Ja.").Want(http.StatusOK)
	c.PostForm(mine.Path, "begruendung", "Geheime Beschwerde").Want(http.StatusOK)
	for where, page := range map[string]string{"the reporter's page": s.visitor().Get(report.Path).Text("main"), "the list": desk.Get("/amt/redaktion/meldungen").Text("main"), "the desk": desk.Get(detail.Path).Text("main")} {
		if !strings.Contains(page, "Geheime") {
			t.Errorf("%s does not show the text", where)
		}
	}
	n := 0
	s.must(s.DB.View(t.Context(), func(tx *db.Tx) error {
		all, err := db.Collect(t.Context(), tx, func(r db.Scanner) (raw []byte, err error) { return raw, r.Scan(&raw) }, `select body from blog_cases`)
		for _, raw := range all {
			if n++; bytes.Contains(raw, []byte("Geheim")) {
				t.Error("a text stands in the clear")
			}
		}
		return err
	}))
	if n != 2 {
		t.Errorf("%d cases, want 2", n)
	}
	s.must(s.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update blog_cases set body = (select body from blog_cases where kind = 'complaint')`)
		return err
	}))
	if got := desk.Get(detail.Path).Status; got != http.StatusInternalServerError {
		t.Errorf("a text of another place: %d", got)
	}
}
