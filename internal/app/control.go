package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// The control socket lets a command work on an installation whose server is
// running: the command is sent to the server, which runs it and sends back what
// it prints. Only the owner of the data directory can open the socket.

// controlName is the socket's name in the data directory.
const controlName = "control.sock"

// maxControlInput bounds what a command may send along: a list of authorities,
// a receipt.
const maxControlInput = 16 << 20

// controlRequest is a command with its values as they were parsed where it was
// typed: relative file names, the environment and --config of the server have no
// part in it.
type controlRequest struct {
	Command string          `json:"command"`
	Values  json.RawMessage `json:"values"`
	Input   []byte          `json:"input,omitempty"`
}

// controlLine is one line of the answer.
type controlLine struct {
	Out  []byte `json:"out,omitempty"`
	Err  []byte `json:"err,omitempty"`
	Exit *int   `json:"exit,omitempty"`
}

// listenControl opens the socket. The caller removes it with closeControl after
// the last use.
func (a *App) listenControl() (net.Listener, error) {
	dir, err := os.MkdirTemp(a.Data, ".control-")
	if err != nil {
		return nil, fmt.Errorf("app: control socket: %w", err)
	}
	defer os.RemoveAll(dir)
	l, err := listenOwnerOnly(dir)
	if err == nil {
		// The directory lock is ours, so a socket that is there is a leftover.
		if err = os.Rename(filepath.Join(dir, controlName), filepath.Join(a.Data, controlName)); err != nil {
			err = errors.Join(err, l.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("app: control socket: %w", err)
	}
	return l, nil
}

// listenOwnerOnly makes the socket in a directory of its own, so that nobody can
// reach it before its mode is set.
func listenOwnerOnly(dir string) (net.Listener, error) {
	path, done, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it is moved, and the number in path is used again
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// closeControl removes the socket; its listener is closed by its server.
func (a *App) closeControl() error {
	if err := os.Remove(filepath.Join(a.Data, controlName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("app: control socket: %w", err)
	}
	return nil
}

// socketPath returns an address of the socket that is short enough for the
// system (108 bytes), however deep the data directory lies.
func socketPath(data string) (path string, done func() error, err error) {
	dir, err := os.Open(data)
	if err != nil {
		return "", nil, err
	}
	return filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), controlName), dir.Close, nil
}

func (a *App) controlServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", a.control)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
}

func (a *App) control(w http.ResponseWriter, r *http.Request) {
	var req controlRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 2*maxControlInput)).Decode(&req); err != nil {
		http.Error(w, "malformed request", http.StatusBadRequest)
		return
	}
	out := &controlWriter{w: w, flush: http.NewResponseController(w)}
	s := Streams{In: bytes.NewReader(req.Input), Out: out.stream(false), Err: out.stream(true)}
	cmd, err := received(req.Command, req.Values)
	if err == nil {
		err = cmd.open(english(r.Context(), a), a, s)
	}
	code := report(s, err)
	// A client that is gone needs no exit code.
	_ = out.send(controlLine{Exit: &code})
}

// controlWriter turns two streams into one of JSON lines.
type controlWriter struct {
	mu    sync.Mutex
	w     io.Writer
	flush *http.ResponseController
}

func (c *controlWriter) send(l controlLine) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := json.NewEncoder(c.w).Encode(l); err != nil {
		return err
	}
	return c.flush.Flush()
}

func (c *controlWriter) stream(isErr bool) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		l := controlLine{Out: p}
		if isErr {
			l = controlLine{Err: p}
		}
		if err := c.send(l); err != nil {
			return 0, err
		}
		return len(p), nil
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// remote runs a command in the server that has the data directory open. ok is
// false when no server is there.
func remote(ctx context.Context, data, name string, cmd opener, s Streams, input []byte) (code int, ok bool, err error) {
	path, done, err := socketPath(data)
	if err != nil {
		return 0, false, nil // no data directory: nothing runs on it
	}
	defer done()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	values, err := json.Marshal(cmd)
	if err != nil {
		return 1, true, err
	}
	body, err := json.Marshal(controlRequest{Command: name, Values: values, Input: input})
	if err != nil {
		return 1, true, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control/run", bytes.NewReader(body))
	if err != nil {
		return 1, true, err
	}
	resp, err := client.Do(req)
	if err != nil {
		if op := new(net.OpError); errors.As(err, &op) && op.Op == "dial" {
			return 0, false, nil
		}
		return 1, true, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 1, true, fmt.Errorf("the running server answered %s", resp.Status)
	}
	in := json.NewDecoder(bufio.NewReader(resp.Body))
	for {
		var l controlLine
		if err := in.Decode(&l); err != nil {
			return 1, true, fmt.Errorf("the server ended the command early: %w", err)
		}
		if l.Exit != nil {
			return *l.Exit, true, nil
		}
		if _, err := s.Out.Write(l.Out); err != nil {
			return 1, true, err
		}
		if _, err := s.Err.Write(l.Err); err != nil {
			return 1, true, err
		}
	}
}
