package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/web/webtest"
)

// letters counts the stored threads, files and messages.
func (p *post) letters() (threads, messages, files int) {
	p.t.Helper()
	return p.count(`select count(*) from mailbox_threads`), p.count(`select count(*) from mailbox_messages`), p.count(`select count(*) from mailbox_files`)
}

// objects counts the blobs on disk.
func (p *post) objects() (n int) {
	p.t.Helper()
	p.must(p.Blobs.List(p.t.Context(), func(blob.ID, blob.Info) error { n++; return nil }))
	return n
}

func TestMatter_BadInput(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	good := map[string]string{"subject": "Laterne", "body": longBody, "reply": "code", "email": "", "name": "", "address": ""}
	for name, tc := range map[string]struct {
		field, value, says string
	}{
		"no subject":      {field: "subject", value: "", says: "Geben Sie einen Betreff an."},
		"long subject":    {field: "subject", value: strings.Repeat("ü", 121), says: "höchstens 120 Zeichen"},
		"short body":      {field: "body", value: "Kaputt", says: "mindestens 20 Zeichen"},
		"long body":       {field: "body", value: strings.Repeat("Wort ", 4001), says: "höchstens 20.000 Zeichen"},
		"endless body":    {field: "body", value: strings.Repeat("Wort ", 20_000), says: "höchstens 20.000 Zeichen"},
		"no way":          {field: "reply", value: "taube", says: "wie wir Ihnen antworten"},
		"email":           {field: "email", value: "kim@", says: "E-Mail"},
		"no address":      {field: "reply", value: "letter", says: "Anschrift"},
		"no mail address": {field: "reply", value: "email", says: "E-Mail"},
		"invalid UTF-8":   {field: "body", value: longBody + "\xff\xfe", says: "konnten wir nicht lesen"},
	} {
		t.Run(name, func(t *testing.T) {
			page := matter(t, c, "", "tiefbauamt", "schaden")
			var fields []string
			for k, v := range good {
				if k == tc.field {
					v = tc.value
				}
				fields = append(fields, k, v)
			}
			got := c.PostForm(page.Form("main form").Action, fields...).Want(422)
			if !got.Has("#fehler") || !strings.Contains(got.Text("#fehler"), tc.says) || !strings.HasPrefix(got.Title(), "Fehler:") {
				t.Errorf("summary says %q, want %q", got.Text("#fehler"), tc.says)
			}
			for k, v := range good {
				if k == tc.field {
					v = strings.ToValidUTF8(strings.TrimSpace(tc.value), "\uFFFD")
				}
				if have := got.Form("main form").Get(k); have != v && k != "reply" {
					t.Errorf("%s shows %.40q, want %.40q", k, have, v)
				}
			}
		})
	}
}

func TestMatter_SenderRequired(t *testing.T) {
	p := newPost(t)
	page := matter(t, p.browser(), "", "bauamt", "antrag")
	for _, wrong := range []string{"Nötig nur", "keine Angaben zu Ihrer Person"} {
		if strings.Contains(page.Text("main form"), wrong) {
			t.Errorf("an office that needs the sender says %q", wrong)
		}
	}
	if free := matter(t, p.browser(), "", "tiefbauamt", "schaden").Text("main form"); !strings.Contains(free, "Nötig nur für eine Antwort per Brief.") || strings.Contains(free, "wenn das Amt") {
		t.Errorf("an office that needs no sender says %q", free)
	}
	f := page.Form("main form").Set("subject", "Anbau").Set("body", longBody)
	got := f.Submit("aktion=weiter").Want(422)
	if !strings.Contains(got.Text("#fehler"), "Namen") || !strings.Contains(got.Text("#fehler"), "Anschrift") {
		t.Errorf("summary says %q", got.Text("#fehler"))
	}
	if page.Has("input[name=reply][value=email]") {
		t.Error("an office that does not answer by mail offers it")
	}
	f = got.Form("main form").Set("name", "Kim\u202eredneS").Set("address", "Weg 1\n70000 Musterstadt")
	wantPath(t, f.Submit("aktion=weiter"), "/nachricht/4")
	checkPage := wantPath(t, p.browser().Get("/nachricht/5?e=x"), "/nachricht/1")
	if !checkPage.Contains("Ihre Sitzung ist beendet") {
		t.Error("a step without session does not say that it ended")
	}
}

