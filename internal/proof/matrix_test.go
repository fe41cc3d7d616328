package proof_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"poststelle/internal/web"
)

var update = flag.Bool("update", false, "write the golden files anew")

// matrixFile is the access matrix as readers see it.
const matrixFile = "docs/access-matrix.csv"

// routes are all routes of the assembled program with their rules.
func (s *stage) routes() (*web.Router, []string) {
	s.t.Helper()
	rt, err := s.Router()
	must(s.t, err)
	return rt, rt.Routes()
}

// address fills a pattern with ids: of a letter in the clerk's mailbox, of a
// person of the authority, or of nothing at all.
func (s *stage) address(pattern string) string {
	path := pattern
	if strings.HasPrefix(path, "/amt/vorgang/") {
		path = strings.Replace(path, "{id}", s.mine.thread, 1)
	}
	if strings.HasPrefix(path, "/amt/personal/person/") {
		path = strings.Replace(path, "{id}", s.victim.person, 1)
	}
	path = strings.Replace(path, "{message}", s.mine.message, 1)
	path = strings.Replace(path, "{part}", strings.TrimPrefix(s.mine.parts[0], "file/"), 1)
	path = strings.Replace(path, "{step}", "1", 1)
	path = strings.Replace(path, "{file...}", "nicht-da.css", 1)
	for strings.Contains(path, "{") {
		open, end := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
		path = path[:open] + "gibtesnicht" + path[end+1:]
	}
	return path
}

// expected is what the rule of a route says about a caller. An object that is
// not there, or is another's, is told to nobody but those who may ask.
func expected(rule, name string) []string {
	who, roles, _ := strings.Cut(strings.TrimSuffix(rule, " (keeps what was typed)"), ": ")
	switch {
	case who == "members' networks": // which nobody of the stage is in
		return []string{"other network"}
	case who == "public":
		return []string{"open", "404", "needs a session"}
	case who == "citizen" && name == "citizen":
		return []string{"open", "404"}
	case who == "citizen", slices.Contains([]string{"nobody", "citizen", "other tenant"}, name):
		return []string{"sign in"}
	case roles == "" || slices.Contains(strings.Split(roles, ", "), name):
		return []string{"open", "404"}
	}
	return []string{"403"}
}

// ends are the routes after which somebody's access is gone; they come last.
func ends(route string) bool {
	return strings.HasSuffix(route, "/sperren") || route == "POST /konto/loeschen" || strings.HasSuffix(route, "/abmelden")
}

// TestAccess_Matrix asks every route of the program as everybody, with all
// modules on (TestAccess_ModuleOff: with none), and compares what is measured with
// the rule that the route declares. A route without a rule keeps the program from
// starting.
func TestAccess_Matrix(t *testing.T) {
	s := newStage(t)
	rt, routes := s.routes()
	rules, modules := rt.Rules(), rt.Modules()
	must(t, rt.CheckRules())
	slices.SortStableFunc(routes, func(a, b string) int {
		if ends(a) != ends(b) {
			if ends(a) {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	rows := map[string][]string{}
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		row := []string{method, pattern, rules[route], modules[route]}
		for _, c := range s.callers {
			s.awake(c)
			got := s.ask(c, c.host, method, s.address(pattern), nil)
			what := got.outcome()
			if what == "sign in" && rules[route] == "public" {
				what = "needs a session" // of the assistant or of a code, not of a person
			}
			if !slices.Contains(expected(rules[route], c.name), what) {
				t.Errorf("%s as %s: %s (%d %s), want %v: %q", route, c.name, what, got.status, got.location, expected(rules[route], c.name), words(got.body))
			}
			row = append(row, what)
		}
		rows[route] = row
	}
	s.golden(routes, rows)
}

func (s *stage) golden(routes []string, rows map[string][]string) {
	s.t.Helper()
	slices.SortFunc(routes, func(a, b string) int {
		_, x, _ := strings.Cut(a, " ")
		_, y, _ := strings.Cut(b, " ")
		return strings.Compare(x+a, y+b)
	})
	head := []string{"method", "path", "rule", "module"}
	for _, c := range s.callers {
		head = append(head, c.name)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	must(s.t, w.Write(head))
	for _, r := range routes {
		must(s.t, w.Write(rows[r]))
	}
	w.Flush()
	file := filepath.Join("..", "..", filepath.FromSlash(matrixFile))
	if *update {
		must(s.t, os.WriteFile(file, b.Bytes(), 0o644))
		return
	}
	old, err := os.ReadFile(file)
	must(s.t, err)
	if !bytes.Equal(old, b.Bytes()) {
		s.t.Errorf("%s is not what was measured: run dev/golden and read the difference", matrixFile)
	}
}

// words is the beginning of what a page says.
func words(body string) string {
	if _, main, ok := strings.Cut(body, "<main"); ok {
		body = main
	}
	var b strings.Builder
	in := true
	for _, c := range body {
		switch {
		case c == '<':
			in = true
		case c == '>':
			in = false
			b.WriteByte(' ')
		case !in && !unicode.IsControl(c):
			b.WriteRune(c)
		}
	}
	out := strings.Join(strings.Fields(b.String()), " ")
	return out[:min(len(out), 160)]
}

// TestAccess_SabotageRule shows that the matrix measures: the same request under
// a rule that lets somebody through comes out otherwise.
func TestAccess_SabotageRule(t *testing.T) {
	s := newStage(t)
	rt, _ := s.routes()
	c := s.caller("editor")
	s.awake(c)
	got := s.ask(c, c.host, "GET", "/amt/eingang", nil).outcome()
	if slices.Contains(expected("staff: editor", c.name), got) || !slices.Contains(expected(rt.Rules()["GET /amt/eingang"], c.name), got) {
		t.Errorf("the inbox as editor: %s", got)
	}
	rt.Handle("GET /amt/vergessen", nil)
	if err := rt.CheckRules(); err == nil || !strings.Contains(err.Error(), "GET /amt/vergessen") {
		t.Errorf("a route without a rule: %v", err)
	}
}
