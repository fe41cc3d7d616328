package app

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"poststelle/internal/fault"
)

// csvList is a list that somebody gives to a command. Columns are found by name;
// comma and semicolon both separate, and a byte order mark is allowed, because
// spreadsheets write them so. Every fault names its line.
type csvList struct {
	r  *csv.Reader
	at map[string]int // where each column stands
}

// readList reads the head of a list. The first needed of the columns must be
// there.
func readList(in io.Reader, columns []string, needed int) (*csvList, error) {
	raw, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("the list is not UTF-8: save it again with that encoding: %w", fault.Invalid)
	}
	r := csv.NewReader(bytes.NewReader(raw))
	r.TrimLeadingSpace = true
	head, _, _ := bytes.Cut(raw, []byte("\n"))
	if bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")) {
		r.Comma = ';'
	}
	names, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the list has no first line with the names of its columns: %w", err)
	}
	at, err := findColumns(names, columns, needed)
	return &csvList{r, at}, err
}

// next returns a line as a function from the name of a column to its value, and
// the line's number; io.EOF at the end.
func (l *csvList) next() (get func(name string) string, line int, err error) {
	row, err := l.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, 0, io.EOF
	}
	if err != nil {
		return nil, 0, fmt.Errorf("the list: %w", err) // csv names the line
	}
	line, _ = l.r.FieldPos(0)
	return func(name string) string {
		if i, ok := l.at[name]; ok && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}, line, nil
}

// findColumns returns where each column stands. A name that is not known is
// refused, because it is a known one misspelt more often than not.
func findColumns(names, columns []string, needed int) (map[string]int, error) {
	at := map[string]int{}
	for i, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if !slices.Contains(columns, n) {
			return nil, fmt.Errorf("the list has a column %q; known are %s: %w", n, strings.Join(columns, ", "), fault.Invalid)
		}
		if _, twice := at[n]; twice {
			return nil, fmt.Errorf("the list has two columns %q: %w", n, fault.Invalid)
		}
		at[n] = i
	}
	for _, need := range columns[:needed] {
		if _, ok := at[need]; !ok {
			return nil, fmt.Errorf("the list has no column %q: %w", need, fault.Invalid)
		}
	}
	return at, nil
}
