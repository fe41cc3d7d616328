package mailbox_test

import (
	"crypto/ed25519"
	"regexp"
	"strings"
	"testing"

	"poststelle/internal/seal"
	"poststelle/internal/web/webtest"
)

const longBody = "Vor dem Haus Lindenstraße 14 ist seit Montag die Laterne aus. Bitte reparieren Sie sie."

func pdfFile(text string) []byte {
	return []byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n% " + text + "\ntrailer<</Root 1 0 R>>\n%%EOF\n")
}

func path(p *webtest.Page) string {
	path, _, _ := strings.Cut(p.Path, "?")
	return path
}

// wantPath ends the test if the page is another one.
func wantPath(t *testing.T, p *webtest.Page, want string) *webtest.Page {
	t.Helper()
	if path(p) != want {
		t.Fatalf("page %s, want %s; it says %q", p.Path, want, p.Text("main"))
	}
	return p
}

// matter goes to step 3 of a new letter to a mailbox.
func matter(t *testing.T, c *webtest.Client, lang, box, topic string) *webtest.Page {
	t.Helper()
	p := wantPath(t, c.Get(lang+"/nachricht").Want(200), lang+"/nachricht/1")
	p = wantPath(t, p.Form("main form").Set("mailbox", box).Submit("aktion=weiter"), lang+"/nachricht/2")
	return wantPath(t, p.Form("main form").Set("topic", topic).Submit("aktion=weiter"), lang+"/nachricht/3")
}

// check goes to the check page of a letter to tiefbauamt with files.
func check(t *testing.T, c *webtest.Client, lang string, files ...string) *webtest.Page {
	t.Helper()
	p := matter(t, c, lang, "tiefbauamt", "schaden")
	p = p.Form("main form").Set("subject", "Laterne defekt").Set("body", longBody).Set("reply", "code").Submit("aktion=weiter")
	f := wantPath(t, p, lang+"/nachricht/4").Form("main form")
	for _, name := range files {
		f.File("files", name, "application/pdf", pdfFile(name))
	}
	return wantPath(t, f.Submit("aktion=weiter"), lang+"/nachricht/5")
}

// codeOn returns the collection code that a confirmation shows.
func codeOn(t *testing.T, p *webtest.Page) string {
	t.Helper()
	code := strings.ReplaceAll(p.Text("#abholcode"), " ", "")
	if _, err := seal.ParseCode(code); err != nil || !regexp.MustCompile(`^(\w{4}-){5}\w{4}$`).MatchString(code) {
		t.Fatalf("confirmation shows %q as code; page %s says %q", code, p.Path, p.Text("main"))
	}
	return code
}

// send writes and sends a letter and returns its code.
func send(t *testing.T, c *webtest.Client, files ...string) string {
	t.Helper()
	p := check(t, c, "", files...).Form("main form").Submit()
	return codeOn(t, wantPath(t, p, "/nachricht/gesendet"))
}

// open opens a thread by its code.
func open(t *testing.T, c *webtest.Client, lang, code string) *webtest.Page {
	t.Helper()
	p := c.Get(lang+"/abholen").Form("main form").Set("code", code).Submit()
	return wantPath(t, p, lang+"/abholen/vorgang")
}

func TestJourney(t *testing.T) {
	for _, lang := range []string{"", "/en"} {
		t.Run("lang"+strings.Trim(lang, "/"), func(t *testing.T) {
			p := newPost(t)
			c := p.browser()
			start := c.Get("/").Want(200)
			if lang != "" {
				start = c.Get("/en").Want(200)
			}
			if n := start.Count("main a.ps-card__link"); n != 3 {
				t.Errorf("start page has %d offices, want 3", n)
			}
			page := check(t, c, lang, "plan.pdf", "foto 2.pdf")
			for _, want := range []string{"Laterne defekt", longBody, "plan.pdf", "foto 2.pdf"} {
				if !page.Contains(want) {
					t.Errorf("check page lacks %q", want)
				}
			}
			sent := wantPath(t, page.Form("main form").Submit(), lang+"/nachricht/gesendet").Want(200)
			code := codeOn(t, sent)
			if strings.Contains(sent.Path, code) || !sent.Has("svg.ps-qr") {
				t.Errorf("code in the address, or no QR code: %s", sent.Path)
			}
			if again := codeOn(t, c.Get(sent.Path)); again != code {
				t.Errorf("reload shows %s, want %s", again, code)
			}
			qr := c.Get(strings.Replace(sent.Path, "/gesendet?", "/gesendet/qr.svg?", 1)).Want(200)
			if qr.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(qr.Body, "<rect") {
				t.Errorf("QR file is %q", qr.Header.Get("Content-Type"))
			}
			receipt := c.Get(strings.Replace(sent.Path, "/gesendet?", "/gesendet/quittung.txt?", 1)).Want(200)
			checkReceiptPage(t, p, c, lang, receipt.Body)

			page = sent.Form("main form").Submit("aktion=notiert").Want(200)
			if page.Has("#abholcode") || c.Get(sent.Path).Has("#abholcode") {
				t.Error("the code is shown after it was noted")
			}
			p.settle()
			again(t, c, lang, code)
		})
	}
}

