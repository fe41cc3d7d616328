package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"poststelle/internal/app"
	"poststelle/internal/db"
	"poststelle/internal/journal"
	"poststelle/internal/seal"
	"poststelle/internal/web/assets"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"poststelle": main})
}

// TestScripts runs the journeys of the command line against the real program.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": cmdFails, "start": cmdStart, "stop": cmdStop, "mode": cmdMode, "journal": cmdJournal,
			"receipt": cmdReceipt, "municipalities": cmdMunicipalities, "lines": cmdLines, "deepdir": cmdDeepDir, "export": cmdExport,
			"fetch": cmdFetch, "stalesocket": cmdStaleSocket, "deadjob": cmdDeadJob, "change": cmdChange,
		},
		// Scripts that need a server end early without the files of dev/assets, after they saw it refuse to start.
		Condition: func(cond string) (bool, error) {
			if cond != "assets" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return assets.Check() == nil, nil
		},
	})
}

// noAssets reports that the files of dev/assets are not embedded. Then a server
// must refuse to start, and there is nothing more to test.
func noAssets(t *testing.T) bool {
	t.Helper()
	if assets.Check() == nil {
		return false
	}
	_, err := start(t.TempDir(), nil, "serve", "--addr", "127.0.0.1:0", "--data", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "dev/assets") {
		t.Errorf("serve without assets: %v, want a refusal that says what to run", err)
	}
	return true
}

// cmdFetch FILE URL [HEADER…] stores a page of a running server.
func cmdFetch(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	for _, h := range args[2:] {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), body, 0o600))
}

// cmdStaleSocket FILE leaves a socket on which nobody listens, as a killed
// server does.
func cmdStaleSocket(ts *testscript.TestScript, _ bool, args []string) {
	wd, err := os.MkdirTemp("", "s") // short: the address of a socket is limited
	ts.Check(err)
	defer os.RemoveAll(wd)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(wd, "s"), Net: "unix"})
	ts.Check(err)
	l.SetUnlinkOnClose(false)
	ts.Check(os.Rename(filepath.Join(wd, "s"), ts.MkAbs(args[0])))
	ts.Check(l.Close())
}

// cmdFails CODE PROGRAM ARGS… wants the program to end with exactly that code
// and a message on standard error, and to print nothing else.
func cmdFails(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	exit := new(exec.ExitError)
	if neg || !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("want exit code %d, got %v", want, err)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("an error was printed to standard output: %q", out)
	}
	if msg := ts.ReadFile("stderr"); !strings.Contains("\n"+msg, "\npoststelle: ") {
		ts.Fatalf("standard error has no message: %q", msg)
	}
}

// cmdStart NAME ARGS… starts a server and waits until it answers. The variable
// NAME_URL holds its address.
func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	var env []string
	for _, name := range []string{"TMPDIR", "POSTSTELLE_MAIL_FROM"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	p, err := start(ts.MkAbs("."), env, args[1:]...)
	ts.Check(err)
	ts.Defer(p.kill)
	running.Store(ts.MkAbs(".")+args[0], p)
	ts.Setenv(args[0]+"_URL", p.url)
}

// cmdStop NAME [SIGNAL] ends a server and wants it to end well. NAME.log is what
// it logged.
func cmdStop(ts *testscript.TestScript, _ bool, args []string) {
	v, ok := running.LoadAndDelete(ts.MkAbs(".") + args[0])
	if !ok {
		ts.Fatalf("no server %s runs", args[0])
	}
	sig := syscall.SIGTERM
	if len(args) > 1 && args[1] == "INT" {
		sig = syscall.SIGINT
	}
	if err := v.(*process).stop(sig); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".log"), []byte(v.(*process).out.String()), 0o600))
}

// running holds the servers of scripts by directory and name.
var running sync.Map

// cmdMode MODE FILE wants a file to have that mode.
func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Lstat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// opened runs fn on an installation that no server has open.
func opened(ts *testscript.TestScript, data string, fn func(a *app.App) error) {
	ctx := context.Background()
	a, err := app.Open(ctx, app.Config{Data: ts.MkAbs(data), Log: slog.New(slog.DiscardHandler)}, nil)
	ts.Check(err)
	ts.Check(errors.Join(fn(a), a.Close()))
}

// cmdJournal DATA TENANT OBJECT FILE writes the journal about an object: action,
// actor and detail, newest first. @NAME is the object that a file names.
func cmdJournal(ts *testscript.TestScript, _ bool, args []string) {
	if name, ok := strings.CutPrefix(args[2], "@"); ok {
		args[2] = strings.TrimSpace(ts.ReadFile(name))
	}
	var out strings.Builder
	opened(ts, args[0], func(a *app.App) error {
		return a.DB.View(context.Background(), func(tx *db.Tx) error {
			items, err := journal.List(context.Background(), tx, args[1], args[2], 20)
			for _, i := range items {
				detail, _ := json.Marshal(i.Detail)
				fmt.Fprintf(&out, "%s %s %s\n", i.Action, i.Actor, detail)
			}
			return err
		})
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(out.String()), 0o600))
}

// cmdDeadJob DATA lets a job be given up: the deletion of a file with an id that
// no file has.
func cmdDeadJob(ts *testscript.TestScript, _ bool, args []string) {
	opened(ts, args[0], func(a *app.App) error {
		ctx := context.Background()
		err := a.DB.Update(ctx, func(tx *db.Tx) error { return a.Jobs.Enqueue(ctx, tx, "blob.delete", "no-file") })
		if err == nil {
			_, _ = a.Jobs.RunDue(ctx) // its error is that of the job
		}
		return err
	})
}

