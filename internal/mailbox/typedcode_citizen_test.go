package mailbox_test

import (
	"regexp"
	"strings"
	"testing"

	"poststelle/internal/seal"
	"poststelle/internal/web/webtest"
)

// wrongCodes are codes that open nothing: unknown, malformed, one with a typo,
// one of another authority.
func wrongCodes(good string) []string {
	typo := strings.ToLower(good)
	if typo = "2" + typo[1:]; typo[1:] == good[1:] || good[0] == '2' {
		typo = "3" + strings.ToLower(good)[1:]
	}
	return []string{seal.NewToken().Code().String(), "hallo", "", typo, good}
}

// without is a page without what differs between any two answers, and without
// what was typed.
func without(p *webtest.Page, typed string) string {
	body := regexp.MustCompile(`nonce="[^"]*"|<input type="hidden"[^>]*>`).ReplaceAllString(p.Body, "")
	return strings.ReplaceAll(body, ` value="`+typed+`"`, "")
}

// wantTypedAgain: each wrong code stands in the field of its own answer, whole,
// the answers are alike in every other byte, and the next page knows nothing.
func wantTypedAgain(t *testing.T, c *webtest.Client, at, form string, codes []string) {
	t.Helper()
	answers := map[string]bool{}
	for _, code := range codes {
		got := c.Get(at).Want(200).Form(form).Set("code", code).Submit().Want(422)
		if have := got.Form(form).Get("code"); have != code {
			t.Errorf("%s: the field holds %q after %q", at, have, code)
		}
		if !strings.Contains(got.Header.Get("Cache-Control"), "no-store") || strings.Contains(got.Path, "?") {
			t.Errorf("%s: Cache-Control %q at %s", at, got.Header.Get("Cache-Control"), got.Path)
		}
		answers[without(got, code)] = true
		if code != "" && strings.Contains(c.Get(at).Want(200).Body, code) {
			t.Errorf("%s: the code is kept for the next page", at)
		}
	}
	if len(answers) != 1 {
		t.Errorf("%s: wrong codes have %d different answers", at, len(answers))
	}
}

func TestCollect_TypedAgain(t *testing.T) {
	p := newPost(t)
	good := send(t, p.browser())
	p.settle()
	c := p.browser()
	c.Host = beispielingen // the last code is one of musterstadt
	wantTypedAgain(t, c, "/abholen", "form[action=/abholen]", wrongCodes(good))
	long := strings.Repeat("x", 5000)
	if got := c.PostForm("/abholen", "code", long).Want(422).Form("form[action=/abholen]").Get("code"); got != long[:60] {
		t.Errorf("%d characters of a far too long code stand in the field", len(got))
	}
}

func TestAdopt_TypedAgain(t *testing.T) {
	p := newPost(t)
	good := send(t, p.browser())
	p.settle()
	codes := wrongCodes(good)
	wantTypedAgain(t, p.register("anna@post.example").Client, "/postfach/uebernehmen", "form[action=/postfach/uebernehmen]", codes[:len(codes)-1])
}