func TestAssistant_BackKeepsAnswersAndTabsAreApart(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	one, two := matter(t, c, "", "tiefbauamt", "schaden"), matter(t, c, "", "buergerbuero", "ausweis")
	one = one.Form("main form").Set("subject", "Eins").Set("body", "kurz").Submit("aktion=zurueck")
	wantPath(t, one, "/nachricht/2")
	two = two.Form("main form").Set("subject", "Zwei").Set("body", longBody).Submit("aktion=weiter")
	one = one.Form("main form").Submit("aktion=weiter")
	if f := wantPath(t, one, "/nachricht/3").Form("main form"); f.Get("subject") != "Eins" || f.Get("body") != "kurz" {
		t.Errorf("going back lost %q, %q", f.Get("subject"), f.Get("body"))
	}
	two = two.Form("main form").Submit("aktion=zurueck")
	if f := two.Form("main form"); f.Get("subject") != "Zwei" || f.Get("body") != longBody {
		t.Error("two tabs share their answers")
	}
	// A later step is not reachable before the ones in between.
	if got := c.Get(strings.Replace(one.Path, "/3?", "/5?", 1)); path(got) != "/nachricht/3" {
		t.Errorf("step 5 of a letter at step 3 leads to %s", got.Path)
	}
	// A help text that is kept open loses nothing.
	one = one.Form("main form").Set("subject", "Drei").Submit("hilfe=nachricht:auf")
	if one.Form("main form").Get("subject") != "Drei" || !one.Has("details[data-anzeige=hilfe_nachricht][open]") {
		t.Error("help text is not open, or the answer is gone")
	}
}

func TestUnsure_GoesToFallback(t *testing.T) {
	p := newPost(t)
	page := matter(t, p.browser(), "", "unsicher", "ausweis")
	if !page.Contains("Bürgerbüro") {
		t.Errorf("page says %q", page.Text("main"))
	}
}

// files goes to step 4.
func files(t *testing.T, c *webtest.Client, box, topic string) *webtest.Page {
	t.Helper()
	p := matter(t, c, "", box, topic).Form("main form").Set("subject", "Laterne").Set("body", longBody).Submit("aktion=weiter")
	return wantPath(t, p, "/nachricht/4")
}

