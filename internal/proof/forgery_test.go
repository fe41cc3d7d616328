package proof_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/web/webtest"
)

// sealedLetter is a letter in the house with what is needed to read and to
// forge it.
type sealedLetter struct {
	core, code, thread, message string
	files                       []file
	parts                       []string // of the files, as rows name them
	paths                       []string // download addresses for the staff
}

// chunk is the size of a sealed chunk: what is handed out at once.
const chunk = 64 << 10

// keep sends a letter whose texts and files hold core, and finds its rows.
func (h *house) keep(c *webtest.Client, box, topic, core string) sealedLetter {
	h.t.Helper()
	l := sealedLetter{core: core, files: []file{textFile("eins.txt", core+" eins", 200_000), textFile("zwei.txt", core+" zwei", 200_000)}}
	l.code = send(h.t, c, letter{
		mailbox: box, topic: topic, subject: "Betreff " + core, body: "Ein Text ueber " + core + ", lang genug.",
		email: core + "@example.org", name: "Erika " + core, address: core + "weg 1, 70000 Musterstadt", files: l.files,
	})
	h.clock.advance(1e9)
	h.settle()
	l.thread = h.thread()
	l.message = h.text(`select first_id from mailbox_threads where id = $1`, l.thread)
	for i := range l.files {
		part := h.text(`select part from mailbox_files where message_id = $1 and position = $2`, l.message, i)
		l.parts = append(l.parts, part)
		l.paths = append(l.paths, "/amt/vorgang/"+l.thread+"/datei/"+l.message+"/"+strings.TrimPrefix(part, "file/"))
	}
	return l
}

// blobFile is the path of a file of the letter in the blob directory.
func (h *house) blobFile(l sealedLetter, n int) (path string) {
	h.t.Helper()
	id := h.text(`select blob_id from mailbox_files where message_id = $1 and part = $2`, l.message, l.parts[n])
	must(h.t, filepath.WalkDir(filepath.Join(h.dir, "blobs"), func(p string, e fs.DirEntry, err error) error {
		if e != nil && e.Name() == id {
			path = p
		}
		return err
	}))
	if path == "" {
		h.t.Fatal("blob not found on disk")
	}
	return path
}

// column reads and writes one sealed value.
type column struct {
	table, name, where string
	args               []any
}

func (h *house) get(c column) (v []byte) {
	h.t.Helper()
	must(h.t, h.DB.View(h.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(h.t.Context(), `select `+c.name+` from `+c.table+` where `+c.where, c.args...).Scan(&v)
	}))
	return v
}

func (h *house) put(c column, v any) {
	h.t.Helper()
	n := len(c.args)
	where := strings.NewReplacer("$1", "$2", "$2", "$3").Replace(c.where)
	if got := h.exec(`update `+c.table+` set `+c.name+` = $1 where `+where, append([]any{v}, c.args[:n]...)...); got != 1 {
		h.t.Fatalf("%d rows changed in %s", got, c.table)
	}
}

// forge puts a value in a column and returns how to put the old one back.
func (h *house) forge(c column, v []byte) (undo func()) {
	old := h.get(c)
	h.put(c, v)
	return func() { h.put(c, old) }
}

// swap exchanges two values.
func (h *house) swap(a, b column) (undo func()) {
	x, y := h.get(a), h.get(b)
	h.put(a, y)
	h.put(b, x)
	return func() { h.put(a, x); h.put(b, y) }
}

// damage rewrites a file and returns how to put the old one back.
func (h *house) damage(path string, change func([]byte) []byte) (undo func()) {
	h.t.Helper()
	old, err := os.ReadFile(path)
	must(h.t, err)
	write := func(data []byte) {
		must(h.t, os.Remove(path))
		must(h.t, os.WriteFile(path, data, 0o600))
	}
	write(change(bytes.Clone(old)))
	return func() { write(old) }
}

func part(name string, l sealedLetter) column {
	return column{"mailbox_messages", name, "id = $1", []any{l.message}}
}

func fileCardOf(l sealedLetter, n int) column {
	return column{"mailbox_files", "card", "message_id = $1 and part = $2", []any{l.message, l.parts[n]}}
}

