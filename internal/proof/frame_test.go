package proof_test

import (
	"net/http"
	"strings"
	"testing"
)

// What is wrong below /amt/ is said in the frame of the staff: with their
// navigation to who is signed in, without to everybody else, and the same for
// what exists elsewhere and what does not.
func TestErrorPages_StaffFrame(t *testing.T) {
	h := newHouse(t)
	who := h.hire("musterstadt", "m.keller", false, "tiefbauamt")
	in, out := h.clerkBrowser(who), h.browser()
	for _, path := range []string{"/amt/gibt-es-nicht", "/en/amt/gibt-es-nicht", "/amt/vorgang/gibt-es-nicht"} {
		p := in.Get(path).Want(http.StatusNotFound)
		if !p.Has(".ps-page--staff") || p.Count(".ps-nav a") < 2 || !p.Has(".ps-nav__user form") || p.Has(`.ps-nav a[href$="/nachricht"]`) {
			t.Errorf("%s, signed in: not the frame of the staff", path)
		}
	}
	for _, path := range []string{"/amt/gibt-es-nicht", "/en/amt/auch/nicht"} {
		p := out.Get(path).Want(http.StatusNotFound)
		if !p.Has(".ps-page--staff") || p.Has(".ps-nav") || !strings.HasSuffix(p.Attr(".ps-errorpage__ways a", "href"), "/amt/anmelden") {
			t.Errorf("%s, not signed in: not the neutral frame", path)
		}
	}
	for _, path := range []string{"/gibt-es-nicht", "/amtlich/gibt-es-nicht"} {
		if p := in.Get(path).Want(http.StatusNotFound); p.Has(".ps-page--staff") || p.Has(".ps-nav__user") {
			t.Errorf("%s: the frame of the staff on a page for everybody", path)
		}
	}
}