func TestFiles_BadInput(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	if !page.Contains("Bis zu 5 Dateien") || !page.Contains("PDF") {
		t.Errorf("limits are not told before: %q", page.Text("main"))
	}
	big := append(pdfFile("x"), make([]byte, 1<<20)...)
	f := page.Form("main form").
		File("files", "gut.pdf", "application/pdf", pdfFile("gut")).
		File("files", "falsch.pdf", "application/pdf", []byte("MZ\x90\x00\x03 this is a program")).
		File("files", "leer.pdf", "application/pdf", nil).
		File("files", "gross.pdf", "application/pdf", big).
		File("files", "../../etc/boese\u202efdp.exe", "application/pdf", pdfFile("x")).
		File("files", "vertrag\u202efdp.x\u200b.pdf", "application/pdf", pdfFile("vertrag")).
		File("files", `C:\Users\kim\auch gut.pdf`, "application/pdf", pdfFile("auch"))
	got := f.Submit("aktion=weiter").Want(422)
	summary := got.Text("#fehler")
	for _, name := range []string{"falsch.pdf", "leer.pdf", "gross.pdf", "exe"} {
		if !strings.Contains(summary, name) {
			t.Errorf("summary %q lacks %s", summary, name)
		}
	}
	if strings.ContainsAny(got.Body, "\u202e\u200b") || strings.Contains(summary, "etc/") {
		t.Error("a direction character, a hidden one or a path reaches the page")
	}
	if !strings.Contains(summary, "boese[U+202E]fdp.exe") {
		t.Errorf("the summary does not show what hides the ending: %q", summary)
	}
	names := strings.Join(got.Texts(".ps-filetable__name"), "|")
	if !strings.Contains(names, "gut.pdf") || !strings.Contains(names, "auch gut.pdf") || strings.Contains(names, "Users") || got.Count(".ps-filetable__name") != 3 {
		t.Errorf("kept files: %s", names)
	}
	if got.Count(".ps-filetable__name .ps-ctl") != 2 {
		t.Errorf("the name of a kept file does not spell out what hides in it: %s", names)
	}
	if n := p.objects(); n != 3 {
		t.Errorf("%d objects on disk, want 3", n)
	}
	// Remove one, add it again.
	remove := got.Attr("button[name=entfernen]", "value")
	got = wantPath(t, got.Form("main form").Submit("entfernen="+remove), "/nachricht/4")
	if got.Count(".ps-filetable__name") != 2 || p.objects() != 2 {
		t.Errorf("after removing: %d files, %d objects", got.Count(".ps-filetable__name"), p.objects())
	}
	got = got.Form("main form").File("files", "gut.pdf", "application/pdf", pdfFile("gut")).Submit("aktion=hochladen")
	if got.Count(".ps-filetable__name") != 3 {
		t.Error("file was not added again")
	}
}

func TestFiles_SumTooLarge(t *testing.T) {
	p := newPost(t)
	page := files(t, p.browser(), "tiefbauamt", "schaden")
	f := page.Form("main form")
	for i := range 3 {
		f.File("files", fmt.Sprintf("teil%d.pdf", i), "application/pdf", append(pdfFile("x"), make([]byte, 900<<10)...))
	}
	got := f.Submit("aktion=hochladen").Want(422)
	if !strings.Contains(got.Text("#fehler"), "teil2.pdf") || got.Count(".ps-filetable__name") != 2 || p.objects() != 2 {
		t.Errorf("summary %q, %d files, %d objects", got.Text("#fehler"), got.Count(".ps-filetable__name"), p.objects())
	}
	// Far too much: read to its end, so that the page arrives.
	f = got.Form("main form").File("files", "riesig.pdf", "application/pdf", append(pdfFile("x"), make([]byte, 6<<20)...))
	got = f.Submit("aktion=hochladen").Want(422)
	if got.Count(".ps-filetable__name") != 2 || !strings.Contains(got.Text("#fehler"), "riesig.pdf") || p.objects() != 2 {
		t.Errorf("too large form: %q", got.Text("main"))
	}
}

func TestFiles_TooManyParts(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	token := page.Form("main form").Get("schutz")
	var b strings.Builder
	fmt.Fprintf(&b, "--grenze\r\nContent-Disposition: form-data; name=\"schutz\"\r\n\r\n%s\r\n", token)
	for i := range 10_001 {
		fmt.Fprintf(&b, "--grenze\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\nx\r\n", i)
	}
	b.WriteString("--grenze--\r\n")
	got := c.Do("POST", page.Form("main form").Action, "multipart/form-data; boundary=grenze", []byte(b.String()))
	if got.Status != 422 || !got.Has("[role=alert] a[href='#files']") || !got.Has("input[name=files]") {
		t.Errorf("status %d: %q", got.Status, got.Text("main"))
	}
	v := url.Values{"body": {longBody + " Mehr."}}
	for i := range 10_001 {
		v.Set(fmt.Sprint("f", i), "x")
	}
	three := strings.Replace(page.Form("main form").Action, "/4?", "/3?", 1)
	got = c.Do("POST", three, "application/x-www-form-urlencoded", []byte("schutz="+token+"&"+v.Encode()))
	if f := got.Form("main form"); got.Status != 422 || f.Get("subject") != "Laterne" || f.Get("body") != longBody+" Mehr." || !strings.Contains(got.Text("#fehler"), "zu viele Angaben") {
		t.Errorf("status %d: %q", got.Status, got.Text("main"))
	}
}

