package inbound

import (
	"bytes"
	"time"
)

// growth is how much memory a mail takes at once.
const growth = 256 << 10

// maxDrained is how much of a mail that is too large is read before the
// connection ends, as a multiple of the limit.
const maxDrained = 4

// body reads a mail up to the line with a single dot, and undoes the doubling of
// dots. A CR without LF, or an LF without CR, is errBare wherever it stands. What
// it returns is counted in the gate with its capacity, after an error too.
func (k *conn) body() (out []byte, err error) {
	end := k.s.Now().Add(k.s.Limits.DataTimeout)
	limit := k.s.Limits.MaxSize
	var refused error
	var read int64
	d := dots{state: lineBegin}
	stopping := false
	for {
		deadline := k.s.Now().Add(k.s.Limits.CommandTimeout)
		if deadline.After(end) {
			deadline = end
		}
		_ = k.c.SetReadDeadline(deadline)
		if k.ctx.Err() != nil && !stopping { // only so long for a mail that is on its way
			stopping, end = true, earlier(end, k.s.Now().Add(drainTime))
			continue
		}
		if _, err := k.r.Peek(1); err != nil {
			if k.ctx.Err() != nil && !stopping { // the server was just asked to stop
				continue
			}
			return out, err
		}
		chunk, _ := k.r.Peek(k.r.Buffered())
		if refused == nil && cap(out)-len(out) < len(chunk) {
			if out, refused = k.room(out, len(chunk), limit); refused != nil {
				out = out[:0]
			}
		}
		used, done, err := d.take(chunk, func(b []byte) {
			if refused == nil {
				out = append(out, b...)
			}
		})
		if err != nil {
			return out, err
		}
		_, _ = k.r.Discard(used)
		read += int64(used)
		if refused == nil && int64(len(out)) > limit {
			refused, out = errBig, out[:0]
		}
		if done {
			return out, refused
		}
		if read > maxDrained*limit {
			return out, errBig
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// room makes place for n more bytes, counted before it is taken.
func (k *conn) room(out []byte, n int, limit int64) ([]byte, error) {
	if int64(len(out)+n) > limit+growth {
		return out, errBig
	}
	size := max(2*cap(out), len(out)+n, growth)
	if !k.s.gate.grow(int64(size), k.s.Limits.Memory) {
		return out, errFull
	}
	next := make([]byte, len(out), size)
	copy(next, out)
	k.s.gate.shrink(int64(cap(out)))
	return next, nil
}

// dots reads the lines of a mail (RFC 5321, 4.5.2).
type dots struct{ state lineState }

type lineState uint8

const (
	lineBegin lineState = iota // at the beginning of a line
	lineDot                    // behind a dot at the beginning of a line
	lineDotCR                  // behind a dot and a CR there
	lineCR                     // behind a CR
	lineText                   // inside a line
)

// take goes through a chunk and hands out what belongs to the mail. It returns how
// much was used and whether the mail is at its end.
func (d *dots) take(chunk []byte, emit func([]byte)) (used int, done bool, err error) {
	for i := 0; i < len(chunk); {
		switch d.state {
		case lineBegin:
			if chunk[i] == '.' {
				d.state = lineDot
				i++ // the dot is doubled, or ends the mail
				continue
			}
			d.state = lineText
		case lineDot:
			if chunk[i] == '\r' {
				d.state = lineDotCR
				i++
				continue
			}
			d.state = lineText
		case lineDotCR:
			if chunk[i] != '\n' {
				return i, false, errBare
			}
			return i + 1, true, nil
		case lineCR:
			if chunk[i] != '\n' {
				return i, false, errBare
			}
			emit(chunk[i : i+1])
			d.state = lineBegin
			i++
		case lineText:
			n := bytes.IndexAny(chunk[i:], "\r\n")
			if n < 0 {
				emit(chunk[i:])
				return len(chunk), false, nil
			}
			if chunk[i+n] == '\n' {
				return i, false, errBare
			}
			emit(chunk[i : i+n+1])
			d.state = lineCR
			i += n + 1
		}
	}
	return len(chunk), false, nil
}
