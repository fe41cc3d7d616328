package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/app"
)

// list runs a command with a list on standard input.
func (c *console) list(in string, args ...string) (code int, out, errs string) {
	c.t.Helper()
	var o, e bytes.Buffer
	code = app.Run(c.t.Context(), append(args, c.where...), app.Streams{In: strings.NewReader(in), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// What lacks evidence is refused with its line, the rest is taken; an export is a
// list that another installation imports, with nothing lost.
func TestNewsletter_ImportExport(t *testing.T) {
	towns := func(c *console) {
		for _, id := range []string{"aachdorf", "bedorf"} {
			c.good("tenant", "add", id, "--profile", "vorlage", "--name", id, "--ars", "08111000000"+string(id[0]-'a'+'0'), "--host", id+".example")
		}
		c.good("tenant", "module", "on", "--tenant", "aachdorf", "newsletter")
	}
	c := newConsole(t)
	towns(c)
	const head = "address;consented;text;version;way\n"
	list := head +
		"anna@post.example;2024-06-01 09:30;\"Ja, ich möchte\nden Newsletter.\";1;Stadtfest\n" +
		"ohne@post.example;2024-06-01 09:30;;1;Stadtfest\n" +
		"zeit@post.example;neulich;Ja;1;Stadtfest\n" +
		"'=1+1@post.example;2024-06-02;Ja;1;Stadtfest\n"
	add := []string{"newsletter", "import", "--tenant", "aachdorf", "--from-csv", "-", "--reason", "Umzug"}
	code, out, errs := c.list(list, add...)
	if code != 1 || out != "2 added, 0 there already, 2 refused\n" || !strings.Contains(errs, "line 4: text: This is missing.") ||
		!strings.Contains(errs, "line 5: consented: The time of the consent is missing") || strings.Contains(errs, "post.example") {
		t.Fatalf("import: %d, %q, %q", code, out, errs)
	}
	if code, out, errs = c.list(head+"anna@post.example;2024-06-01;Ja;1;Stadtfest\n", add...); code != 0 || out != "0 added, 1 there already, 0 refused\n" || errs != "" {
		t.Errorf("import again: %d, %q, %q", code, out, errs)
	}
	for _, q := range []struct {
		in   string
		args []string
		code int
		want string
	}{
		{"address;consented;text;version\n", add, 1, `the list has no column "way"`},
		{"address;consented;text;version;way;ip\n", add, 1, `the list has a column "ip"`},
		{head, with(add, 3, "bedorf"), 1, `"bedorf" has no newsletter`},
		{head, with(add, 3, "zoo"), 1, `there is no tenant "zoo"`},
		{head, with(add, len(add)-1, " "), 2, "--reason must say why"},
		{"", []string{"newsletter", "export", "--tenant", "aachdorf"}, 2, "--reason"},
		{"", []string{"newsletter", "export", "--tenant", "zoo", "--reason", "Umzug"}, 1, `there is no tenant "zoo"`},
	} {
		if code, out, errs := c.list(q.in, q.args...); code != q.code || out != "" || !strings.Contains(errs, q.want) {
			t.Errorf("%v: %d, %q, %q; want %d and %q", q.args, code, out, errs, q.code, q.want)
		}
	}
	export := []string{"newsletter", "export", "--tenant", "aachdorf", "--reason", "Umzug"}
	code, out, errs = c.list("", export...)
	if code != 0 || errs != "2 subscribers\n" || strings.Count(out, "post.example") != 2 || !strings.Contains(out, "'=1+1@post.example") {
		t.Fatalf("export: %d, %q, %q", code, out, errs)
	}
	other := newConsole(t)
	towns(other)
	if code, sum, errs := other.list(out, add...); code != 0 || sum != "2 added, 0 there already, 0 refused\n" {
		t.Fatalf("import of an export: %d, %q, %q", code, sum, errs)
	}
	_, back, _ := other.list("", export...)
	if got, want := sortedLines(strings.ReplaceAll(back, ",import,import Stadtfest,", ",import,Stadtfest,")), sortedLines(out); got != want {
		t.Errorf("after the way through two installations:\n%s\nwant\n%s", got, want)
	}
	// No address stands anywhere in the files in the clear.
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(filepath.WalkDir(c.where[1], func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte("anna@post.example")) {
			t.Errorf("%s holds an address in the clear", path)
		}
		return err
	}))
}

func sortedLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
