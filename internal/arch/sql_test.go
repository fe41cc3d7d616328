package arch_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// statement recognises the beginning of an SQL statement, or of a clause that is put together with one.
var statement = regexp.MustCompile(`(?is)^\s*(select\s|insert\s+into\s|insert\s+or\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\S+\s+as\s|create\s+(unique\s+|temp\s+)?(table|index|schema|database|view)\s|drop\s+(table|index|schema|database|view)\s|alter\s+table\s|pragma\s)`)

// dialectWords stand in migrations, where db renders them, and nowhere else.
var dialectWords = []string{"{bool}", "{int}", "{blob}", "{json}", "{strict}"}

// dialectSQL is what only one of the two engines understands; db alone may know it.
var dialectSQL = regexp.MustCompile(`(?i)\b(for\s+update\s+skip\s+locked|pragma\s+\w|sqlite_master|information_schema|pg_catalog|autoincrement|insert\s+or\s+(ignore|replace)|collate\s+nocase|ilike\s)|\$\d+::`)

// sqlOwners may put SQL together or speak one dialect.
var sqlOwners = map[string]string{
	"internal/db":        "opens, migrates and translates",
	"internal/db/dbtest": "makes databases for tests",
}

// sqlJoins are files that put statements together from fixed fragments, with the reason; reviewers look at each.
var sqlJoins = map[string]string{
	"internal/mailbox/inbox.go": "the inbox filter: a fixed fragment for each field, values as numbered parameters",
	"internal/vault/store.go":   "pairs() makes numbered placeholders; the kind is one of two constants",
}

// sqlHelpers return text that is safe within a statement, because it is made of numbers or constants.
var sqlHelpers = []string{"In", "SkipLocked", "Itoa"}

// engineOwners may ask which engine runs; for everybody else the two are one.
var engineOwners = []string{"internal/db", "internal/db/dbtest", "internal/app", "internal/demo", "internal/load"}

// checkSQL: statements are written out; values travel as parameters; nobody outside db knows the dialect.
func checkSQL(all []*source) []string {
	var out []string
	consts := constants(all)
	for _, s := range all {
		if sqlOwners[s.pkg] != "" || s.generated {
			continue
		}
		inner := map[ast.Node]bool{} // parts of a concatenation already looked at as a whole
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if id, ok := sel.X.(*ast.Ident); ok && (id.Name == "fmt" || id.Name == "strings") && len(n.Args) > 0 &&
					slices.Contains([]string{"Sprintf", "Sprint", "Appendf", "Fprintf", "ReplaceAll", "Replace"}, sel.Sel.Name) {
					for _, arg := range n.Args {
						if text, ok := literal(arg); ok && statement.MatchString(text) {
							out = append(out, s.at(n)+": puts SQL together with "+id.Name+"."+sel.Sel.Name+"; write the statement out and pass parameters")
						}
					}
				}
				if sel.Sel.Name == "Engine" && len(n.Args) == 0 && !slices.Contains(engineOwners, s.pkg) {
					out = append(out, s.at(n)+": asks for the engine; statements are the same text on both")
				}
			case *ast.BinaryExpr:
				if n.Op != token.ADD || inner[n] {
					return true
				}
				parts := operands(n, inner)
				text, ok := literal(parts[0])
				if !ok || !statement.MatchString(text) {
					return true
				}
				unsafe := slices.ContainsFunc(parts, func(e ast.Expr) bool { return !safePart(s, e, consts) })
				if unsafe && sqlJoins[s.name] == "" {
					out = append(out, s.at(n)+": joins a value into SQL; pass it as a parameter")
				}
			case *ast.BasicLit:
				text, ok := literal(n)
				if !ok {
					return true
				}
				for _, w := range dialectWords {
					if strings.Contains(text, w) {
						out = append(out, s.at(n)+": "+w+" is a word of migrations only")
					}
				}
				if m := dialectSQL.FindString(text); m != "" {
					out = append(out, s.at(n)+": "+strconv.Quote(m)+" is SQL of one engine")
				}
			}
			return true
		})
	}
	return out
}

// constants are the package-level constant names, as "package.name".
func constants(all []*source) map[string]bool {
	out := map[string]bool{}
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if gen, ok := n.(*ast.GenDecl); ok && gen.Tok == token.CONST {
				for _, spec := range gen.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						out[s.pkg+"."+name.Name] = true
					}
				}
			}
			return true
		})
	}
	return out
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// operands flattens a + b + c and remembers the inner nodes.
func operands(e ast.Expr, inner map[ast.Node]bool) []ast.Expr {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.ADD {
		inner[b] = true
		return append(operands(b.X, inner), operands(b.Y, inner)...)
	}
	return []ast.Expr{e}
}

func safePart(s *source, e ast.Expr, consts map[string]bool) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return consts[s.pkg+"."+e.Name]
	case *ast.CallExpr:
		switch f := e.Fun.(type) {
		case *ast.SelectorExpr:
			return slices.Contains(sqlHelpers, f.Sel.Name)
		}
	}
	return false
}

func TestSQL(t *testing.T) { report(t, checkSQL(sources(t))) }

func TestSQL_PlantedBreach(t *testing.T) {
	breach := func(body string, words ...string) {
		t.Helper()
		text := "package x\nimport \"fmt\"\nconst columns = \"id, name\"\nfunc f(tx *db.Tx, id string, n int) {\n" + body + "\n}\n"
		got := checkSQL(plant(t, "internal/x", "internal/x/store.go", text))
		if len(words) == 0 {
			wantNone(t, got)
			return
		}
		wantFinding(t, got, words...)
	}
	breach("q := fmt.Sprintf(\"select id from x where id = '%s'\", id)", "store.go:5", "fmt.Sprintf")
	breach("q := \"delete from x where id = '\" + id + \"'\"", "joins a value")
	breach("q := \"select \" + fmt.Sprint(n) + \" from x\"", "joins a value")
	breach("q := `create table x (a {int})`", "{int}")
	breach("q := `select id from jobs limit 1 for update skip locked`", "skip locked")
	breach("q := `select id from x where a = $1::bigint`", "one engine")
	breach("if tx.Engine() == \"sqlite\" {}", "engine")
	breach("q := \"select \" + columns + \" from x where id in (\" + db.In(1, n) + \")\" + tx.SkipLocked()")
	breach("s := fmt.Sprintf(\"update %d of %d\", n, n); t := \"selected \" + id")
}
