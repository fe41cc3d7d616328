package proof_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/accesslog"
	"poststelle/internal/app"
	"poststelle/internal/web/webtest"
)

// export runs "accesslog export" against the running server.
func (h *house) export(format string, more ...string) (out, errs string) {
	h.t.Helper()
	var o, e bytes.Buffer
	args := append([]string{"accesslog", "export", "--data", h.dir, "--format", format, "--ground", "test", "--reason", "Nachweis"}, more...)
	if code := app.Run(h.t.Context(), args, app.Streams{In: strings.NewReader(""), Out: &o, Err: &e}); code != 0 {
		h.t.Fatalf("accesslog export: exit code %d: %s", code, e.String())
	}
	return o.String(), e.String()
}

// nine reads a line of the export and returns its file name, or what is wrong
// with it.
func nine(line string) (file string, err error) {
	d := json.NewDecoder(strings.NewReader(line))
	var names []string
	values := map[string]any{}
	if err := json.Unmarshal([]byte(line), &values); err != nil {
		return "", err
	}
	for depth := 0; ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		switch x := tok.(type) {
		case json.Delim:
			if x == '{' || x == '[' {
				depth++
			} else {
				depth--
			}
			if depth > 1 {
				return "", fmt.Errorf("a field is not a simple value: %s", line)
			}
			continue
		case string:
			names = append(names, x)
		}
		if _, err := d.Token(); err != nil {
			return "", err
		}
	}
	if want := []string{"file", "time", "bytes", "success", "browser", "os", "referrer", "provider", "ip"}; !slices.Equal(names, want) {
		return "", fmt.Errorf("fields %v, want %v", names, want)
	}
	file, ok := values["file"].(string)
	if !ok {
		return "", fmt.Errorf("file is no text: %s", line)
	}
	return file, nil
}

func TestAccessLog_NineFieldsAndNoValue(t *testing.T) {
	m := newMarks()
	h := newHouse(t)
	h.logStatements()
	rt, err := h.Router()
	must(t, err)
	c := h.serve()
	c.NoFollow, c.MayBreak = true, true

	parameter := regexp.MustCompile(`\{[^}]*\}`)
	allowed := map[string]int{}
	sent := 0
	ask := func(c *webtest.Client, method, path, pattern string) {
		t.Helper()
		name := m.plant("p")
		c.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 "+m.plant("ua"))
		c.Header.Set("X-"+name, m.plant("kopf"))
		c.Header.Set("Cookie", m.plant("c")+"="+m.plant("keks")+"; ps_sitzung="+m.plant("sitzung"))
		switch sent % 3 {
		case 0:
			c.Header.Set("Referer", "http://"+musterstadt+"/abholen/datei/"+m.plant("r")+"/"+m.plant("r")+"?"+m.plant("q"))
		case 1:
			c.Header.Set("Referer", "https://fremd.example/seite?"+m.plant("q")+"#"+m.plant("anker"))
		default:
			c.Header.Set("Referer", m.plant("unsinn"))
		}
		path = parameter.ReplaceAllStringFunc(path, func(string) string { return m.plant("pfad") }) + "?" + m.plant("name") + "=" + m.plant("wert")
		var body []byte
		typ := ""
		if method == "POST" {
			body, typ = []byte("code="+m.plant("feld")+"&body="+m.plant("text")+"&login="+m.plant("login")+"&password="+m.plant("kennwort")), "application/x-www-form-urlencoded"
		}
		p := c.Do(method, path, typ, body)
		if p.Broken || p.Status == 0 {
			t.Errorf("%s %s: no answer", method, pattern)
		}
		delete(c.Header, "X-"+name)
		sent++
		allowed[pattern]++
	}
	routes := rt.Routes()
	if len(routes) < 40 {
		t.Fatalf("only %d routes: %v", len(routes), routes)
	}
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		path := strings.ReplaceAll(pattern, "{$}", "")
		for _, lang := range []string{"", "/en"} {
			ask(c, method, lang+path, lang+pattern)
		}
	}
	ask(c, "GET", "/{nichts}/{hier}", accesslog.NoRoute)
	ask(c, "DELETE", "/abholen", "/abholen")
	ask(c, "HEAD", "/impressum", "/impressum")
	other := c.Other()
	other.NoFollow, other.MayBreak, other.Host = true, true, "unbekannt.example"
	ask(other, "GET", "/abholen", "/abholen")
	other.Host = beispielingen
	ask(other, "GET", "/abholen", "/abholen")

	out, _ := h.export("json", "--reason", m.plant("Antrag von Frau "))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	t.Logf("%d routes, %d requests, %d records", len(routes), sent, len(lines))
	if len(lines) != sent {
		t.Errorf("%d records of %d requests", len(lines), sent)
	}
	for _, line := range lines {
		file, err := nine(line)
		if err != nil {
			t.Error(err)
		}
		plain := strings.TrimPrefix(file, "/en")
		if file != accesslog.NoRoute && allowed[file] == 0 && allowed[plain] == 0 && plain != "" {
			t.Errorf("file name %q is no route", file)
		}
	}
	combined, _ := h.export("combined")
	if n := strings.Count(combined, "\n"); n != sent {
		t.Errorf("%d lines in Combined Log Format of %d requests", n, sent)
	}
	f := m.finder()
	none(t, "export", find(f, "json", []byte(out)))
	none(t, "export", find(f, "combined", []byte(combined)))
	none(t, "after the crawl", h.traces(m))

	// The period: the key of the day is destroyed, and with it every copy.
	day := h.clock.Now().UTC().Format(time.DateOnly)
	h.clock.advance(32 * 24 * time.Hour)
	must(t, h.Vault.Housekeep(t.Context()))
	out, errs := h.export("json")
	if out != "" || !strings.Contains(errs, day) {
		t.Errorf("after 32 days the export still has %d bytes; it says %q", len(out), errs)
	}
}

func TestAccessLog_Sabotage(t *testing.T) {
	good := `{"file":"/","time":"2026-11-20T08:00:00.000Z","bytes":1,"success":200,"browser":"Firefox","os":"Linux","referrer":"","provider":"unknown","ip":"127.0.0.1"}`
	if file, err := nine(good); err != nil || file != "/" {
		t.Fatalf("nine(good) = %q, %v", file, err)
	}
	for name, line := range map[string]string{
		"tenth field":  strings.Replace(good, `,"ip"`, `,"query":"x","ip"`, 1),
		"eight fields": strings.Replace(good, `"os":"Linux",`, "", 1),
		"nested":       strings.Replace(good, `"Firefox"`, `{"name":"Firefox"}`, 1),
		"other order":  strings.Replace(strings.Replace(good, `"os":"Linux",`, "", 1), `"ip"`, `"os":"Linux","ip"`, 1),
	} {
		if _, err := nine(line); err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
}