func TestFiles_CutOff(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	body := "--grenze\r\nContent-Disposition: form-data; name=\"schutz\"\r\n\r\n" + page.Form("main form").Get("schutz") +
		"\r\n--grenze\r\nContent-Disposition: form-data; name=\"files\"; filename=\"ganz.pdf\"\r\n\r\n" + string(pdfFile("ganz")) +
		"\r\n--grenze\r\nContent-Disposition: form-data; name=\"files\"; filename=\"halb.pdf\"\r\n\r\n" + strings.Repeat(string(pdfFile("halb")), 1000)
	u, err := url.Parse(page.Form("main form").Action)
	p.must(err)
	conn, err := net.Dial("tcp", c.Addr())
	p.must(err)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nSec-Fetch-Site: same-origin\r\nCookie: ps_sitzung=%s\r\nContent-Type: multipart/form-data; boundary=grenze\r\nContent-Length: %d\r\n\r\n%s",
		u.RequestURI(), musterstadt, c.Cookie("ps_sitzung"), len(body)+1000, body)
	p.must(conn.(*net.TCPConn).CloseWrite())
	_, err = io.ReadAll(conn) // whoever cut the line reads no answer
	p.must(err)
	// A proxy may pass on what it got as if it were all.
	got := c.Do("POST", page.Form("main form").Action, "multipart/form-data; boundary=grenze", []byte(body)).Want(422)
	if !strings.Contains(got.Text("[role=alert]"), "abgebrochen") {
		t.Errorf("cut upload is answered %q", got.Text("main"))
	}
	if n := p.objects(); n != 0 {
		t.Errorf("%d objects are left of a cut upload", n)
	}
	if got := c.Get(page.Path); got.Has(".ps-filetable__name") {
		t.Error("half an upload is in the list")
	}
}

func TestCookiesRefused(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	c.RefuseCookies = true
	page := c.Get("/nachricht")
	got := c.PostForm("/nachricht/3?e=abc", "subject", "Laterne", "body", longBody).Want(403)
	if !got.Contains("Cookie") || !got.Contains(longBody) || !got.Contains("Laterne") {
		t.Errorf("page says %q", got.Text("main"))
	}
	if page.Status != 200 {
		t.Errorf("reading without cookies: %d", page.Status)
	}
	c.PostForm("/nachricht/5?e=abc", "token", "x").Want(403)
	c.PostForm("/abholen/antwort?v=abc", "body", longBody).Want(403)
}

func TestSession_EndsInTheMiddle(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	page = page.Form("main form").File("files", "weg.pdf", "application/pdf", pdfFile("marker-upload")).Submit("aktion=hochladen")
	three := c.Get(strings.Replace(page.Path, "/4?", "/3?", 1)).Want(200)
	p.advance(31 * time.Minute)
	got := three.Form("main form").Set("subject", "Danach").Set("body", longBody).Submit("aktion=weiter").Want(403)
	f := got.Form("main form")
	if f.Get("subject") != "Danach" || f.Get("body") != longBody || !strings.Contains(got.Text("[role=alert]"), "gelöscht") {
		t.Errorf("page shows %q, %q", f.Get("subject"), got.Text("[role=alert]"))
	}
	if n := p.objects(); n != 0 {
		t.Errorf("%d uploads outlive their session", n)
	}
	// The new letter goes on where something is missing.
	next := wantPath(t, f.Submit("aktion=weiter"), "/nachricht/1")
	next = next.Form("main form").Set("mailbox", "tiefbauamt").Submit("aktion=weiter")
	next = wantPath(t, next, "/nachricht/2").Form("main form").Set("topic", "schaden").Submit("aktion=weiter")
	if wantPath(t, next, "/nachricht/3").Form("main form").Get("body") != longBody {
		t.Error("the text is gone in the new letter")
	}
	// A check page of an ended session sends nothing.
	five := check(t, c, "")
	p.advance(31 * time.Minute)
	if got := five.Form("main form").Submit(); got.Status != 403 || !got.Contains("nicht gesendet") {
		t.Errorf("status %d, %q", got.Status, got.Text("main"))
	}
	if n, _, _ := p.letters(); n != 0 {
		t.Errorf("%d letters stored", n)
	}
}

