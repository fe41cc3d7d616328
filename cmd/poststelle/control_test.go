package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestControl sends the socket what the program itself would never send.
func TestControl(t *testing.T) {
	if noAssets(t) {
		return
	}
	data := installation(t)
	p := serve(t, "--data", data)
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, "control.sock"))
	}}}
	t.Cleanup(c.CloseIdleConnections)
	ask := func(body string) (int, string, int) {
		t.Helper()
		resp, err := c.Post("http://control/run", "application/json", strings.NewReader(body))
		must(t, err)
		defer resp.Body.Close()
		var text strings.Builder
		exit := -1
		for in := json.NewDecoder(resp.Body); ; {
			var l struct {
				Out, Err []byte
				Exit     *int
			}
			if err := in.Decode(&l); err != nil {
				break
			}
			text.Write(l.Out)
			text.Write(l.Err)
			if l.Exit != nil {
				exit = *l.Exit
			}
		}
		return resp.StatusCode, text.String(), exit
	}
	// Something to read, so that the vault sees the ground.
	get(t, browser(t, p.url, nil), "http://"+site+"/")
	run(t, "accesslog", "export", "--data", data, "--ground", "test", "--reason", "x")
	for _, q := range []struct {
		body, says string
		status     int
		exit       int
	}{
		{`{"command":"tenant list","values":{}}`, "musterstadt", 200, 0},
		{`{"command":"tenant show","values":{"ID":"musterstadt"}}`, "Stadt Musterstadt", 200, 0},
		{`{"command":"tenant show","values":{"ID":"nobody"}}`, "no tenant", 200, 1},
		{`{"command":"accesslog export","values":{"Tenant":"musterstadt","Format":"json","Ground":"test","Reason":" "}}`, "--reason", 200, 2},
		{`{"command":"accesslog export","values":{"Tenant":"musterstadt","Format":"json","Ground":"neugier","Reason":"x"}}`, "ground", 200, 1},
		{`{"command":"demo","values":{}}`, "does not work on a running server", 200, 2},
		{`{"command":"serve","values":{"Addr":":80"}}`, "does not work on a running server", 200, 2},
		{`{"command":"nosuch","values":{}}`, "another version", 200, 2},
		{`{"command":"tenant","values":{}}`, "another version", 200, 2},
		{`{"command":"tenant list","values":{"Newer":1}}`, "another version", 200, 2},
		{`{"command":"tenant list","values":{"Data":"/etc"}}`, "another version", 200, 2},
		{`not json`, "", 400, -1},
		{`{"command":"` + strings.Repeat("x", 40<<20) + `"}`, "", 400, -1},
	} {
		status, text, exit := ask(q.body)
		if status != q.status || exit != q.exit || !strings.Contains(text, q.says) {
			t.Errorf("%.60s: status %d, exit %d, %q; want %d, %d, %q", q.body, status, exit, text, q.status, q.exit, q.says)
		}
	}
	resp, err := c.Get("http://control/run")
	must(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", resp.StatusCode)
	}
	must(t, p.stop(syscall.SIGTERM))
}
