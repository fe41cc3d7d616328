package ui_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuard_InEveryForm reads the sources of all pages: each form that posts
// begins with the token.
func TestGuard_InEveryForm(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".templ") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, part := range strings.Split(string(text), "<form")[1:] {
			body, _, _ := strings.Cut(part, "</form>")
			if strings.Contains(body, `method="get"`) && !strings.Contains(body, `method="post"`) {
				continue
			}
			found++
			if !strings.Contains(body, "@Guard()") && !strings.Contains(body, "@ui.Guard()") && !strings.Contains(body, "range a.Fields") {
				t.Errorf("%s: form %d has no token", path, i+1)
			}
		}
		return nil
	})
	if err != nil || found < 6 {
		t.Errorf("%d forms, %v", found, err)
	}
}