func TestSend_TwiceAtOnce(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := check(t, c, "", "a.pdf", "b.pdf")
	var wg sync.WaitGroup
	codes := make([]string, 8)
	for i := range codes {
		o := c.Other()
		o.SetCookie("ps_sitzung", c.Cookie("ps_sitzung"))
		wg.Go(func() {
			got := o.PostForm(page.Form("main form").Action, "token", page.Form("main form").Get("token"))
			codes[i] = got.Text("#abholcode")
		})
	}
	wg.Wait()
	for _, code := range codes {
		if code != codes[0] || code == "" {
			t.Errorf("codes %q", codes)
		}
	}
	if th, m, f := p.letters(); th != 1 || m != 1 || f != 2 {
		t.Errorf("%d threads, %d messages, %d files", th, m, f)
	}
	p.settle()
	p.advance(31 * time.Minute)
	p.Sessions.Sweep()
	if n := p.objects(); n != 2 {
		t.Errorf("%d objects after the session, want the 2 of the letter", n)
	}
}

func TestSend_AgainAfterCrash(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := check(t, c, "")
	code := codeOn(t, page.Form("main form").Submit())
	p.restart()
	n := p.browser()
	n.SetCookie("ps_sitzung", c.Cookie("ps_sitzung"))
	token := page.Form("main form").Get("token")
	got := wantPath(t, n.PostForm("/nachricht/5?e=verloren", "token", token), "/nachricht/gesendet")
	if codeOn(t, got) != code {
		t.Error("another code after a crash")
	}
	bare := p.browser()
	if got := bare.PostForm("/nachricht/5?e=verloren", "token", token).Want(200); codeOn(t, got) != code {
		t.Error("a browser without cookie gets another code")
	}
	other := p.browser()
	other.Host = beispielingen
	other.PostForm("/nachricht/5?e=verloren", "token", token).Want(403)
	if th, m, _ := p.letters(); th != 1 || m != 1 {
		t.Errorf("%d threads, %d messages", th, m)
	}
}

func TestVaultAway(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	first := send(t, c)
	p.settle()
	p.Switch.Off()
	code := send(t, c, "a.pdf")
	got := c.Get("/abholen").Form("main form").Set("code", first).Submit().Want(503)
	if !got.Contains("nicht öffnen") {
		t.Errorf("page says %q", got.Text("main"))
	}
	p.Switch.On()
	p.settle()
	open(t, c, "", code)
}

// goneStore is a blob store that can be taken away.
type goneStore struct {
	blob.Store
	gone *bool
}

func (g goneStore) Put(ctx context.Context, id blob.ID, r io.Reader) (int64, error) {
	if *g.gone {
		return 0, fmt.Errorf("store: %w", fault.Unavailable)
	}
	return g.Store.Put(ctx, id, r)
}

func TestBlobStoreGone(t *testing.T) {
	gone := false
	p := newPost(t, func(p *post) { p.blobs = goneStore{p.Blobs, &gone} })
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	page = page.Form("main form").File("files", "da.pdf", "application/pdf", pdfFile("da")).Submit("aktion=hochladen")
	gone = true
	got := page.Form("main form").File("files", "neu.pdf", "application/pdf", pdfFile("neu")).Submit("aktion=weiter").Want(503)
	if !got.Contains("da.pdf") || !got.Has("[role=alert]") {
		t.Errorf("page says %q", got.Text("main"))
	}
	gone = false
	got = got.Form("main form").File("files", "neu.pdf", "application/pdf", pdfFile("neu")).Submit("aktion=weiter")
	wantPath(t, got, "/nachricht/5")
}

