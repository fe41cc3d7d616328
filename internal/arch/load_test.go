package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "poststelle"

// pkg is what "go list" says of one package of this module.
type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// name is the import path without the module: "internal/db", "cmd/poststelle".
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// root is the directory of go.mod.
var root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == "/" {
			return dir
		}
	}
	return ""
})

// goList runs "go list" in the module's root.
func goList(args ...string) ([]byte, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = root()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New(err.Error() + ": " + stderr.String())
	}
	return out, nil
}

var listed = sync.OnceValues(func() ([]pkg, error) {
	out, err := goList("-e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	if err != nil {
		return nil, err
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

// packages are all packages of the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 3 {
		t.Fatalf("go list found %d packages: looking in the wrong place?", len(all))
	}
	return all
}

// source is one parsed Go file of the program (no test).
type source struct {
	fset      *token.FileSet
	file      *ast.File
	pkg       string // "internal/db"
	name      string // path from the root
	lines     int
	generated bool
}

// at is the place of a node as "internal/db/tx.go:12".
func (s *source) at(n ast.Node) string {
	pos := s.fset.Position(n.Pos())
	return s.name + ":" + strconv.Itoa(pos.Line)
}

// parse reads one file's text; the planted breaches use it too.
func parse(fset *token.FileSet, pkgName, name string, text []byte) (*source, error) {
	f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &source{
		fset: fset, file: f, pkg: pkgName, name: name,
		lines:     bytes.Count(text, []byte("\n")),
		generated: ast.IsGenerated(f),
	}, nil
}

var parsed = sync.OnceValues(func() ([]*source, error) {
	all, err := listed()
	if err != nil {
		return nil, err
	}
	var out []*source
	fset := token.NewFileSet()
	for _, p := range all {
		for _, f := range p.GoFiles {
			full := filepath.Join(p.Dir, f)
			text, err := os.ReadFile(full)
			if err != nil {
				return nil, err
			}
			rel, err := filepath.Rel(root(), full)
			if err != nil {
				return nil, err
			}
			s, err := parse(fset, p.name(), rel, text)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
})

// sources are all Go files of the program, tests left out.
func sources(t *testing.T) []*source {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// plant parses a text as if it stood in the named package and file.
func plant(t *testing.T, pkgName, name, text string) []*source {
	t.Helper()
	s, err := parse(token.NewFileSet(), pkgName, name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return []*source{s}
}

// files walks the tree of the module and returns the paths with one of the suffixes, without what git ignores by
// convention (node_modules, dist, artifacts) and dot directories.
func files(t *testing.T, suffixes ...string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a temporary file of a running generator
			}
			return err
		}
		if d.IsDir() {
			switch n := d.Name(); {
			case n == "node_modules", n == "dist", n == "artifacts", strings.HasPrefix(n, ".") && path != root():
				return filepath.SkipDir
			}
			return nil
		}
		for _, s := range suffixes {
			if strings.HasSuffix(path, s) {
				rel, err := filepath.Rel(root(), path)
				if err != nil {
					return err
				}
				out = append(out, rel)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// report fails the test with one line for each finding.
func report(t *testing.T, findings []string) {
	t.Helper()
	for _, f := range findings {
		t.Error(f)
	}
}

// wantFinding is the planted breach: exactly one finding, which contains every one of the words.
func wantFinding(t *testing.T, findings []string, words ...string) {
	t.Helper()
	if len(findings) != 1 {
		t.Fatalf("a planted breach gave %d findings, want 1: %q", len(findings), findings)
	}
	for _, w := range words {
		if !strings.Contains(findings[0], w) {
			t.Errorf("the finding %q does not say %q", findings[0], w)
		}
	}
}

// wantNone is the other side of a planted breach: what is allowed stays unreported.
func wantNone(t *testing.T, findings []string) {
	t.Helper()
	if len(findings) != 0 {
		t.Errorf("allowed code was reported: %q", findings)
	}
}
