package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"poststelle/internal/fault"
)

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// Fatal marks err as one that another attempt would not cure: the job becomes
// a dead letter at once. Fatal(nil) is nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

// The errors that the queue itself finds.
var (
	errPanic     = errors.New("jobs: handler panicked")
	errAbandoned = errors.New("jobs: attempts used up by workers that never came back")
	errLostLease = errors.New("jobs: lease lost")
)

// classify reduces an error to what may be stored: a code from a closed list,
// and a class, which is an i18n key or the Go type of the innermost error.
// Both are words of our source, never words of a person; the text of an error
// may repeat what somebody typed.
func classify(err error) (code, class string) {
	switch {
	case errors.Is(err, errPanic):
		return "panic", ""
	case errors.Is(err, errAbandoned):
		return "abandoned", ""
	case errors.Is(err, context.DeadlineExceeded):
		code = "timeout"
	case errors.Is(err, context.Canceled):
		code = "canceled"
	default:
		code = strings.ReplaceAll(fault.KindOf(err).Error(), " ", "-")
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && plain(e.Key, 1, 80) {
		return code, e.Key
	}
	return code, words(fmt.Sprintf("%T", innermost(err)))
}

func innermost(err error) error {
	for {
		var next error
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				next = all[0]
			}
		}
		if next == nil {
			return err
		}
		err = next
	}
}

// words keeps the characters of a Go type name.
func words(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '*' || r == '/' || r < 128 && plain(string(r), 1, 1) {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 80)]
}