func TestDatabaseGone(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := check(t, c, "", "a.pdf")
	p.must(p.DB.Close())
	got := page.Form("main form").Submit().Want(503)
	if !got.Contains("nicht gesendet") || !got.Contains(longBody) || !got.Contains("a.pdf") || got.Has("#abholcode") {
		t.Errorf("page says %q", got.Text("main"))
	}
	if got.Form("main form").Get("token") != page.Form("main form").Get("token") {
		t.Error("the check page has another token now: a repeat could send twice")
	}
}

// collectCounter counts what the vault is asked for codes.
type collectCounter struct {
	vault.Service
	n *int
}

func (c collectCounter) Collect(ctx context.Context, of string, lookup []byte) (vault.Collected, error) {
	*c.n++
	return c.Service.Collect(ctx, of, lookup)
}

func TestCollect_WrongCodesLookAlike(t *testing.T) {
	calls := 0
	p := newPost(t, func(p *post) { p.service = collectCounter{p.Switch, &calls} })
	c := p.browser()
	c.Host = beispielingen
	page := wantPath(t, c.Get("/nachricht").Form("main form").Set("mailbox", "rathaus").Submit("aktion=weiter"), "/nachricht/2")
	page = page.Form("main form").Set("topic", "allgemein").Submit("aktion=weiter")
	page = page.Form("main form").Set("subject", "Fremd").Set("body", longBody).Submit("aktion=weiter").Form("main form").Submit("aktion=weiter")
	foreign := codeOn(t, page.Form("main form").Submit())
	p.settle()
	c.Host = musterstadt
	bodies, counts := map[string]string{}, map[string]int{}
	for name, code := range map[string]string{
		"unknown": "0000-0000-0000-0000-0000-0000", "foreign": foreign, "malformed": "guten tag", "empty": "", "long": strings.Repeat("A", 70<<10), "broken": "\xff\xfe",
	} {
		calls = 0
		got := c.PostForm("/abholen", "code", code).Want(422)
		typed := got.Form("main form").Get("code")
		if strings.Count(got.Body, ` value="`+typed+`"`) != 1 || name == "foreign" && typed != code {
			t.Errorf("%s: the field holds %q", name, typed)
		}
		bodies[name], counts[name] = strings.Replace(got.Body, ` value="`+typed+`"`, "", 1), calls
	}
	for name := range bodies {
		if stripNonce(bodies[name]) != stripNonce(bodies["unknown"]) || counts[name] != counts["unknown"] || counts[name] != 2 {
			t.Errorf("%s: %d calls and %d bytes, unknown: %d calls and %d bytes", name, counts[name], len(bodies[name]), counts["unknown"], len(bodies["unknown"]))
		}
	}
}

// stripNonce removes what differs in every response.
func stripNonce(page string) string {
	for {
		before, rest, found := strings.Cut(page, ` nonce="`)
		if !found {
			return page
		}
		_, after, _ := strings.Cut(rest, `"`)
		page = before + after
	}
}

func TestCollect_Rate(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	for range 30 {
		c.PostForm("/abholen", "code", "x").Want(422)
	}
	if got := c.PostForm("/abholen", "code", "x").Want(429); !got.Contains("zu viele Versuche") {
		t.Errorf("page says %q", got.Text("main"))
	}
	p.advance(time.Minute)
	c.PostForm("/abholen", "code", "x").Want(422)
}