func blobOf(l sealedLetter, n int) column {
	return column{"mailbox_files", "blob_id", "message_id = $1 and part = $2", []any{l.message, l.parts[n]}}
}

// shown says what a browser gets of a letter's page: nothing, or its words.
func shown(p *webtest.Page, l sealedLetter) bool { return strings.Contains(p.Body, l.core) }

// intact reports whether a download is the whole file; anything else must not
// look as if it were, and must not hold a byte that was not verified.
func intact(t *testing.T, c *webtest.Client, path string, want []byte) bool {
	t.Helper()
	c.MayBreak = true
	defer func() { c.MayBreak = false }()
	p := c.Get(path)
	got := []byte(p.Body)
	if p.Status == http.StatusOK && !p.Broken {
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d other bytes arrive as a complete file of %d", path, len(got), len(want))
		}
		return true
	}
	if p.Status == http.StatusOK && (len(got) >= len(want) || !bytes.HasPrefix(want, got)) {
		t.Errorf("%s: the broken download holds %d bytes that are no verified beginning of the file", path, len(got))
	}
	if p.Status != http.StatusOK && p.Status != 0 && bytes.Contains(got, want[:40]) {
		t.Errorf("%s: the error page holds content of the file", path)
	}
	if p.Status >= 400 && p.Header.Get("Content-Disposition") != "" {
		t.Errorf("%s: the error would be saved as the file", path)
	}
	return false
}

