package arch_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	depsFile = "testdata/deps.txt"
	depsADR  = "docs/adr/0002-dependencies.md"
)

// checkDeps compares the modules in the program with the golden list, and the list and go.mod with the table of reasons.
func checkDeps(inProgram, golden, required []string, reasons map[string]bool) []string {
	var out []string
	for _, m := range inProgram {
		if !slices.Contains(golden, m) {
			out = append(out, m+": is in the program and not in "+depsFile+"; was it meant? (dev/golden)")
		}
		if !reasons[m] {
			out = append(out, m+": has no row in "+depsADR)
		}
	}
	for _, m := range golden {
		if !slices.Contains(inProgram, m) {
			out = append(out, m+": stands in "+depsFile+" and is not in the program (dev/golden)")
		}
	}
	for _, m := range required {
		if !reasons[m] && !slices.Contains(inProgram, m) {
			out = append(out, m+": is required by go.mod and has no row in "+depsADR)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(reasons)) {
		if !slices.Contains(required, m) {
			out = append(out, m+": has a row in "+depsADR+" and is not required by go.mod")
		}
	}
	return out
}

// row is a line of the table: | `module` | why | …
var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

func TestDeps(t *testing.T) {
	program := "./cmd/poststelle"
	if _, err := os.Stat(filepath.Join(root(), program)); err != nil {
		program = "./..." // before there is a program: all that would go into it
	}
	out, err := goList("-e", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", program)
	if err != nil {
		t.Fatal(err)
	}
	inProgram := unique(strings.Fields(string(out)))

	if *update {
		text := "# Outside modules compiled into the program. The reasons stand in " + depsADR + ".\n" + strings.Join(inProgram, "\n") + "\n"
		if err := os.WriteFile(depsFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(depsFile)
	if err != nil {
		t.Fatal(err)
	}
	var golden []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			golden = append(golden, line)
		}
	}

	gomod, err := os.ReadFile(filepath.Join(root(), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var required []string
	for _, m := range regexp.MustCompile(`(?m)^\s+(\S+\.\S+/?\S*) v\S+`).FindAllStringSubmatch(string(gomod), -1) {
		required = append(required, m[1])
	}
	if len(required) < 10 {
		t.Fatalf("found %d requirements in go.mod: the pattern no longer fits", len(required))
	}

	adr, err := os.ReadFile(filepath.Join(root(), depsADR))
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(adr), -1) {
		reasons[m[1]] = true
	}
	report(t, checkDeps(inProgram, golden, required, reasons))
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func TestDeps_PlantedBreach(t *testing.T) {
	a := []string{"example.org/a"}
	yes := map[string]bool{"example.org/a": true}
	wantNone(t, checkDeps(a, a, a, yes))
	wantFinding(t, checkDeps(a, nil, a, yes), "example.org/a", "was it meant")
	wantFinding(t, checkDeps(a, a, nil, nil), "no row")
	wantFinding(t, checkDeps(nil, a, a, yes), "not in the program")
	wantFinding(t, checkDeps(nil, nil, a, nil), "required by go.mod")
	wantFinding(t, checkDeps(nil, nil, nil, yes), "not required")
}