func TestCollected_NoticeWithdrawalEnd(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	code := send(t, c)
	p.settle()
	page := open(t, c, "", code)
	bad := page.Form("form[aria-label=Benachrichtigung]").Set("email", "kim@").Submit().Want(422)
	if bad.Form("form[aria-label=Benachrichtigung]").Get("email") != "kim@" {
		t.Error("a refused address is not shown again")
	}
	page = page.Form("form[aria-label=Benachrichtigung]").Set("email", "kim@example.org").Submit().Want(200)
	if page.Form("form[aria-label=Benachrichtigung]").Get("email") != "kim@example.org" {
		t.Error("address is not stored")
	}
	page = page.Click("Anliegen zurücknehmen").Want(200)
	if p.count(`select count(*) from mailbox_threads where withdrawal = $1`, true) != 0 {
		t.Error("looking at the page asks for withdrawal")
	}
	page = wantPath(t, page.Form("main form").Submit(), "/abholen/vorgang")
	if p.count(`select count(*) from mailbox_threads where withdrawal = $1`, true) != 1 || !page.Contains("Das Amt entscheidet") {
		t.Error("withdrawal is not asked")
	}
	thread := page.Path
	ended := c.PostForm(strings.Replace(thread, "/vorgang?", "/ende?", 1))
	wantPath(t, ended, "/abholen")
	wantPath(t, c.Get(thread), "/abholen")
	// An answer whose session is gone gives the text back.
	got := c.Do("POST", strings.Replace(thread, "/vorgang?", "/antwort?", 1), "multipart/form-data; boundary=g",
		[]byte("--g\r\nContent-Disposition: form-data; name=\"body\"\r\n\r\nMein Text\r\n--g--\r\n")).Want(403)
	if !got.Contains("Mein Text") {
		t.Errorf("page says %q", got.Text("main"))
	}
}

// TestNothingIsLeft looks for what was typed and uploaded in everything that is
// on disk, while the session lives and after it.
func TestNothingIsLeft(t *testing.T) {
	p := newPost(t)
	t.Setenv("TMPDIR", t.TempDir())
	c := p.browser()
	page := matter(t, c, "", "tiefbauamt", "schaden")
	page = page.Form("main form").Set("subject", "MARKERBETREFF").Set("body", longBody+" MARKERTEXT").Set("email", "markermail@example.org").Submit("aktion=weiter")
	page = page.Form("main form").File("files", "MARKERNAME.pdf", "application/pdf", pdfFile(strings.Repeat("MARKERINHALT ", 20_000))).Submit("aktion=weiter")
	wantPath(t, page, "/nachricht/5")
	scan := func(when string) {
		for _, dir := range []string{p.DataDir, filepath.Dir(strings.TrimPrefix(p.DBURL, "sqlite:")), os.Getenv("TMPDIR")} {
			err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				if err != nil || d.IsDir() {
					return err
				}
				data, err := os.ReadFile(name)
				for _, marker := range []string{"MARKER", "markermail"} {
					if bytes.Contains(data, []byte(marker)) || strings.Contains(name, marker) {
						t.Errorf("%s: %s holds %s", when, filepath.Base(name), marker)
					}
				}
				return err
			})
			p.must(err)
		}
	}
	scan("before")
	if p.objects() != 1 {
		t.Fatalf("%d objects before the end, want 1: the scan would find nothing", p.objects())
	}
	p.advance(31 * time.Minute)
	p.Sessions.Sweep()
	scan("after")
	if n := p.objects(); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
	if th, m, f := p.letters(); th+m+f != 0 {
		t.Errorf("%d threads, %d messages, %d files are left", th, m, f)
	}
}

// TestNothingIsLeft_Sabotage shows that the scan above finds what is there.
func TestNothingIsLeft_Sabotage(t *testing.T) {
	p := newPost(t)
	p.must(os.WriteFile(filepath.Join(p.BlobDir, "verraten"), []byte("MARKER"), 0o600))
	found := false
	p.must(filepath.WalkDir(p.DataDir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := os.ReadFile(name)
			found = found || bytes.Contains(data, []byte("MARKER"))
		}
		return err
	}))
	if !found {
		t.Error("a planted marker is not found")
	}
}
