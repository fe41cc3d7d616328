package mailbox_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"poststelle/internal/mailbox"
	"poststelle/internal/web/webtest"
)

const againForm = "main form[enctype=multipart/form-data]"

// wantTyped: the page says at the field how long a text may be, once, and gives
// it back whole.
func wantTyped(t *testing.T, got *webtest.Page, form, text string) {
	t.Helper()
	if got.Want(422).Count("#fehler li") != 1 || !strings.Contains(got.Text("#fehler"), "höchstens 20.000 Zeichen") || !got.Has("#fehler a[href='#body']") {
		t.Errorf("summary says %q", got.Text("#fehler"))
	}
	if have := got.Form(form).Get("body"); have != text {
		t.Errorf("%d of %d bytes are given back", len(have), len(text))
	}
}

// What is far too long for any field is refused at its field like what is a
// little too long, and given back; what was answered before stays.
func TestMatter_FarTooLong(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	three := c.Get(strings.Replace(page.Path, "/4?", "/3?", 1)).Want(200)
	for _, n := range []int{20_001, 200_000, 650_000} { // the last is 3.9 MB, more than a session holds
		for _, button := range []string{"weiter", "zurueck"} {
			if n == 20_001 && button == "zurueck" {
				continue // kept and corrected later
			}
			text := strings.Repeat("ä", n)
			wantTyped(t, three.Form("main form").Set("body", text).Submit("aktion="+button), "main form", text)
		}
	}
	if f := c.Get(three.Path).Form("main form"); f.Get("subject") != "Laterne" || f.Get("body") != strings.Repeat("ä", 20_001) {
		t.Error("what was kept before is gone")
	}
	wantPath(t, three.Form("main form").Submit("aktion=weiter"), "/nachricht/4")
}

func TestAnswers_FarTooLong(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	code := send(t, c)
	p.settle()
	page := open(t, c, "", code)
	for _, n := range []int{200_000, 1_200_000} {
		text := strings.Repeat("ä", n)
		wantTyped(t, page.Form(againForm).Set("body", text).Submit("aktion=senden"), againForm, text)
	}
	if f := c.Get(page.Path).Form(againForm); f.Get("body") != "" {
		t.Error("what is far too long is kept in the session")
	}
	d := p.deliver(func(l *mailbox.Letter) { l.Subject = "Zweiter" })
	b := p.signIn(p.Tiefbau)
	for _, n := range []int{200_000, 1_200_000} {
		text := strings.Repeat("ä", n)
		wantTyped(t, b.Get(casePath(d.Thread)).Form("#antwort-form").Set("body", text).Submit("aktion=senden"), "#antwort-form", text)
	}
}

// A body beyond all bounds is refused in plain words on the page of the step,
// announced or not; what was answered before is still there.
func TestMatter_BeyondTheLimit(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	action := strings.Replace(page.Form("main form").Action, "/4?", "/3?", 1)
	u, err := url.Parse(action)
	p.must(err)
	body := "schutz=" + page.Form("main form").Get("schutz") + "&subject=Neu&body=" + strings.Repeat("%C3%A4", 1_000_000)
	got := c.Do("POST", action, "application/x-www-form-urlencoded", []byte(body)).Want(413)
	if f := got.Form("main form"); f.Get("subject") != "Laterne" || f.Get("body") != longBody {
		t.Errorf("the step shows %q, %q", f.Get("subject"), f.Get("body"))
	}
	if !strings.Contains(got.Text("[role=alert]"), "zu groß") || !strings.Contains(got.Text("[role=alert]"), "noch da") {
		t.Errorf("page says %q", got.Text("[role=alert]"))
	}
	conn, err := net.Dial("tcp", c.Addr())
	p.must(err)
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nSec-Fetch-Site: same-origin\r\nCookie: ps_sitzung=%s\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
		u.RequestURI(), musterstadt, c.Cookie("ps_sitzung"), len(body), body)
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413") || !strings.Contains(string(answer), "Laterne") {
		t.Errorf("a body of unknown length is answered %.200s, %v", answer, err)
	}
	wantPath(t, c.Get(page.Path).Form("main form").Submit("aktion=weiter"), "/nachricht/5")
}

