package mailbox_test

import (
	"strings"
	"testing"

	"poststelle/internal/mailbox"
)

func TestAcceptedKind(t *testing.T) {
	kinds := []string{"txt", "csv", "pdf", "jpg"}
	for _, c := range []struct {
		name, content string
		want          bool
	}{
		{"brief.txt", "Sehr geehrte Damen und Herren,\n", true},
		{"liste.txt", "Name,Ort\nKim,Stadt\nAli,Dorf\n", true},
		{"daten.txt", `{"ort": "Lindenstraße"}`, true},
		{"seite.txt", "<!doctype html><html><script>alert(1)</script></html>", false},
		{"bild.txt", `<svg xmlns="http://www.w3.org/2000/svg"></svg>`, false},
		{"programm.txt", "MZ\x90\x00\x03\x00\x00\x00\x04\x00", false},
		{"tabelle.csv", "a;b\n1;2\n", true},
		{"plan.pdf", "%PDF-1.7\n", true},
		{"plan.pdf", "PK\x03\x04", false},
		{"foto.JPEG", "\xff\xd8\xff\xe0\x00\x10JFIF", true},
		{"foto.jpg.exe", "\xff\xd8\xff\xe0\x00\x10JFIF", false},
		{"ohne", "Text", false},
		{"kaputt.txt", "\xff\xfe\x00", false},
		{"kaputt.csv", "\xfe\xff\x00", false},
		{"null.txt", "\xff\xfe\x00\x00a\x00", false},
		{"halb.txt", "\xff\xfea\x00\x3d\xd8", false},    // a high surrogate at the end
		{"halb.txt", "\xff\xfe\x3d\xd8a\x00", false},    // and before a letter
		{"halb.txt", "\xff\xfe\x00\xde\x3d\xd8", false}, // the pair the wrong way round
		{"notiz.txt", "\xff\xfeG\x00u\x00t\x00\x3d\xd8\x00\xde", true},
		{"notiz.txt", "\xfe\xff\x00G\x00u\x00t", true},
		{"liste.csv", "\xff\xfea\x00;\x00b\x00\n\x00", true},
		{"lang.txt", "\xff\xfe" + strings.Repeat("a\x00", 32<<10-2) + "\x3d\xd8", true}, // goes on beyond the head
	} {
		if _, got := mailbox.AcceptedKind(c.name, []byte(c.content), kinds); got != c.want {
			t.Errorf("acceptedKind(%q) = %v, want %v", c.name, got, c.want)
		}
	}
}
