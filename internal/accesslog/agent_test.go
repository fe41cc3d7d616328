package accesslog_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/accesslog"
)

// testdata/agents.txt holds headers as browsers send them, one a line:
// browser | system | header.
func TestAgent(t *testing.T) {
	f, err := os.Open("testdata/agents.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	seen := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		part := strings.SplitN(s.Text(), " | ", 3)
		if len(part) != 3 {
			t.Fatalf("bad line %q", s.Text())
		}
		n++
		browser, system := accesslog.Agent(part[2])
		if browser != part[0] || system != part[1] {
			t.Errorf("Agent(%q) = %s, %s, want %s, %s", part[2], browser, system, part[0], part[1])
		}
		seen[browser], seen[system] = true, true
	}
	if n < 60 {
		t.Errorf("only %d headers", n)
	}
	for _, v := range slices.Concat(accesslog.Browsers(), accesslog.Systems()) {
		if !seen[v] {
			t.Errorf("no header for %s", v)
		}
	}
}

func FuzzAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	f.Fuzz(func(t *testing.T, s string) {
		b, o := accesslog.Agent(s)
		if !slices.Contains(accesslog.Browsers(), b) || !slices.Contains(accesslog.Systems(), o) {
			t.Errorf("Agent(%q) = %s, %s", s, b, o)
		}
	})
}
