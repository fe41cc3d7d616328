package proof_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"poststelle/internal/app"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/web/webtest"
)

// diskEnv makes the child put its data on a disk of this many bytes, and fill
// and free it when it is told to on its standard input.
const diskEnv = "POSTSTELLE_PROOF_DISK"

// smallDisk mounts a small file system over the data directory, in a name space
// that only this process has.
func smallDisk(dir, size string) error {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		return fmt.Errorf("mount a small disk: %w", err)
	}
	go func() {
		fill := filepath.Join(dir, "filler")
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			switch in.Text() {
			case "fill":
				fmt.Println("filled:", fillUp(fill))
			case "free":
				fmt.Println("freed:", os.Remove(fill))
			}
		}
	}()
	return nil
}

// fillUp writes until the disk is full and returns the error that says so.
func fillUp(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return err
}

// prepare makes the installation of a child that begins with an empty disk.
func prepare(ctx context.Context, a *app.App) error {
	if len(a.Directory.All()) > 0 {
		return nil
	}
	return a.AddTenants(ctx, authorities())
}

func TestFault_DiskFull(t *testing.T) {
	h := &house{t: t, dir: t.TempDir(), logs: new(buffer)}
	if h.url = dbtest.URL(t); strings.HasPrefix(h.url, "sqlite:") {
		h.url = ""
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", tail(h.logs.Bytes()))
		}
	})
	in := h.diskChild("16m")
	c := webtest.Dial(t, in.addr)
	c.Host = musterstadt
	first := send(t, c, plainLetter("Erstwort"))
	l := plainLetter("Zweitwort")
	up := formTo(t, half(t, c, l).Submit("aktion=weiter").Want(http.StatusOK), "/nachricht/4")
	up.File("files", "a.txt", "text/plain", textFile("", "Anhang", 60_000).data)

	in.tell(t, "fill")
	notSent(t, up.Submit("aktion=weiter"))
	codes := []string{first}
	var failed []*webtest.Page
	for i := range 30 {
		check := filed(t, c.Other(), plainLetter(fmt.Sprintf("Wort%02d", i)))
		if p := press(t, check); p.Status == http.StatusOK {
			codes = append(codes, codeOf(t, p))
		} else {
			notSent(t, p)
			failed = append(failed, check)
		}
	}
	if len(failed) == 0 && !h.isPostgres() {
		t.Error("no letter failed on a full disk")
	}
	wantStatus(t, http.StatusServiceUnavailable, c.Get("/readyz"))

	in.tell(t, "free")
	eventually(t, "the program is ready again", func() bool { return c.Get("/readyz").Status == http.StatusOK })
	p := up.Submit("aktion=weiter").Want(http.StatusOK)
	codes = append(codes, codeOf(t, press(t, p)))
	for _, check := range failed {
		codes = append(codes, codeOf(t, press(t, check)))
	}
	t.Logf("%d letters failed on the full disk, %d are stored", len(failed), len(codes))
	for i, code := range codes {
		reader := c.Other()
		eventually(t, "the vault has the keys", func() bool { return collect(t, reader, code).Status == http.StatusOK })
		for _, other := range codes[:i] {
			if other == code {
				t.Error("two letters have one code")
			}
		}
	}
}

// diskServer is a child on a small disk.
type diskServer struct {
	addr string
	in   interface{ Write([]byte) (int, error) }
	out  *bufio.Reader
}

func (h *house) diskChild(size string) *diskServer {
	t := h.t
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+h.dir, "POSTSTELLE_DATABASE="+h.url, diskEnv+"="+size)
	cmd.Stderr = h.logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	runtime.LockOSThread() // the parent of Pdeathsig is the thread
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		runtime.UnlockOSThread()
	})
	d := &diskServer{in: in, out: bufio.NewReader(out)}
	line, err := d.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the server on a small disk does not start: %v\n%s", err, tail(h.logs.Bytes()))
	}
	d.addr, _, _ = strings.Cut(strings.TrimSpace(line), " ")
	return d
}

func (d *diskServer) tell(t *testing.T, what string) {
	t.Helper()
	_, err := d.in.Write([]byte(what + "\n"))
	must(t, err)
	line, err := d.out.ReadString('\n')
	must(t, err)
	t.Log(strings.TrimSpace(line))
}
