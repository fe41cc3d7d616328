package app

import (
	"errors"
	"fmt"

	"poststelle/internal/fault"
)

// plainError is a sentence for the person at the console, with nothing around
// it: neither the packages that it came through nor the words of a database.
type plainError struct {
	kind fault.Kind
	text string
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.kind }

// plain returns an error of a kind that prints as one sentence.
func plain(kind fault.Kind, format string, args ...any) error {
	return &plainError{kind, fmt.Sprintf(format, args...)}
}

// taken puts a sentence in the place of a Conflict, which is what both databases
// call a value that must not stand twice. Other errors stay.
func taken(err error, format string, args ...any) error {
	if errors.Is(err, fault.Conflict) {
		return plain(fault.Conflict, format, args...)
	}
	return err
}

// twice returns the first word that stands in the list twice, "" for none.
func twice(words []string) string {
	seen := map[string]bool{}
	for _, w := range words {
		if seen[w] {
			return w
		}
		seen[w] = true
	}
	return ""
}
