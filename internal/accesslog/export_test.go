package accesslog_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"poststelle/internal/accesslog"
)

// GoAccess, as statistics programs do, must read the Combined export.
func TestExport_GoAccess(t *testing.T) {
	bin, err := exec.LookPath("goaccess")
	if err != nil {
		t.Fatal("goaccess is not installed; dev/setup installs it (apt-get install goaccess)")
	}
	w := newWorld(t, nil)
	n := 0
	for _, b := range append(accesslog.Browsers(), "") {
		for _, o := range accesslog.Systems() {
			e := w.entry(n)
			e.Browser, e.OS = b, o
			e.Success = []int{200, 303, 404, 500}[n%4]
			if n%3 == 0 {
				e.Referrer, e.IP = "https://www.suche.example/a%22b", netip.MustParseAddr("2001:db8::7")
			}
			if n%5 == 0 {
				e.File, e.Referrer = "/amt/vorgang/{id}", ""
			}
			w.log.Record("T1", e)
			n++
		}
	}
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, _, err := w.export(t, "T1", accesslog.Combined)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "access.log"), filepath.Join(dir, "report.json")
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, in, "--no-global-config", "--log-format=COMBINED", "--no-query-string", "-o", out)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("goaccess: %v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var rep struct {
		General struct {
			Total  int `json:"total_requests"`
			Valid  int `json:"valid_requests"`
			Failed int `json:"failed_requests"`
		} `json:"general"`
	}
	if err := json.Unmarshal(b, &rep); err != nil {
		t.Fatal(err)
	}
	if g := rep.General; g.Total != n || g.Valid != n || g.Failed != 0 {
		t.Errorf("goaccess read %+v of %d lines", g, n)
	}
	all := strings.ReplaceAll(string(b), `\/`, "/")
	for _, want := range []string{"Firefox", "Chrome", "Edge", "Safari", "Opera", "Windows", "Macintosh", "Android", "iOS", "Linux", "/amt/vorgang/{id}", "www.suche.example"} {
		if !strings.Contains(all, want) {
			t.Errorf("goaccess does not show %s", want)
		}
	}
}

// The types survive the detour over the synthetic User-Agent.
func TestExport_SyntheticAgent(t *testing.T) {
	w := newWorld(t, nil)
	var want []string
	for _, b := range accesslog.Browsers() {
		for _, o := range accesslog.Systems() {
			if b == accesslog.Safari && o == accesslog.Unknown {
				continue
			}
			e := w.entry(0)
			e.Browser, e.OS = b, o
			w.log.Record("T1", e)
			want = append(want, b+"/"+o)
		}
	}
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, _, err := w.export(t, "T1", accesslog.Combined)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for l := range strings.Lines(text) {
		ua := strings.Split(l, `"`)[5]
		b, o := accesslog.Agent(ua)
		// A web view on an iPhone looks like Safari by itself.
		if got := b + "/" + o; got != want[i] && want[i] != accesslog.Unknown+"/"+accesslog.IOS {
			t.Errorf("%q reads as %s, want %s", ua, got, want[i])
		}
		i++
	}
}
