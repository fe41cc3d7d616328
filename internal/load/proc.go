package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// watch looks at a process until it is stopped.
type watch struct {
	pid  int
	cpu  float64
	all  [8]float64
	seen Process
	done chan struct{}
	wg   sync.WaitGroup
}

// sampleEvery is how often memory is looked at.
const sampleEvery = 50 * time.Millisecond

// startWatch begins to watch; pid 0 watches nothing. A process that is not
// there, or a system without /proc, is an error.
func startWatch(pid int) (*watch, error) {
	if pid == 0 {
		return nil, nil
	}
	w := &watch{pid: pid, done: make(chan struct{})}
	var err error
	if w.cpu, err = cpuSeconds(pid); err != nil {
		return nil, err
	}
	if w.seen.RSSBefore, w.seen.AnonymousBefore, err = memory(pid); err != nil {
		return nil, err
	}
	if w.all, err = machine(); err != nil {
		return nil, err
	}
	w.sample()
	w.wg.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-tick.C:
				w.sample()
			}
		}
	})
	return w, nil
}

func (w *watch) sample() {
	rss, anonymous, err := memory(w.pid)
	if err != nil {
		return // the process has ended: the operations will say so
	}
	w.seen.RSSPeak, w.seen.AnonymousPeak = max(w.seen.RSSPeak, rss), max(w.seen.AnonymousPeak, anonymous)
}

// stop ends the watching and returns what was seen; nil if nothing was watched.
func (w *watch) stop() *Process {
	if w == nil {
		return nil
	}
	close(w.done)
	w.wg.Wait()
	if cpu, err := cpuSeconds(w.pid); err == nil {
		w.seen.CPUSeconds = cpu - w.cpu
	}
	if all, err := machine(); err == nil {
		sum := 0.0
		for i := range all {
			all[i] -= w.all[i]
			sum += all[i]
		}
		if sum > 0 {
			w.seen.Idle, w.seen.Stolen = (all[3]+all[4])/sum, all[7]/sum
		}
	}
	return &w.seen
}

// memory reads VmRSS and RssAnon (proc_pid_status(5)), in bytes.
func memory(pid int) (rss, anonymous int64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		kb, convErr := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch {
		case name == "VmRSS" && convErr == nil:
			rss = kb << 10
		case name == "RssAnon" && convErr == nil:
			anonymous = kb << 10
		}
	}
	return rss, anonymous, nil
}

// ticksPerSecond is USER_HZ, which is 100 wherever Go runs on Linux.
const ticksPerSecond = 100

// cpuSeconds reads the time a process has used in user and kernel mode
// (proc_pid_stat(5), fields 14 and 15).
func cpuSeconds(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command name in parentheses may itself hold blanks and parentheses.
	rest := raw[bytes.LastIndexByte(raw, ')')+1:]
	fields := strings.Fields(string(rest))
	if len(fields) < 13 {
		return 0, fmt.Errorf("load: /proc/%d/stat has another form", pid)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("load: /proc/%d/stat has another form", pid)
	}
	return float64(user+system) / ticksPerSecond, nil
}

// machine reads the ticks that all processors have spent (proc_stat(5)): user,
// nice, system, idle, iowait, irq, softirq, steal.
func machine() (ticks [8]float64, err error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks, err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	fields := strings.Fields(first)
	if len(fields) < 1+len(ticks) || fields[0] != "cpu" {
		return ticks, errors.New("load: /proc/stat has another form")
	}
	for i := range ticks {
		if ticks[i], err = strconv.ParseFloat(fields[1+i], 64); err != nil {
			return ticks, fmt.Errorf("load: /proc/stat: %w", err)
		}
	}
	return ticks, nil
}
