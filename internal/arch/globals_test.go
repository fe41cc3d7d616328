package arch_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// globals are package variables that may stay although the rule below would report them: "package.name" and why.
var globals = map[string]string{
	"internal/vault/vaulttest.Argon": "cheap costs for tests; a constant cannot be a struct",
}

// checkGlobals: no package variable changes. Without a reason may stand: errors, compiled regular expressions, embedded
// files, interface assertions, and unexported tables that nothing in the package assigns to, appends to, deletes from or
// takes the address of. It is a check of the syntax: a table handed out to others could still be changed there.
func checkGlobals(all []*source, allowed map[string]string) []string {
	var out []string
	changed := changedNames(all)
	used := map[string]bool{}
	for _, s := range all {
		if s.generated {
			continue
		}
		for _, d := range s.file.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				for i, name := range v.Names {
					key := s.pkg + "." + name.Name
					if name.Name == "_" || embedded(gen, v) {
						continue
					}
					var value ast.Expr
					if i < len(v.Values) {
						value = v.Values[i]
					}
					if constantCall(value) && !changed[key] {
						continue
					}
					if table(value) && !name.IsExported() && !changed[key] {
						continue
					}
					if allowed[key] != "" {
						used[key] = true
						continue
					}
					out = append(out, s.at(name)+": package variable "+name.Name+" can change; make it a field, a constant or a function")
				}
			}
		}
	}
	for key := range allowed {
		if !used[key] {
			out = append(out, key+": is allowed as a package variable but needs no leave any more; remove the line")
		}
	}
	return out
}

func embedded(gen *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{gen.Doc, v.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed") {
				return true
			}
		}
	}
	return false
}

// constantCall: a value that nobody can change through the variable: errors, expressions, replacers.
func constantCall(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && slices.Contains([]string{
		"errors.New", "fmt.Errorf", "fault.With", "fault.Fields", "regexp.MustCompile", "strings.NewReplacer",
		"reflect.TypeFor", "big.NewInt", "netip.MustParsePrefix", "netip.MustParseAddr",
		"base32.NewEncoding", "language.MustParse",
	}, pkg.Name+"."+sel.Sel.Name)
}

// table: a literal of elements, or a literal function over them.
func table(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr: // append([]string{…}, other…), []byte("…"), base64.StdEncoding.Strict(), sync.OnceValue(…)
		switch f := e.Fun.(type) {
		case *ast.Ident:
			return f.Name == "append"
		case *ast.ArrayType:
			return true
		case *ast.SelectorExpr:
			pkg, _ := f.X.(*ast.Ident)
			if inner, ok := f.X.(*ast.CallExpr); ok && constantCall(inner) {
				return true // strings.NewReplacer(…).Replace("…")
			}
			return pkg != nil && pkg.Name == "strings" || f.Sel.Name == "WithPadding" || f.Sel.Name == "Strict" ||
				pkg != nil && pkg.Name == "sync" && strings.HasPrefix(f.Sel.Name, "OnceValue") ||
				pkg != nil && pkg.Name == "slices" && f.Sel.Name == "Concat"
		}
	case *ast.UnaryExpr:
		return false // &T{…} invites changes
	case *ast.BasicLit, *ast.Ident, *ast.BinaryExpr:
		return true
	}
	return false
}

// changedNames are the package variables that some function of their package writes to.
func changedNames(all []*source) map[string]bool {
	changed := map[string]bool{}
	for _, s := range all {
		decls := map[any]bool{}
		for _, d := range s.file.Decls {
			if gen, ok := d.(*ast.GenDecl); ok {
				for _, spec := range gen.Specs {
					decls[spec] = true
				}
			}
		}
		mark := func(e ast.Expr) {
			for {
				switch x := e.(type) {
				case *ast.IndexExpr:
					e = x.X
				case *ast.SelectorExpr:
					e = x.X
				case *ast.StarExpr:
					e = x.X
				case *ast.ParenExpr:
					e = x.X
				case *ast.SliceExpr:
					e = x.X
				case *ast.Ident:
					// A name resolved within the file to something else than a package variable is a local one.
					if x.Obj == nil || decls[x.Obj.Decl] {
						changed[s.pkg+"."+x.Name] = true
					}
					return
				default:
					return
				}
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, e := range n.Lhs {
						mark(e)
					}
				}
			case *ast.IncDecStmt:
				mark(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					mark(n.X)
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
					mark(n.Args[0])
				}
			}
			return true
		})
	}
	return changed
}

func TestGlobals(t *testing.T) { report(t, checkGlobals(sources(t), globals)) }

func TestGlobals_PlantedBreach(t *testing.T) {
	for _, text := range []string{
		"var count int",
		"var mu sync.Mutex",
		"var cache = map[string]int{}\nfunc f() { cache[\"a\"] = 1 }",
		"var list = []string{\"a\"}\nfunc f() { list = append(list, \"b\") }",
		"var m = map[string]int{}\nfunc f() { delete(m, \"a\") }",
		"var conf = struct{ n int }{}\nfunc f() { conf.n++ }",
		"var conf = struct{ n int }{}\nfunc f() { g(&conf) }",
		"var Table = []string{\"a\"}",
		"var client = http.DefaultClient.Clone()",
		"var store *Store",
		"var store = &Store{}",
	} {
		wantFinding(t, checkGlobals(plant(t, "internal/x", "x.go", "package x\n"+text+"\n"), nil), "x.go:2", "can change")
	}
	wantNone(t, checkGlobals(plant(t, "internal/x", "x.go", `package x
var ErrX = errors.New("x")
var re = regexp.MustCompile("x")
var _ I = (*T)(nil)
//go:embed x
var fs embed.FS
var names = []string{"a"}
func f() { names := names[:]; names[0] = "b" }
`), nil))
	wantNone(t, checkGlobals(plant(t, "internal/x", "x.go", "package x\nvar count int\n"), map[string]string{"internal/x.count": "because"}))
	wantFinding(t, checkGlobals(plant(t, "internal/x", "x.go", "package x\n"), map[string]string{"internal/x.count": "because"}), "no leave any more")
}
