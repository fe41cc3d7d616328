package mailbox_test

import "testing"

// Who has noted the code is told that all is well; who comes back later learns
// that the code is shown only once. Both are led to the reply first.
func TestSent_Noted(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	page = wantPath(t, page.Form("main form").Submit("aktion=weiter"), "/nachricht/5")
	page = wantPath(t, page.Form("main form").Submit(), "/nachricht/gesendet")
	sent := page.Path
	page = page.Form("main form").Submit("aktion=notiert").Want(200)
	for at, want := range map[string]string{page.Path: "Alles erledigt", sent: "Hier steht kein Abholcode mehr"} {
		got := c.Get(at).Want(200)
		if got.Text("h1") != want || got.Attr("main .kern-btn--primary", "href") != "/abholen" || got.Attr("main .kern-btn--secondary", "href") != "/nachricht" {
			t.Errorf("%s says %q", at, got.Text("main"))
		}
	}
}

// A browser without a cookie at the first step refuses cookies; at a later one
// it had one, and the session is over.
func TestCookies_LikelyCause(t *testing.T) {
	p := newPost(t)
	for path, want := range map[string]string{
		"/nachricht/1":           "Dafür ist ein Cookie nötig",
		"/nachricht/3?e=abc":     "Ihre Sitzung ist beendet",
		"/nachricht/5?e=abc":     "Ihre Sitzung ist beendet",
		"/abholen/antwort?v=abc": "Ihre Sitzung ist beendet",
	} {
		c := p.browser()
		c.RefuseCookies = true
		if got := c.PostForm(path, "body", longBody).Want(403); got.Text("h1") != want || !got.Contains("Cookie") {
			t.Errorf("%s says %q", path, got.Text("main"))
		}
	}
}
