package arch_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestASVS_NamesExistingTests: each row of docs/asvs.csv says whether it is met,
// and a row that is names tests that are there.
func TestASVS_NamesExistingTests(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "docs", "asvs.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	known := testNames(t)
	if len(known) < 100 {
		t.Fatalf("only %d tests found", len(known))
	}
	seen := map[string]bool{}
	for _, r := range rows[1:] {
		id, met, tests := r[0], r[3], strings.Fields(r[5])
		if !regexp.MustCompile(`^V[678]\.\d+\.\d+$`).MatchString(id) || seen[id] || r[2] == "" || r[4] == "" {
			t.Errorf("row %s is malformed or there twice", id)
		}
		seen[id] = true
		if !slices.Contains([]string{"yes", "partly", "no", "n.a."}, met) {
			t.Errorf("%s: met is %q", id, met)
		}
		if (met == "yes" || met == "partly") && len(tests) == 0 {
			t.Errorf("%s: no test shows it", id)
		}
		for _, name := range tests {
			if !known[name] {
				t.Errorf("%s: no test is called %s", id, name)
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d requirements", len(seen))
	}
}

// testNames are the names of all Go tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	find := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir("..", func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range find.FindAllStringSubmatch(string(data), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
