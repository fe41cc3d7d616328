package web

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Deadlines of a request. A body must arrive with at least bodyRate after the
// grace; a response must make progress within writeWait. So a large upload over
// a slow line goes through, and a connection that only trickles does not.
const (
	bodyGrace  = 30 * time.Second
	bodyRate   = 4 << 10 // bytes a second
	writeWait  = 30 * time.Second
	writeChunk = 64 << 10
	drainWait  = 5 * time.Second
	drainBytes = 32 << 20
)

// response guards what leaves the server: status once, security headers,
// declared cookies only, rolling deadline.
type response struct {
	http.ResponseWriter
	sc       *scope
	head     bool
	http1    bool
	status   int
	bytes    int64
	extended time.Time
}

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// start sets the deadline for a first write. Over HTTP/2 it would reset the
// stream of a handler that computes for long.
func (w *response) start() {
	if w.http1 {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(w.sc.started.Add(2 * writeWait))
	}
}

// WriteHeader sends the header once.
func (w *response) WriteHeader(code int) {
	if w.status != 0 {
		return
	}
	if code < 200 && code != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.status = code
	if code >= 400 && w.http1 && w.sc.body != nil && !w.sc.expects {
		w.sc.body.drain()
	}
	w.filterCookies()
	h := w.Header()
	completeHeaders(h, w.sc)
	if h.Get("Content-Type") == "" && code != http.StatusNoContent && code != http.StatusNotModified && (code < 300 || code > 399) {
		h.Set("Content-Type", "application/octet-stream") // never let anybody guess
	}
	w.ResponseWriter.WriteHeader(code)
}

// filterCookies removes every cookie that did not come from the registry.
func (w *response) filterCookies() {
	h := w.Header()
	all := h.Values("Set-Cookie")
	if len(all) == 0 {
		return
	}
	var keep []string
	for _, line := range all {
		if slices.Contains(w.sc.cookies, line) {
			keep = append(keep, line)
			continue
		}
		name, _, _ := strings.Cut(line, "=")
		w.sc.rt.cfg.Log.Error("undeclared cookie removed", "id", w.sc.id, "route", w.sc.route, "cookie", head(name, 64))
	}
	h.Del("Set-Cookie")
	for _, line := range keep {
		h.Add("Set-Cookie", line)
	}
}

// Write sends b in pieces, each with a deadline of its own.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	written := 0
	for {
		piece := b[written:min(len(b), written+writeChunk)]
		if now := w.sc.rt.cfg.Now(); now.Sub(w.extended) > time.Second {
			_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(now.Add(writeWait))
			w.extended = now
		}
		n, err := w.ResponseWriter.Write(piece)
		written += n
		if !w.head {
			w.bytes += int64(n)
		}
		if err != nil || written == len(b) {
			return written, err
		}
	}
}

// body moves the read deadline on as bytes arrive, and lifts it at the end, so
// that it does not end the context of a handler that goes on to work.
type body struct {
	io.ReadCloser
	res   *response
	total int64
	until time.Time
	done  bool
}

func newBody(res *response, rc io.ReadCloser) *body {
	b := &body{ReadCloser: rc, res: res}
	b.extend()
	return b
}

func (b *body) extend() {
	until := b.res.sc.started.Add(bodyGrace + time.Duration(b.total/bodyRate)*time.Second)
	if !until.Equal(b.until) {
		b.until = until
		_ = http.NewResponseController(b.res.ResponseWriter).SetReadDeadline(until)
	}
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.total += int64(n)
	switch {
	case err == nil:
		b.extend()
	case errors.Is(err, io.EOF) && !b.done:
		b.done = true
		_ = http.NewResponseController(b.res.ResponseWriter).SetReadDeadline(time.Time{})
	}
	return n, err
}

// announced stands for a body that is longer than the limit by its own account:
// a handler that reads it learns that before the first byte.
type announced struct{ limit int64 }

func (a announced) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: a.limit} }

func (a announced) Close() error { return nil }

// drain reads what a browser is still sending, within bounds: HTTP/1 browsers
// look at the answer only when they are done, and would show a broken
// connection in place of the page that says what to do.
func (b *body) drain() {
	if b.done {
		return
	}
	until := b.res.sc.rt.cfg.Now().Add(drainWait)
	_ = http.NewResponseController(b.res.ResponseWriter).SetReadDeadline(until)
	_, _ = io.CopyN(io.Discard, b.ReadCloser, drainBytes)
	_ = http.NewResponseController(b.res.ResponseWriter).SetReadDeadline(time.Time{})
}
