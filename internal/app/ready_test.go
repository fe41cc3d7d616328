package app_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"poststelle/internal/app"
	"poststelle/internal/db"
	"poststelle/internal/web/assets"
	"poststelle/internal/web/webtest"
)

// ready asks for the readiness and returns the parts that do not work.
func ready(t *testing.T, c *webtest.Client) (bad []string) {
	t.Helper()
	p := c.Get("/readyz")
	var parts []struct {
		Name string `json:"name"`
		Good bool   `json:"good"`
	}
	if err := json.Unmarshal([]byte(p.Body), &parts); err != nil || len(parts) != 5 {
		t.Fatalf("/readyz: %d %q", p.Status, p.Body)
	}
	for _, part := range parts {
		if !part.Good {
			bad = append(bad, part.Name)
		}
	}
	if (p.Status == 200) != (len(bad) == 0) {
		t.Errorf("/readyz: status %d with %v", p.Status, bad)
	}
	return bad
}

func TestReady(t *testing.T) {
	if assets.Check() != nil {
		return // no pages: TestServe_StartsAll looks at what is said then
	}
	dir, now := t.TempDir(), time.Now()
	a, err := app.Open(t.Context(), app.Config{Data: dir, Light: true, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	rt, err := a.Router()
	if err != nil {
		t.Fatal(err)
	}
	c := webtest.New(t, rt)
	want := func(when string, names ...string) {
		t.Helper()
		now = now.Add(6 * time.Second)
		got := map[string]bool{}
		for _, n := range ready(t, c) {
			got[n] = true
		}
		all := map[string]bool{}
		for _, n := range names {
			all[n] = true
		}
		if !maps.Equal(got, all) {
			t.Errorf("%s: %v do not work, want %v", when, got, names)
		}
	}
	exec := func(q string, args ...any) {
		t.Helper()
		err := a.DB.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), q, args...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want("at first")
	exec(`
insert into mailbox_intake (message_id, tenant_id, mailbox_id, thread_id, day, box, state, created_at)
values ('m', 'musterstadt', 'poststelle', 't', '2026-11-20', $1, 'refused', 1)`, []byte{1})
	want("with a refused letter", "intake")
	exec(`delete from mailbox_intake`)
	want("without it")

	// A day whose queue was never reported empty.
	now = now.Add(72 * time.Hour)
	want("three days later", "intake")
	now = now.Add(-72 * time.Hour)

	// The trial of the files writes; it is not made for every visitor.
	incoming := filepath.Join(dir, "blobs", "incoming")
	stamp := func() time.Time {
		t.Helper()
		info, err := os.Stat(incoming)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	want("before")
	before := stamp()
	for range 20 {
		ready(t, c)
	}
	if !stamp().Equal(before) {
		t.Error("each visit of /readyz writes a file")
	}
	if err := os.Rename(filepath.Join(dir, "blobs"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	want("without the files", "files")
	if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	if bad := ready(t, c); len(bad) > 0 { // at once
		t.Errorf("with the files back %v do not work", bad)
	}
}