// cmdChange DATA STATEMENT VALUE… changes rows as somebody with the file would.
func cmdChange(ts *testscript.TestScript, _ bool, args []string) {
	opened(ts, args[0], func(a *app.App) error {
		var values []any
		for _, v := range args[2:] {
			values = append(values, v)
		}
		return a.DB.Update(context.Background(), func(tx *db.Tx) error {
			n, err := tx.Exec(context.Background(), args[1], values...)
			if err == nil && n == 0 {
				err = errors.New("nothing was changed")
			}
			return err
		})
	})
}

// cmdReceipt DATA TENANT FILE writes a receipt that the tenant signed.
func cmdReceipt(ts *testscript.TestScript, _ bool, args []string) {
	opened(ts, args[0], func(a *app.App) error {
		now := time.Now()
		signer, err := a.Deputy.Signer(context.Background(), args[1], now)
		if err != nil {
			return err
		}
		text, err := seal.SignReceipt(signer, seal.Receipt{
			Tenant: args[1], TenantName: "Stadt Musterstadt", Mailbox: "poststelle", MailboxName: "Zentrale Poststelle", Case: "2026-000017",
			At: now, Files: []seal.ReceiptFile{{Size: 1234}},
		})
		if err != nil {
			return err
		}
		return os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600)
	})
}

// cmdMunicipalities N FILE writes a list of that many authorities.
func cmdMunicipalities(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var out strings.Builder
	out.WriteString("id,name,ars,host,street,postcode,place,phone,email\n")
	for i := range n {
		fmt.Fprintf(&out, "ort-%d,Gemeinde Ort %d,08%010d,vps.ort-%d.example,Hauptstraße %d,%05d,Ort %d,,post@ort-%d.example\n", i, i, i, i, i, 70000+i, i, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o600))
}

// cmdLines N FILE wants a file to have that many lines.
func cmdLines(ts *testscript.TestScript, _ bool, args []string) {
	if got := strconv.Itoa(strings.Count(ts.ReadFile(args[1]), "\n")); got != args[0] {
		ts.Fatalf("%s has %s lines, want %s", args[1], got, args[0])
	}
}

// cmdDeepDir VARIABLE makes a directory with a name far longer than a socket
// address may be.
func cmdDeepDir(ts *testscript.TestScript, _ bool, args []string) {
	dir := filepath.Join(ts.MkAbs("."), strings.Repeat("tief", 30), strings.Repeat("tiefer", 20))
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Setenv(args[0], dir)
}

// cmdExport FILE wants every line of an access log export to have the nine
// fields and no other.
func cmdExport(ts *testscript.TestScript, _ bool, args []string) {
	want := []string{"file", "time", "bytes", "success", "browser", "os", "referrer", "provider", "ip"}
	in := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	n := 0
	for ; in.Scan(); n++ {
		var fields map[string]any
		ts.Check(json.Unmarshal(in.Bytes(), &fields))
		for _, f := range want {
			if _, ok := fields[f]; !ok {
				ts.Fatalf("line %d has no %s: %s", n+1, f, in.Text())
			}
		}
		if len(fields) != len(want) {
			ts.Fatalf("line %d has %d fields, want nine: %s", n+1, len(fields), in.Text())
		}
	}
	if n == 0 {
		ts.Fatalf("%s is empty", args[0])
	}
}

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	url  string // as the demonstration prints it, or the address of serve
	info map[string]any
	out  *lockedBuffer // standard error
	done chan error
}

// patience is how long a test waits for a server, at most.
const patience = 60 * time.Second

// start runs the program and waits until it says that it is ready: serve in its
// log, the demonstration by its first line.
func start(dir string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command("poststelle", args...), out: new(lockedBuffer), done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	first := make(chan string, 2)
	p.out.line = func(line string) {
		if _, rest, ok := strings.Cut(line, "msg=ready addr="); ok {
			first <- strings.Fields(rest)[0]
		}
	}
	p.cmd.Stderr = p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		in := bufio.NewReader(stdout)
		if line, err := in.ReadString('\n'); err == nil {
			first <- line
		}
		_, _ = io.Copy(io.Discard, in)
	}()
	go func() {
		<-read
		p.done <- p.cmd.Wait()
	}()
	select {
	case line := <-first:
		p.url = line
		if json.Unmarshal([]byte(line), &p.info) == nil {
			p.url, _ = p.info["url"].(string)
		}
		return p, nil
	case err := <-p.done:
		return nil, fmt.Errorf("poststelle %s ended: %w: %s", strings.Join(args, " "), err, p.out)
	case <-time.After(patience):
		p.kill()
		return nil, fmt.Errorf("poststelle %s is not ready: %s", strings.Join(args, " "), p.out)
	}
}

// stop sends a signal and waits for the end.
func (p *process) stop(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		if err != nil {
			return fmt.Errorf("%w: %s", err, p.out)
		}
		return nil
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("it does not end: %s", p.out)
	}
}

// kill ends a server that a failed test left.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// lockedBuffer keeps what a process prints and tells of each line.
type lockedBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	line func(string)
	part string
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Write(p)
	b.part += string(p)
	for {
		line, rest, ok := strings.Cut(b.part, "\n")
		if !ok {
			return len(p), nil
		}
		b.part = rest
		if b.line != nil {
			b.line(line)
		}
	}
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
