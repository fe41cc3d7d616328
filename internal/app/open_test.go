package app_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"poststelle/internal/app"
	"poststelle/internal/tenant"
	"poststelle/internal/web/assets"
)

// background are the functions in which a server works without being asked.
func background() []string {
	return []string{
		"jobs.(*Queue).Run", "mailbox.(*Service).Run", "vault.(*Vault).Run", "vault.(*Deputy).Run", "tenant.(*Directory).Run",
		"web.(*Sessions).Run", "accesslog.(*Log).Run", "http.(*Server).Serve", "app.(*App).sweepUploads",
	}
}

func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

func open(t *testing.T, dir string) *app.App {
	t.Helper()
	a, err := app.Open(t.Context(), app.Config{Data: dir, Light: true, Log: slog.New(slog.DiscardHandler)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestOpen_StartsNothing holds what commands rely on: an opened installation
// sends nothing, answers nothing and works through nothing.
func TestOpen_StartsNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	a := open(t, dir)
	err := a.AddTenants(t.Context(), []tenant.Tenant{{
		ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{"vps.musterstadt.example"},
	}})
	if err != nil {
		t.Error(err)
	}
	running := stacks()
	for _, f := range background() {
		if strings.Contains(running, f) {
			t.Errorf("%s runs on an opened installation", f)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "control.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an opened installation has a control socket: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

// TestServe_StartsAll is the counterpart: the functions above are the right
// ones, and all of them end.
func TestServe_StartsAll(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	a := open(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- a.Serve(ctx, l, func() error { close(ready); return nil }) }()
	select {
	case <-ready:
	case err := <-done:
		if assets.Check() == nil || err == nil || !strings.Contains(err.Error(), "dev/assets") {
			t.Errorf("Serve() = %v", err)
		}
		if err := errors.Join(l.Close(), a.Close()); err != nil {
			t.Error(err)
		}
		return
	}
	missing := background()
	for ctx := t.Context(); len(missing) > 0 && ctx.Err() == nil; {
		running := stacks()
		var still []string
		for _, f := range missing {
			if !strings.Contains(running, f) {
				still = append(still, f)
			}
		}
		missing = still
	}
	if _, err := os.Lstat(filepath.Join(dir, "control.sock")); err != nil {
		t.Errorf("no control socket: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Serve() = %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "control.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control socket was left: %v", err)
	}
}

func TestOpen_OneAtATime(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	_, err := app.Open(t.Context(), app.Config{Data: dir, Light: true, Log: slog.New(slog.DiscardHandler)}, nil)
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second Open() = %v, want a refusal", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Errorf("Open() after Close() = %v", err)
	}
}
