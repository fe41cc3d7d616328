package i18n_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"poststelle/internal/i18n"
)

var (
	literal = regexp.MustCompile("\"((?:[^\"\\\\\n]|\\\\.)*)\"|`([^`]*)`")
	comment = regexp.MustCompile(`(?m)^\s*//.*$`)
	keyForm = regexp.MustCompile(`^[a-z0-9]+(\.[a-z0-9_]+)+$`)
	prefix  = regexp.MustCompile(`^[a-z0-9]+(\.[a-z0-9_]+)*\.$`)
	notKey  = regexp.MustCompile(`\.(json|css|m?js|svg|go|html?|txt|db|sqlite|sql|xml|png|woff2|templ|pem|toml|ya?ml|csv|pdf|jpg|zip|docx|localhost|example|test|md|log|key|sock|php)$`)
)

// use is one mention of a key in the source.
type use struct {
	file string
	args []string // names of parameters, if the call shows them
	call bool
}

// scan collects the literals in the sources below root that look like keys of a
// known domain, and prefixes to which code adds something. Tests and generated
// files do not count: a key used only there is unused.
func scan(t *testing.T, root string, domains map[string]bool) (keys map[string][]use, prefixes map[string]string) {
	t.Helper()
	keys, prefixes = map[string][]use{}, map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		ext := filepath.Ext(name)
		if ext != ".go" && ext != ".templ" || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range literal.FindAllStringSubmatch(comment.ReplaceAllString(string(data), ""), -1) {
			s := m[1] + m[2]
			domain, _, found := strings.Cut(s, ".")
			switch {
			case !found || !domains[domain]:
			case prefix.MatchString(s):
				prefixes[s] = name
			case keyForm.MatchString(s) && !notKey.MatchString(s):
				keys[s] = append(keys[s], use{file: name})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, prefixes
}

// calls collects the calls i18n.T(ctx, "key", "name", value, …) whose parameter
// names are literals, from Go files including those templ generates.
func calls(t *testing.T, root string) map[string][]use {
	t.Helper()
	out := map[string][]use{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(data), "i18n.T(") && !strings.Contains(string(data), "fault.With(") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
		if err != nil {
			return nil // somebody is writing it; the compiler will complain
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || call.Ellipsis.IsValid() || len(call.Args) < 2 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := sel.X.(*ast.Ident)
			if pkg == nil || pkg.Name+"."+sel.Sel.Name != "i18n.T" && pkg.Name+"."+sel.Sel.Name != "fault.With" {
				return true
			}
			key, ok := text(call.Args[1])
			if !ok {
				return true
			}
			u := use{file: name, call: true}
			for i := 2; i < len(call.Args); i += 2 {
				arg, ok := text(call.Args[i])
				if !ok {
					return true
				}
				u.args = append(u.args, arg)
			}
			out[key] = append(out[key], u)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// list reads a file of first words with a reason after them.
func list(t *testing.T, name string) map[string]bool {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]bool{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		word, reason, _ := strings.Cut(line, " ")
		if strings.TrimSpace(reason) == "" {
			t.Errorf("%s: %s has no reason", name, word)
		}
		out[word] = true
	}
	return out
}

// problems compares catalogue and source.
func problems(t *testing.T, c *i18n.Catalog, root string, dynamic, notKeys map[string]bool) []string {
	t.Helper()
	domains := map[string]bool{}
	for _, key := range c.Keys() {
		domain, _, _ := strings.Cut(key, ".")
		domains[domain] = true
	}
	used, prefixes := scan(t, root, domains)
	var out []string
	called := calls(t, root)
	for key, uses := range used {
		// Kinds of jobs and actions in the journal have two parts as well, so
		// those count only where they are used as a key.
		if strings.Count(key, ".") < 2 && len(called[key]) == 0 {
			continue
		}
		if _, ok := c.Params(key); !ok && !notKeys[key] {
			out = append(out, fmt.Sprintf("%s: key %s has no sentence", uses[0].file, key))
		}
	}
	for p, file := range prefixes {
		if !dynamic[p] && !notKeys[p] {
			out = append(out, fmt.Sprintf("%s: prefix %s is not in testdata/dynamic.txt", file, p))
		}
	}
	for p := range dynamic {
		if domain, _, _ := strings.Cut(p, "."); domains[domain] && prefixes[p] == "" {
			out = append(out, fmt.Sprintf("testdata/dynamic.txt: no code has prefix %s", p))
		}
	}
	for _, key := range c.Keys() {
		if len(used[key]) > 0 || slices.ContainsFunc(prefixesOf(key), func(p string) bool { return dynamic[p] }) {
			continue
		}
		out = append(out, "key "+key+" is not used")
	}
	for key, uses := range called {
		want, ok := c.Params(key)
		if !ok {
			continue
		}
		for _, u := range uses {
			slices.Sort(u.args)
			if !slices.Equal(u.args, want) {
				out = append(out, fmt.Sprintf("%s: %s called with parameters %v, sentence has %v", u.file, key, u.args, want))
			}
		}
	}
	slices.Sort(out)
	return out
}

func prefixesOf(key string) (out []string) {
	for i, c := range key {
		if c == '.' {
			out = append(out, key[:i+1])
		}
	}
	return out
}

func TestKeys(t *testing.T) {
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Problems("en") {
		t.Errorf("en: %s", p)
	}
	for _, lang := range []string{"de", "en"} {
		names, err := filepath.Glob(filepath.Join("catalog", lang, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			var keys map[string]any
			data, err := os.ReadFile(name)
			if err == nil {
				err = json.Unmarshal(data, &keys)
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			// A large domain has several files: mailbox.json, mailbox-privacy.json.
			domain, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".json"), "-")
			for key := range keys {
				if !strings.HasPrefix(key, domain+".") {
					t.Errorf("%s: key %s does not begin with %s", name, key, domain)
				}
			}
		}
	}
	for _, p := range problems(t, c, "..", list(t, "testdata/dynamic.txt"), list(t, "testdata/notkeys.txt")) {
		t.Error(p)
	}
}

// The scan must see each kind of mistake; this plants all of them.
func TestKeys_ScanFindsMistakes(t *testing.T) {
	dir := t.TempDir()
	source := "package x\n" +
		"var a = i18n.T(ctx, \"mail.used\")\n" +
		"var b = i18n.T(ctx, \"mail.missing\")\n" +
		"var c = i18n.T(ctx, \"mail.params\", \"nome\", 1)\n" +
		"var d = i18n.T(ctx, \"mail.state.\" + s)\n" +
		"var e = \"mail.txt\"\n" +
		"// a comment may say \"mail.comment\"\n"
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.templ"), []byte("{ i18n.T(ctx, `mail.page`) }"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := catalog(t, map[string]string{"de/mail.json": `{"mail.used":"a","mail.params":"{name}","mail.unused":"b","mail.page":"c"}`})
	got := strings.Join(problems(t, c, dir, map[string]bool{"mail.gone.": true}, nil), "\n")
	for _, want := range []string{
		"key mail.missing has no sentence", "key mail.unused is not used", "parameters [nome], sentence has [name]",
		"prefix mail.state. is not in", "no code has prefix mail.gone.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("not found: %s\nin:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n") + 1; n != 5 {
		t.Errorf("%d problems, want 5:\n%s", n, got)
	}
}