func TestForgery_Refused(t *testing.T) {
	h := newHouse(t)
	who := h.hire("musterstadt", "clerk", false, "tiefbauamt")
	other := h.hire("beispielingen", "clerk", false, "rathaus")
	citizen := h.browser()
	a := h.keep(citizen, "tiefbauamt", "schaden", "Ahornallee")
	b := h.keep(citizen, "tiefbauamt", "schaden", "Birkenhain")
	citizen.Host = beispielingen
	c := h.keep(citizen, "rathaus", "allgemein", "Cedernplatz")
	citizen.Host = musterstadt
	office := h.clerkBrowser(who)
	office2 := h.clerkBrowser(other)

	// read is every way to the words of letter l, for its clerk and its sender.
	read := func(l sealedLetter, office *webtest.Client) (open []string) {
		for _, path := range []string{"/amt/vorgang/" + l.thread, "/amt/vorgang/" + l.thread + "/druck"} {
			if p := office.Get(path); shown(p, l) {
				open = append(open, path)
			}
		}
		reader := citizen.Other()
		reader.Host = office.Host
		if p := collect(t, reader, l.code); shown(p, l) {
			open = append(open, "code")
		}
		return open
	}
	whole := func(name string) {
		t.Helper()
		for _, x := range []struct {
			l sealedLetter
			c *webtest.Client
		}{{a, office}, {b, office}, {c, office2}} {
			if open := read(x.l, x.c); len(open) != 3 {
				t.Fatalf("%s: %s opens only by %v", name, x.l.core, open)
			}
			for i, path := range x.l.paths {
				if !intact(t, x.c, path, x.l.files[i].data) {
					t.Fatalf("%s: file %d of %s is not whole", name, i, x.l.core)
				}
			}
		}
	}
	whole("control before")

	flip := func(at float64) func([]byte) []byte {
		return func(d []byte) []byte { d[int(at*float64(len(d)-1))] ^= 1; return d }
	}
	t.Run("rows", func(t *testing.T) {
		for name, forge := range map[string]func() func(){
			"texts of two threads swapped":      func() func() { return h.swap(part("body", a), part("body", b)) },
			"texts of two authorities swapped":  func() func() { return h.swap(part("body", a), part("body", c)) },
			"cards of two threads swapped":      func() func() { return h.swap(part("card", a), part("card", b)) },
			"contacts of two threads swapped":   func() func() { return h.swap(part("contact", a), part("contact", b)) },
			"receipts of two threads swapped":   func() func() { return h.swap(part("receipt", a), part("receipt", b)) },
			"card in the place of the text":     func() func() { return h.forge(part("body", a), h.get(part("card", a))) },
			"text with a bit flipped":           func() func() { return h.forge(part("body", a), flip(0.7)(h.get(part("body", a)))) },
			"first byte of the text flipped":    func() func() { return h.forge(part("body", a), flip(0)(h.get(part("body", a)))) },
			"last byte of the text flipped":     func() func() { return h.forge(part("body", a), flip(1)(h.get(part("body", a)))) },
			"text cut":                          func() func() { return h.forge(part("body", a), h.get(part("body", a))[:40]) },
			"text emptied":                      func() func() { return h.forge(part("body", a), []byte{}) },
			"text with a byte more":             func() func() { return h.forge(part("body", a), append(h.get(part("body", a)), 0)) },
			"file cards of two files swapped":   func() func() { return h.swap(fileCardOf(a, 0), fileCardOf(a, 1)) },
			"file cards of two letters swapped": func() func() { return h.swap(fileCardOf(a, 0), fileCardOf(b, 0)) },
		} {
			t.Run(name, func(t *testing.T) {
				undo := forge()
				defer undo()
				if open := read(a, office); len(open) > 0 {
					t.Errorf("opens: %v", open)
				}
			})
		}
	})
	t.Run("files", func(t *testing.T) {
		path := h.blobFile(a, 0)
		for name, forge := range map[string]func() func(){
			"blobs of two files swapped":       func() func() { return h.swapText(blobOf(a, 0), blobOf(a, 1)) },
			"blobs of two letters swapped":     func() func() { return h.swapText(blobOf(a, 0), blobOf(b, 0)) },
			"blobs of two authorities swapped": func() func() { return h.swapText(blobOf(a, 0), blobOf(c, 0)) },
			"first chunk flipped":              func() func() { return h.damage(path, flip(0.01)) },
			"middle chunk flipped":             func() func() { return h.damage(path, flip(0.5)) },
			"last byte flipped":                func() func() { return h.damage(path, flip(1)) },
			"header flipped":                   func() func() { return h.damage(path, flip(0)) },
			"emptied":                          func() func() { return h.damage(path, func([]byte) []byte { return nil }) },
			"cut in the middle":                func() func() { return h.damage(path, func(d []byte) []byte { return d[:len(d)/2] }) },
			"last byte missing":                func() func() { return h.damage(path, func(d []byte) []byte { return d[:len(d)-1] }) },
			"bytes appended":                   func() func() { return h.damage(path, func(d []byte) []byte { return append(d, "more"...) }) },
			"cut after the first chunk":        func() func() { return h.damage(path, func(d []byte) []byte { return d[:header+chunk+tag] }) },
			"two chunks swapped":               func() func() { return h.damage(path, swapChunks) },
			"chunk doubled": func() func() {
				return h.damage(path, func(d []byte) []byte {
					return append(d[:header+chunk+tag:header+chunk+tag], d[header:]...)
				})
			},
			"other letter's bytes": func() func() {
				data, err := os.ReadFile(h.blobFile(b, 0))
				must(t, err)
				return h.damage(path, func([]byte) []byte { return data })
			},
		} {
			t.Run(name, func(t *testing.T) {
				undo := forge()
				defer undo()
				if intact(t, office, a.paths[0], a.files[0].data) {
					t.Error("the clerk's download looks complete")
				}
				reader := citizen.Other()
				p := collect(t, reader, a.code).Want(http.StatusOK)
				own := links(p, "/abholen/datei/")
				if len(own) != 2 {
					t.Fatalf("the sender sees %d files", len(own))
				}
				if intact(t, reader, own[0], a.files[0].data) {
					t.Error("the sender's download looks complete")
				}
			})
		}
	})
	whole("control after")
}

// Sizes of a sealed stream (docs/format.md): what stands before the first chunk,
// and what each chunk has around its payload.
const (
	header = 18
	tag    = 20
)

func swapChunks(d []byte) []byte {
	const n = chunk + tag
	first, second := bytes.Clone(d[header:header+n]), bytes.Clone(d[header+n:header+2*n])
	copy(d[header:], second)
	copy(d[header+n:], first)
	return d
}

