package arch_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// importName is the name under which the file knows the import path, "" when it does not import it.
func (s *source) importName(path string) string {
	for _, imp := range s.file.Imports {
		if got := strings.Trim(imp.Path.Value, `"`); got == path {
			if imp.Name != nil {
				return imp.Name.Name
			}
			return path[strings.LastIndex(path, "/")+1:]
		}
	}
	return ""
}

// uses lists the places where the file names one of the members of an import: time.Now.
func (s *source) uses(path string, members ...string) []ast.Node {
	local := s.importName(path)
	if local == "" {
		return nil
	}
	var out []ast.Node
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == local && id.Obj == nil && slices.Contains(members, sel.Sel.Name) {
			out = append(out, sel)
		}
		return true
	})
	return out
}

// clockOwners may ask the machine for the time; everybody else takes tx.Now or an injected Now.
var clockOwners = map[string]string{
	"internal/app":  "injects the clock",
	"internal/db":   "fixes tx.Now",
	"internal/web":  "request timer",
	"internal/load": "measures durations",
}

// checkClock: time.Now, and what calls it, only where the clock is owned.
func checkClock(all []*source) []string {
	var out []string
	for _, s := range all {
		if clockOwners[s.pkg] != "" || slices.Contains(helpers, strings.TrimPrefix(s.pkg, "internal/")) {
			continue
		}
		for _, n := range s.uses("time", "Now", "Since", "Until") {
			out = append(out, s.at(n)+": reads the machine's clock; take tx.Now or an injected Now func() time.Time")
		}
	}
	return out
}

func TestClock(t *testing.T) { report(t, checkClock(sources(t))) }

func TestClock_PlantedBreach(t *testing.T) {
	text := "package mailbox\nimport \"time\"\nfunc f() time.Time { return time.Now() }\n"
	wantFinding(t, checkClock(plant(t, "internal/mailbox", "internal/mailbox/x.go", text)), "x.go:3", "clock")
	wantFinding(t, checkClock(plant(t, "internal/jobs", "x.go", strings.ReplaceAll(text, "return time.Now()", "_ = time.Since; return time.Time{}"))), "clock")
	wantFinding(t, checkClock(plant(t, "internal/jobs", "x.go", "package jobs\nimport clock \"time\"\nfunc New(now func() clock.Time) { if now == nil { now = clock.Now } }\n")), "clock")
	wantNone(t, checkClock(plant(t, "internal/db", "internal/db/x.go", text)))
}

// checkInit: nothing runs before main.
func checkInit(all []*source) []string {
	var out []string
	for _, s := range all {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				out = append(out, s.at(f)+": init() works behind the reader's back; let a constructor do it")
			}
		}
	}
	return out
}

func TestInit(t *testing.T) { report(t, checkInit(sources(t))) }

func TestInit_PlantedBreach(t *testing.T) {
	wantFinding(t, checkInit(plant(t, "internal/x", "x.go", "package x\nfunc init() {}\n")), "x.go:2", "init()")
	wantNone(t, checkInit(plant(t, "internal/x", "x.go", "package x\ntype t int\nfunc (t) init() {}\n")))
}

// checkHandlers: http*.go decodes, calls one method and renders; it never sees a transaction.
func checkHandlers(all []*source) []string {
	var out []string
	for _, s := range all {
		if !strings.HasPrefix(filepath.Base(s.name), "http") || s.pkg == "internal/web" {
			continue
		}
		if s.importName(module+"/internal/db") != "" {
			out = append(out, s.name+": a handler file imports db; move what needs a transaction into a method")
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "tx" {
				out = append(out, s.at(id)+": a handler file mentions tx; move what needs a transaction into a method")
				return false
			}
			return true
		})
	}
	return out
}

func TestHandlers(t *testing.T) { report(t, checkHandlers(sources(t))) }

func TestHandlers_PlantedBreach(t *testing.T) {
	wantFinding(t, checkHandlers(plant(t, "internal/mailbox", "internal/mailbox/http_staff.go",
		"package mailbox\nimport \"poststelle/internal/db\"\nvar _ = db.Millis\n")), "http_staff.go", "imports db")
	wantFinding(t, checkHandlers(plant(t, "internal/mailbox", "internal/mailbox/http.go",
		"package mailbox\nfunc (m *Mailbox) f() { m.store.Update(func(tx any) {}) }\n")), "http.go:2", "tx")
	wantNone(t, checkHandlers(plant(t, "internal/mailbox", "internal/mailbox/store.go",
		"package mailbox\nimport \"poststelle/internal/db\"\nfunc f(tx *db.Tx) {}\n")))
}

// rawOwners may hand markup past templ's escaping: a package or one file.
var rawOwners = map[string]string{
	"internal/web/ui":           "one component that takes markup already cleaned",
	"internal/markdown/show.go": "one component that cleans Markdown before it shows it",
}

// checkMarkup: no unescaped markup and no second way of escaping. It reads generated files too: that is where a
// template's @templ.Raw ends up.
func checkMarkup(all []*source) []string {
	var out []string
	for _, s := range all {
		if rawOwners[s.pkg] == "" && rawOwners[filepath.ToSlash(s.name)] == "" {
			for _, n := range s.uses("github.com/a-h/templ", "Raw", "JSUnsafeFuncCall", "SafeURL", "SafeCSS", "SafeCSSProperty") {
				if s.generated && n.(*ast.SelectorExpr).Sel.Name == "SafeURL" {
					continue // a type that templ's own code names for every href
				}
				out = append(out, s.at(n)+": templ."+n.(*ast.SelectorExpr).Sel.Name+" passes text unescaped")
			}
		}
		for _, n := range s.uses("html/template", "HTML", "HTMLAttr", "JS", "CSS", "URL", "JSStr", "Srcset") {
			out = append(out, s.at(n)+": template."+n.(*ast.SelectorExpr).Sel.Name+" passes text unescaped")
		}
	}
	return out
}

