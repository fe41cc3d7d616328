package app_test

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"poststelle/internal/app"
	"poststelle/internal/db/dbtest"
)

// console runs commands on one installation, which is on PostgreSQL when the
// tests are.
type console struct {
	t     *testing.T
	where []string
}

func newConsole(t *testing.T) *console {
	c := &console{t: t, where: []string{"--data", t.TempDir()}}
	if url := dbtest.URL(t); strings.HasPrefix(url, "postgres") {
		c.where = append(c.where, "--database", url)
	}
	return c
}

func (c *console) run(args ...string) (code int, out, errs string) {
	c.t.Helper()
	var o, e bytes.Buffer
	code = app.Run(c.t.Context(), append(args, c.where...), app.Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// good runs a command that must succeed.
func (c *console) good(args ...string) {
	c.t.Helper()
	if code, _, errs := c.run(args...); code != 0 || errs != "" {
		c.t.Fatalf("%v: exit %d, %s", args, code, errs)
	}
}

// What stands already is refused with one sentence that names it, and none of
// the words of a database.
func TestCommands_Duplicates(t *testing.T) {
	c := newConsole(t)
	town := []string{"tenant", "add", "aachdorf", "--profile", "vorlage", "--name", "Aachdorf", "--ars", "081110000000", "--host", "a.example"}
	office := []string{"mailbox", "add", "bauamt", "--tenant", "aachdorf", "--name", "Bauamt"}
	clerk := []string{"staff", "add", "m.weber", "--tenant", "aachdorf", "--name", "Maria Weber", "--mailbox", "bauamt"}
	c.good(town...)
	c.good(office...)
	c.good(clerk...)
	for _, q := range []struct {
		args []string
		want string
		code int
	}{
		{town, `tenant "aachdorf" exists already; nothing was added`, 1},
		{with(town, 2, "bedorf"), `host "a.example" of "bedorf" belongs to tenant "aachdorf"; nothing was added`, 1},
		{append(with(town, 2, "bedorf"), "--host", "A.example."), `--host "a.example" is given twice`, 2},
		{office, `"aachdorf" has a mailbox "bauamt" already; nothing was added`, 1},
		{append(with(office, 2, "kasse"), "--topic", "a=A", "--topic", "a=B"), `wrong use: --topic "a" is given twice`, 2},
		{clerk, `somebody signs in as "m.weber" at "aachdorf" already; nothing was added`, 1},
		{with(clerk, 2, "M.Weber"), `somebody signs in as "M.Weber" at "aachdorf" already; nothing was added`, 1},
		{with(clerk, len(clerk)-1, "zoo"), `"aachdorf" has no mailbox "zoo"`, 1},
		{with(office, 4, "zoo"), `there is no tenant "zoo"`, 1},
		{with(clerk, 4, "zoo"), `there is no tenant "zoo"`, 1},
		{[]string{"banner", "add", "--tenant", "zoo", "--title", "Wartung"}, `there is no tenant "zoo"`, 1},
		{[]string{"banner", "end", "nichts"}, `there is no system message "nichts" that is shown or planned`, 1},
	} {
		code, out, errs := c.run(q.args...)
		first, _, _ := strings.Cut(errs, "\n")
		if code != q.code || out != "" || !strings.HasSuffix(first, q.want) || !strings.HasPrefix(first, "poststelle: ") {
			t.Errorf("%v: exit %d, %q, %q; want %d and %q", q.args, code, out, errs, q.code, q.want)
		}
	}
	// A system message has no name that could be taken.
	message := []string{"banner", "add", "--tenant", "aachdorf", "--title", "Wartung"}
	c.good(message...)
	c.good(message...)
	// What was refused left nothing behind that stands in the way.
	c.good(append(with(office, 2, "kasse"), "--topic", "a=A")...)
	c.good(with(clerk, 2, "a.jung")...)
}

// with returns the words with one of them replaced.
func with(words []string, at int, word string) []string {
	out := append([]string(nil), words...)
	out[at] = word
	return out
}

// A port that is taken is the first thing that goes wrong on somebody's machine.
func TestDemo_PortTaken(t *testing.T) {
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer on.Close()
	var out, errs bytes.Buffer
	code := app.Run(t.Context(), []string{"demo", "--addr", on.Addr().String()}, app.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	want := "poststelle: another program listens on " + on.Addr().String() + "; choose another port with --addr, such as --addr 127.0.0.1:8090\n"
	if code != 1 || out.Len() > 0 || errs.String() != want {
		t.Errorf("exit %d, %q, %q; want 1 and %q", code, out.String(), errs.String(), want)
	}
}