func TestUpload_CutInHeader(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	code := send(t, c)
	p.settle()
	thread := open(t, c, "", code)
	token := "--grenze\r\nContent-Disposition: form-data; name=\"schutz\"\r\n\r\n" + thread.Form(againForm).Get("schutz") + "\r\n"
	for _, cut := range []string{"Content-Dispo", "Content-Disposition: form-data; name=\"files\"; filename=\"halb.pdf\"\r\n"} {
		body := token + "--grenze\r\nContent-Disposition: form-data; name=\"body\"\r\n\r\nNoch etwas.\r\n--grenze\r\nContent-Disposition: form-data; name=\"files\"; filename=\"ganz.pdf\"\r\n\r\n" +
			string(pdfFile("ganz")) + "\r\n--grenze\r\n" + cut
		for form, at := range map[string]*webtest.Page{"main form": page, againForm: thread} {
			got := c.Do("POST", at.Form(form).Action, "multipart/form-data; boundary=grenze", []byte(body)).Want(422)
			if !strings.Contains(got.Text("#fehler a[href='#files']"), "abgebrochen") || p.objects() != 0 || got.Has(".ps-filetable__name") {
				t.Errorf("%s: %q, %d objects", at.Path, got.Text("#fehler"), p.objects())
			}
			if form == againForm && got.Form(form).Get("body") != "Noch etwas." {
				t.Error("what was typed is gone")
			}
		}
	}
}

// Pairs without end before the fields of a step: what was answered before stays,
// and nothing is said about fields that were not read.
func TestMatter_TooManyPairs(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	action := strings.Replace(page.Form("main form").Action, "/4?", "/3?", 1)
	token := "schutz=" + page.Form("main form").Get("schutz")
	for name, body := range map[string]string{
		"all cut off": token + strings.Repeat("&x=1", 3000) + "&subject=Neu&body=Neu&aktion=weiter",
		"some read":   token + "&subject=Neu" + strings.Repeat("&x=1", 3000) + "&body=Neu&aktion=weiter",
	} {
		got := c.Do("POST", action, "application/x-www-form-urlencoded", []byte(body)).Want(422)
		if got.Count("#fehler li") != 1 || !strings.Contains(got.Text("#fehler"), "zu viele Angaben") {
			t.Errorf("%s: summary says %q", name, got.Text("#fehler"))
		}
		want := "Laterne"
		if name == "some read" {
			want = "Neu"
		}
		if f := got.Form("main form"); f.Get("subject") != want || f.Get("body") != longBody {
			t.Errorf("%s: the step shows %q, %q", name, f.Get("subject"), f.Get("body"))
		}
	}
	if f := c.Get(strings.Replace(page.Path, "/4?", "/3?", 1)).Form("main form"); f.Get("subject") != "Laterne" {
		t.Errorf("%q is kept", f.Get("subject"))
	}
}

// An answer with parts without end, or one that breaks off, keeps its text.
func TestAnswer_CutKeepsText(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	form := b.Get(casePath(d.Thread)).Want(200).Form("#antwort-form")
	part := func(name, value string) string {
		return "--grenze\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	head := part("schutz", form.Get("schutz")) + part("entwurf", form.Get("entwurf")) + part("version", form.Get("version")) + part("body", "Wir kommen morgen.")
	for name, tc := range map[string]struct{ rest, says string }{
		"many":   {strings.Repeat(part("x", "1"), 12_000) + "--grenze--\r\n", "zu viele Angaben"},
		"broken": {"--grenze\r\nContent-Dispo", "abgebrochen"},
	} {
		got := b.Do("POST", form.Action, "multipart/form-data; boundary=grenze", []byte(head+tc.rest)).Want(422)
		f := got.Form("#antwort-form")
		if f.Get("body") != "Wir kommen morgen." || f.Get("entwurf") != form.Get("entwurf") || !strings.Contains(got.Text("#fehler"), tc.says) {
			t.Errorf("%s: the form holds %q, summary %q", name, f.Get("body"), got.Text("#fehler"))
		}
	}
	if n := p.count(`select count(*) from mailbox_messages`); n != 1 {
		t.Errorf("%d messages are stored, want the letter", n)
	}
}