// swapText exchanges two text values of unique columns.
func (h *house) swapText(a, b column) (undo func()) {
	h.t.Helper()
	x, y := string(h.get(a)), string(h.get(b))
	set := func(x, y string) {
		h.put(a, "away")
		h.put(b, x)
		h.put(a, y)
	}
	set(x, y)
	return func() { set(y, x) }
}

func TestForgery_WrongReader(t *testing.T) {
	h := newHouse(t)
	member := h.hire("musterstadt", "tief", false, "tiefbauamt")
	colleague := h.hire("musterstadt", "buerger", false, "buergerbuero")
	stranger := h.hire("beispielingen", "clerk", false, "rathaus")
	citizen := h.browser()
	a := h.keep(citizen, "tiefbauamt", "schaden", "Ahornallee")
	b := h.keep(citizen, "tiefbauamt", "schaden", "Birkenhain")
	paths := append([]string{
		"/amt/eingang", "/amt/eingang?sicht=offen&postfach=tiefbauamt", "/amt/vorgang/" + a.thread, "/amt/vorgang/" + a.thread + "/druck",
		"/amt/vorgang/" + a.thread + "/weiterleiten", "/amt/vorgang/" + a.thread + "/loeschen",
	}, a.paths...)
	sees := func(c *webtest.Client) (open []string) {
		for _, path := range paths {
			if p := c.Get(path); shown(p, a) {
				open = append(open, path)
			}
		}
		return open
	}
	if open := sees(h.clerkBrowser(member)); len(open) < 6 {
		t.Fatalf("the member sees only %v", open)
	}
	none := func(name string, c *webtest.Client) {
		t.Helper()
		if open := sees(c); len(open) > 0 {
			t.Errorf("%s: %v", name, open)
		}
	}
	none("a visitor", h.browser())
	none("a colleague of another office", h.clerkBrowser(colleague))
	other := h.clerkBrowser(stranger)
	none("a clerk of another authority", other)
	other.Host = musterstadt
	none("a clerk of another authority on this host", other)
	for _, k := range other.Other().Cookies() {
		t.Errorf("a new browser has the cookie %s", k.Name)
	}

	// A row that was moved in the database moves no key.
	h.exec(`update mailbox_threads set mailbox_id = 'buergerbuero' where id = $1`, a.thread)
	none("a colleague after the row was moved", h.clerkBrowser(colleague))
	h.exec(`update mailbox_threads set mailbox_id = 'tiefbauamt' where id = $1`, a.thread)
	move := func(to, box string) {
		for _, table := range []string{"mailbox_messages", "mailbox_files", "mailbox_intake"} {
			h.exec(`update `+table+` set tenant_id = $1 where thread_id = $2`, to, a.thread)
		}
		h.exec(`update mailbox_threads set tenant_id = $1, mailbox_id = $2 where id = $3`, to, box, a.thread)
	}
	move("beispielingen", "rathaus")
	none("the other authority after the rows were moved", h.clerkBrowser(stranger))
	move("musterstadt", "tiefbauamt")

	// A code opens its own thread on its own host and nothing else.
	away := citizen.Other()
	away.Host = beispielingen
	if opens(t, away, a.code) {
		t.Error("the code opens at another authority")
	}
	reader := citizen.Other()
	p := collect(t, reader, b.code).Want(http.StatusOK)
	own := links(p, "/abholen/datei/")
	if len(own) != 2 {
		t.Fatalf("the sender sees %d files", len(own))
	}
	foreign := strings.Replace(own[0], b.message, a.message, 1)
	for _, path := range []string{foreign, strings.Replace(foreign, strings.TrimPrefix(b.parts[0], "file/"), strings.TrimPrefix(a.parts[0], "file/"), 1)} {
		if p := reader.Get(path); p.Status == http.StatusOK || strings.Contains(p.Body, a.core) {
			t.Errorf("%s opens with the code of another thread: %d", path, p.Status)
		}
	}
	if open := sees(h.clerkBrowser(member)); len(open) < 6 {
		t.Errorf("afterwards the member sees only %v", open)
	}
}