func TestMarkup(t *testing.T) { report(t, checkMarkup(sources(t))) }

func TestMarkup_PlantedBreach(t *testing.T) {
	raw := "package x\nimport \"github.com/a-h/templ\"\nvar _ = templ.Raw(\"<b>\")\n"
	wantFinding(t, checkMarkup(plant(t, "internal/mailbox", "x_templ.go", raw)), "x_templ.go:3", "templ.Raw")
	wantFinding(t, checkMarkup(plant(t, "internal/mail", "x.go", "package mail\nimport \"html/template\"\nvar _ = template.HTML(\"<b>\")\n")), "template.HTML")
	wantNone(t, checkMarkup(plant(t, "internal/web/ui", "x.go", raw)))
	wantNone(t, checkMarkup(plant(t, "internal/markdown", "internal/markdown/show.go", raw)))
}

// wellKnown methods are documented by the interface they satisfy.
var wellKnown = []string{
	"Error", "Unwrap", "Is", "As", "String", "GoString", "Format", "LogValue", "ServeHTTP", "Len", "Less", "Swap",
	"MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "MarshalBinary", "UnmarshalBinary",
}

// checkDocs: every exported name says what its caller must know, every package has a comment.
func checkDocs(all []*source) []string {
	var out []string
	commented := map[string]bool{}
	for _, s := range all {
		commented[s.pkg] = commented[s.pkg] || s.file.Doc != nil
		if s.generated || s.file.Name.Name == "main" {
			continue
		}
		miss := func(n ast.Node, name string) {
			out = append(out, s.at(n)+": exported "+name+" has no comment")
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() || d.Doc != nil {
					continue
				}
				if d.Recv != nil && (!exportedReceiver(d) || slices.Contains(wellKnown, d.Name.Name)) {
					continue
				}
				miss(d, d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
							miss(spec, spec.Name.Name)
						}
					case *ast.ValueSpec: // a comment of the group or at the end of the line is enough
						if spec.Names[0].IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
							miss(spec, spec.Names[0].Name)
						}
					}
				}
			}
		}
	}
	for _, s := range all {
		if has, ok := commented[s.pkg]; ok && !has {
			out = append(out, s.pkg+": has no package comment")
			delete(commented, s.pkg)
		}
	}
	return out
}

func exportedReceiver(d *ast.FuncDecl) bool {
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return false
		}
	}
}

func TestDocs(t *testing.T) { report(t, checkDocs(sources(t))) }

func TestDocs_PlantedBreach(t *testing.T) {
	head := "// Package x is x.\npackage x\n"
	for _, decl := range []string{"func F() {}", "type T struct{}", "var V int", "const C = 1", "type T2 int", "// T is t.\ntype T int\nfunc (t *T) M() {}"} {
		wantFinding(t, checkDocs(plant(t, "internal/x", "x.go", head+decl+"\n")), "exported", "no comment")
	}
	wantFinding(t, checkDocs(plant(t, "internal/x", "x.go", "package x\n")), "package comment")
	wantNone(t, checkDocs(plant(t, "internal/x", "x.go", head+"type t int\nfunc (t) M() {}\nfunc f() {}\n// F is f.\nfunc F() {}\nconst C = 1 // C is c.\n")))
}

// maxLines is the length from which a file needs a reason.
const maxLines = 600

// long are the files that may be longer, with the reason.
var long = map[string]string{}

func checkLength(lengths map[string]int) []string {
	var out []string
	for name, n := range lengths {
		if n > maxLines && long[name] == "" {
			out = append(out, fmt.Sprintf("%s: %d lines; split it at %d", name, n, maxLines))
		}
	}
	slices.Sort(out)
	return out
}

func TestLength(t *testing.T) {
	lengths := map[string]int{}
	for _, name := range files(t, ".go", ".templ", ".mjs", ".js", ".sql") {
		if strings.HasSuffix(name, "_templ.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root(), name))
		if err != nil {
			t.Fatal(err)
		}
		lengths[name] = bytes.Count(text, []byte("\n"))
	}
	report(t, checkLength(lengths))
}

func TestLength_PlantedBreach(t *testing.T) {
	wantFinding(t, checkLength(map[string]int{"internal/x/x.go": 601, "internal/x/y.go": 600}), "x.go", "601 lines")
}

// checkSkips: a test that cannot run must fail, not hide.
func checkSkips(all []*source) []string {
	var out []string
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				if id, ok := sel.X.(*ast.Ident); ok && (id.Name == "t" || id.Name == "b" || id.Name == "f" || id.Name == "tb") {
					out = append(out, s.at(call)+": skips a test; a test that cannot run is a failure")
				}
			}
			return true
		})
	}
	return out
}

func TestSkips(t *testing.T) {
	fset := token.NewFileSet()
	var all []*source
	for _, name := range files(t, "_test.go") {
		text, err := os.ReadFile(filepath.Join(root(), name))
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(fset, filepath.Dir(name), name, text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	report(t, checkSkips(all))
}

func TestSkips_PlantedBreach(t *testing.T) {
	wantFinding(t, checkSkips(plant(t, "internal/x", "x_test.go", "package x\nfunc TestX(t *testing.T) { t.Skip(\"later\") }\n")), "x_test.go:2", "skips")
}
