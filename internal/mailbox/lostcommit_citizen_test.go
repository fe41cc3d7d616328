package mailbox_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"poststelle/internal/db"
)

// commitCut stands between the post office and PostgreSQL. Once armed, it lets
// the next commit of a writing transaction through and cuts the line before its
// answer.
type commitCut struct {
	server string
	armed  atomic.Bool
}

func (c *commitCut) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.server)
		if err != nil {
			client.Close()
			continue
		}
		mute := new(atomic.Bool)
		go c.answers(client, server, mute)
		go c.questions(client, server, mute)
	}
}

func (c *commitCut) answers(client, server net.Conn, mute *atomic.Bool) {
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || mute.Load() { // the commit is answered, and nobody hears it
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (c *commitCut) questions(client, server net.Conn, mute *atomic.Bool) {
	defer server.Close()
	buf := make([]byte, 64<<10)
	writes := false
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("begin isolation")) {
			writes = bytes.Contains(buf[:n], []byte("read committed"))
		}
		if writes && bytes.Contains(buf[:n], []byte("commit\x00")) && c.armed.CompareAndSwap(true, false) {
			mute.Store(true)
		}
		if _, err := io.Copy(server, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

// TestSend_CommitAnswerLost loses the connection to PostgreSQL during the commit
// of a letter. SQLite has no connection; TestSend_OutcomeUnknown holds both to
// the same.
func TestSend_CommitAnswerLost(t *testing.T) {
	for _, then := range []string{"session ends", "file removed", "text changed"} {
		t.Run(then, func(t *testing.T) {
			cut := &commitCut{}
			p := newPost(t, func(p *post) {
				if p.DB.Engine() != "postgres" {
					return
				}
				u, err := url.Parse(p.DBURL)
				p.must(err)
				l, err := net.Listen("tcp", "127.0.0.1:0")
				p.must(err)
				t.Cleanup(func() { l.Close() })
				cut.server, u.Host = u.Host, l.Addr().String()
				go cut.serve(l)
				p.DB, err = db.Open(t.Context(), db.Config{URL: u.String(), Now: p.Now})
				p.must(err)
				t.Cleanup(func() { p.DB.Close() })
			})
			if cut.server == "" {
				return
			}
			send(t, p.browser()) // numbers are reserved
			c := p.browser()
			page := check(t, c, "", "a.pdf")
			cut.armed.Store(true)
			if got := page.Form("main form").Submit(); got.Status != 503 || cut.armed.Load() {
				t.Fatalf("the commit was not cut: %d", got.Status)
			}
			step := func(n string) string { return strings.Replace(page.Path, "/nachricht/5", "/nachricht/"+n, 1) }
			switch then {
			case "session ends":
				p.advance(31 * time.Minute)
				p.Sessions.Sweep()
			case "file removed":
				four := c.Get(step("4")).Want(200)
				four.Form("main form").Submit("entfernen=" + four.Attr("button[name=entfernen]", "value"))
				got := wantPath(t, c.Get(page.Path).Form("main form").Submit(), "/nachricht/gesendet")
				if !got.Has("#frueher") {
					t.Error("a letter is confirmed without the file that it was stored with")
				}
			case "text changed":
				c.Get(step("3")).Form("main form").Set("body", longBody+" GEAENDERT").Submit("aktion=weiter")
				got := wantPath(t, c.Get(page.Path).Form("main form").Submit(), "/nachricht/gesendet")
				if !got.Has("#frueher") {
					t.Error("sent is confirmed, but the letter holds the text before the change")
				}
				codeOn(t, got)
			}
			p.wantWhole()
		})
	}
}
