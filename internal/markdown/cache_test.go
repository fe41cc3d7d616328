package markdown_test

import (
	"strings"
	"testing"

	"poststelle/internal/markdown"
)

// The memory of an article is bounded, and what comes from it is what would be made anew.
func TestArticle_Cache(t *testing.T) {
	a := article()
	for n := range 40 {
		source := strings.Repeat("Wort ", 100_000+n)
		for range 2 {
			got, err := a.HTML(source)
			if want := "<p>" + strings.TrimSpace(source) + "</p>\n"; err != nil || got != want {
				t.Fatalf("%d: %d bytes, %v, want %d", n, len(got), err, len(want))
			}
		}
		if kept := a.Kept(); kept == 0 || kept > 8<<20 {
			t.Fatalf("%d bytes are kept", kept)
		}
	}
}

func BenchmarkArticle(b *testing.B) {
	source := strings.Repeat("## Worum es geht\n\nEin **Text** mit [Verweis](https://www.example.org) und Liste:\n\n- eins\n- zwei\n\n", 100)
	for name, a := range map[string]func() markdown.Article{"anew": article, "again": func() func() markdown.Article {
		one := article()
		return func() markdown.Article { return one }
	}()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := a().HTML(source); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
