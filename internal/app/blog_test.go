package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Comments of another program come in and go out by the command line.
func TestBlog_ImportAndExport(t *testing.T) {
	c := newConsole(t)
	c.good("tenant", "add", "aachdorf", "--profile", "vorlage", "--name", "Aachdorf", "--ars", "081110000000", "--host", "a.example")
	file := filepath.Join("..", "blog", "testdata", "wordpress.xml")
	load := []string{"blog", "import", "--tenant", "aachdorf", "--from", file, "--format", "wxr"}
	code, _, errs := c.run(load...)
	if code != 1 || !strings.Contains(errs, `the blog of "aachdorf" is off`) {
		t.Errorf("while the blog is off: exit %d, %s", code, errs)
	}
	c.good("tenant", "module", "on", "--tenant", "aachdorf", "blog")
	for _, step := range []struct {
		args []string
		want string
	}{
		{append(load, "--dry-run"), "3 comments would be taken over, 0 here already"},
		{load, "3 comments taken over, 0 here already"},
		{load, "0 comments taken over, 3 here already, 0 addresses sealed; left out: 1 not approved, 1 pingbacks, 1 spam"},
	} {
		if code, out, errs := c.run(step.args...); code != 0 || !strings.Contains(out, step.want) {
			t.Errorf("exit %d, %s%s, want %q", code, out, errs, step.want)
		}
	}
	code, out, errs := c.run("blog", "export", "--tenant", "aachdorf")
	if code != 0 || !strings.Contains(out, `"Schön war es."`) || strings.Contains(out, "Kunigunde") || strings.Contains(out, "2001:db8") || errs != "3 posts, 3 comments\n" {
		t.Errorf("export: exit %d, %s%s", code, out, errs)
	}
	bad := filepath.Join(t.TempDir(), "bad.xml")
	if err := os.WriteFile(bad, []byte("<!DOCTYPE rss><rss/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := c.run("blog", "import", "--tenant", "aachdorf", "--from", bad, "--format", "wxr"); code != 1 || !strings.Contains(errs, "document type") {
		t.Errorf("a document type: exit %d, %s", code, errs)
	}
}