// again opens the thread, writes again with a file, and reads it.
func again(t *testing.T, c *webtest.Client, lang, code string) {
	t.Helper()
	page := open(t, c, lang, strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	if page.Text("h1") != "Laterne defekt" || !page.Contains(longBody) {
		t.Errorf("thread shows %q", page.Text("main"))
	}
	links := page.Select("a.ps-file__link")
	if len(links) != 2 {
		t.Fatalf("thread has %d files, want 2", len(links))
	}
	if got := page.Click("plan.pdf").Want(200); got.Body != string(pdfFile("plan.pdf")) || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("file comes back as %q, %s", got.Body, got.Header.Get("Content-Disposition"))
	}
	if page.Click("p a[download]").Want(200).Header.Get("Content-Type") != "text/plain; charset=utf-8" && page.Click("p a[download]").Header.Get("Content-Type") != "text/plain" {
		t.Errorf("receipt has another type")
	}
	f := page.Form("main form[enctype=multipart/form-data]")
	f.Set("body", "Noch etwas: auch die Nachbarlaterne.").File("files", "mehr.pdf", "application/pdf", pdfFile("mehr"))
	page = wantPath(t, f.Submit("aktion=hochladen"), lang+"/abholen/vorgang")
	f = page.Form("main form[enctype=multipart/form-data]")
	if f.Get("body") != "Noch etwas: auch die Nachbarlaterne." || !page.Contains("mehr.pdf") {
		t.Errorf("upload lost the text or the file: %q", page.Text("main"))
	}
	page = wantPath(t, f.Submit("aktion=senden"), lang+"/abholen/vorgang").Want(200)
	if !page.Contains("Nachbarlaterne") || page.Count("a.ps-file__link") != 3 {
		t.Errorf("second letter is not shown: %q", page.Text("main"))
	}
	if twice := f.Submit("aktion=senden"); twice.Count("article") != 2 {
		t.Errorf("posting the form twice shows %d letters, want 2", twice.Count("article"))
	}
}

func checkReceiptPage(t *testing.T, p *post, c *webtest.Client, lang, receipt string) {
	t.Helper()
	key, err := p.Deputy.AuthorityKey("musterstadt")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := seal.VerifyReceipt(receipt, ed25519.PublicKey(key)); err != nil || len(r.Files) != 2 {
		t.Fatalf("receipt does not verify: %v\n%s", err, receipt)
	}
	page := c.Get(lang+"/quittung").Want(200).Form("main form").Set("receipt", receipt).Set("text", longBody).Submit().Want(200)
	if !page.Has("#ergebnis.kern-alert--success") || !page.Has("#textvergleich.kern-alert--success") {
		t.Errorf("true receipt: %q", page.Text("main"))
	}
	page = page.Form("main form").Set("text", longBody+"!").Submit().Want(200)
	if !page.Has("#textvergleich.kern-alert--danger") {
		t.Errorf("another text passes: %q", page.Text("main"))
	}
	forged := strings.Replace(receipt, "Tiefbauamt", "Tiefbauomt", 1)
	page = page.Form("main form").Set("receipt", forged).Submit().Want(200)
	if !page.Has("#ergebnis.kern-alert--danger") {
		t.Errorf("forged receipt passes: %q", page.Text("main"))
	}
	page.Form("main form").Set("receipt", "hallo").Submit().Want(422)
}

func TestStart_Operator(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	c.Host = betreiber
	page := c.Get("/").Want(200).Form("form[role=search]").Set("ort", "musterst").Submit().Want(200)
	if href := page.Attr("a.ps-card__link", "href"); href != "http://"+musterstadt+"/" {
		t.Errorf("finder leads to %q", href)
	}
	if !c.Get("/?ort=nirgendwo").Want(200).Has(".ps-empty") {
		t.Error("nothing said about a place that is not found")
	}
}
