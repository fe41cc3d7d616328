package i18n_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// One thing has one word. The keys keep their names; only sentences count.
func TestCatalog_OneWord(t *testing.T) {
	for _, rule := range []struct{ files, word string }{
		{"de/*.json", `Quittung`}, // it is the Empfangsbestätigung
		{"en/mailbox*.json", `[Ee]-mail`},
		{"en/notice*.json", `[Ee]-mail`},
		{"en/account*.json", `[Ee]-mail`},
		{"en/web*.json", `[Ee]-mail`},
		{"en/mail.json", `[Ee]-mail`},
	} {
		files, err := filepath.Glob("catalog/" + rule.files)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", rule.files, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range regexp.MustCompile(`": .*`+rule.word+`.*`).FindAllString(string(data), -1) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}
