package proof_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"poststelle/internal/app"
	"poststelle/internal/web/assets"
)

// childEnv makes the test binary the server itself: its value is the data
// directory, POSTSTELLE_DATABASE the database.
const childEnv = "POSTSTELLE_PROOF_CHILD"

func TestMain(m *testing.M) {
	if data := os.Getenv(childEnv); data != "" {
		if err := runChild(context.Background(), data, os.Getenv("POSTSTELLE_DATABASE")); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if err := assets.Check(); err != nil {
		// Without its assets the program does not start: that is all there is to prove.
		fmt.Fprintln(os.Stderr, "proof:", err)
		if err := flag.Set("test.run", "^(TestScan_FindsEveryForm|TestAccessLog_Sabotage|TestStart_WithoutAssets)$"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestStart_WithoutAssets(t *testing.T) {
	missing := assets.Check()
	_, err := newHouse(t).Router()
	if (missing == nil) != (err == nil) || err != nil && !strings.Contains(err.Error(), "dev/assets") {
		t.Errorf("Router() = %v while the assets say %v", err, missing)
	}
}

// runChild is "poststelle serve" on a free port, with cheap password hashes and
// tests behind it as trusted proxies. Its first line names the address.
func runChild(ctx context.Context, data, database string) error {
	if size := os.Getenv(diskEnv); size != "" {
		if err := smallDisk(data, size); err != nil {
			return err
		}
	}
	a, err := app.Open(ctx, app.Config{
		Data: data, Database: database, Light: true, MailFrom: "poststelle@betreiber.example", Now: time.Now,
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Log:     slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}, nil)
	if err != nil {
		return err
	}
	if err := prepare(ctx, a); err != nil {
		return err
	}
	on, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	post, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go a.ServeMail(ctx, post)
	return a.Serve(ctx, on, func() error {
		_, err := fmt.Println(on.Addr(), post.Addr())
		return err
	})
}

// child is a running server process.
type child struct {
	cmd  *exec.Cmd
	addr string
	mail string // address for incoming mail
}

// spawn starts a server on the data of a closed house. It is ready when spawn
// returns, unless early is positive: then it is killed after that time.
func (h *house) spawn(early time.Duration) *child {
	h.t.Helper()
	exe, err := os.Executable()
	must(h.t, err)
	c := &child{cmd: exec.Command(exe)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+h.dir, "POSTSTELLE_DATABASE="+h.url)
	c.cmd.Stderr = h.logs
	out, err := c.cmd.StdoutPipe()
	must(h.t, err)
	must(h.t, c.cmd.Start())
	if early > 0 {
		timer := time.AfterFunc(early, func() { _ = c.cmd.Process.Kill() })
		defer timer.Stop()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || early > 0 {
		c.kill()
		if early > 0 {
			return nil
		}
		h.t.Fatalf("the server does not start again: %v\n%s", err, tail(h.logs.Bytes()))
	}
	c.addr, c.mail, _ = strings.Cut(line[:len(line)-1], " ")
	return c
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }
