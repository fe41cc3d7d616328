package mailbox_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"poststelle/internal/web"
)

// lines is a log that several requests write.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Who closes the line in the middle of an upload is no fault of ours: nothing is
// kept, and nothing looks like an error in the log.
func TestUpload_ClientGoesAway(t *testing.T) {
	log := &lines{}
	p := newPost(t, func(p *post) { p.logs = slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}) })
	c := p.browser()
	page := files(t, c, "tiefbauamt", "schaden")
	u, err := url.Parse(page.Form("main form").Action)
	p.must(err)
	code := send(t, c)
	p.settle()
	form := open(t, c, "", code).Form("main form[enctype=multipart/form-data]")
	thread, err := url.Parse(form.Action)
	p.must(err)
	whole := "--grenze\r\nContent-Disposition: form-data; name=\"schutz\"\r\n\r\n" + form.Get("schutz") + "\r\n--grenze\r\nContent-Disposition: form-data; name=\"files\"; filename=\"ganz.pdf\"\r\n\r\n"
	for where, body := range map[string]string{
		"in a file":   whole + strings.Repeat(string(pdfFile("halb")), 10_000),
		"in a header": whole + string(pdfFile("ganz")) + "\r\n--grenze\r\nContent-Dispo",
		"at once":     "--gre",
	} {
		for how, leave := range map[string]func(*net.TCPConn) error{
			"closes its side": (*net.TCPConn).CloseWrite,
			"closes":          (*net.TCPConn).Close,
			"is gone":         func(c *net.TCPConn) error { _ = c.SetLinger(0); return c.Close() },
		} {
			for _, to := range []*url.URL{u, thread} {
				t.Run(where+" "+how+" "+to.Path, func(t *testing.T) {
					l, err := net.Listen("tcp", "127.0.0.1:0")
					p.must(err)
					srv := web.Server(p.Router)
					go func() { _ = srv.Serve(l) }()
					conn, err := net.Dial("tcp", l.Addr().String())
					p.must(err)
					fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nSec-Fetch-Site: same-origin\r\nCookie: ps_sitzung=%s\r\nContent-Type: multipart/form-data; boundary=grenze\r\nContent-Length: %d\r\n\r\n%s",
						to.RequestURI(), musterstadt, c.Cookie("ps_sitzung"), len(body)+100_000, body)
					p.must(leave(conn.(*net.TCPConn)))
					if how == "closes its side" {
						_, _ = io.ReadAll(conn)
						conn.Close()
					}
					p.must(srv.Shutdown(t.Context())) // after the request
					if strings.Contains(log.String(), "level=ERROR") || p.objects() != 0 {
						t.Errorf("%d objects, log:\n%s", p.objects(), log)
						log.b.Reset()
					}
				})
			}
		}
	}
}
