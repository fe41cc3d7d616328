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
	"poststelle/internal/tenant"
)

// columns are those of the list of --from-csv; the first four must be there.
var columns = []string{"id", "name", "ars", "host", "street", "postcode", "place", "phone", "email"}

const neededColumns = 4

// readTenants reads the list of --from-csv. Columns are found by name; comma
// and semicolon both separate, and a byte order mark is allowed, because
// spreadsheets write them so. Every fault names its line.
func readTenants(in io.Reader, profile tenant.Profile) ([]tenant.Tenant, error) {
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
	at, err := findColumns(names)
	if err != nil {
		return nil, err
	}
	var list []tenant.Tenant
	seen := map[string]int{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the list: %w", err) // csv names the line
		}
		line, _ := r.FieldPos(0)
		t := tenantOf(row, at, profile)
		if err := tenant.Check(t); err != nil {
			return nil, &lineError{line, err}
		}
		for _, word := range append([]string{"id " + string(t.ID)}, hostWords(t)...) {
			if first, ok := seen[word]; ok {
				return nil, &lineError{line, plain(fault.Conflict, "%s stands in line %d already", word, first)}
			}
			seen[word] = line
		}
		list = append(list, t)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the list names no authority: %w", fault.Invalid)
	}
	return list, nil
}

// findColumns returns where each column stands. A name that is not known is
// refused, because it is a known one misspelt more often than not.
func findColumns(names []string) (map[string]int, error) {
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
	for _, need := range columns[:neededColumns] {
		if _, ok := at[need]; !ok {
			return nil, fmt.Errorf("the list has no column %q: %w", need, fault.Invalid)
		}
	}
	return at, nil
}

func tenantOf(row []string, at map[string]int, profile tenant.Profile) tenant.Tenant {
	get := func(name string) string {
		if i, ok := at[name]; ok && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	return tenant.Tenant{
		ID: tenant.ID(get("id")), Kind: tenant.Authority, Profile: profile, Name: get("name"), ARS: get("ars"),
		Hosts: normalHosts(strings.Fields(get("host"))),
		Address: tenant.Address{
			Street: get("street"), Postcode: get("postcode"), Place: get("place"), Phone: get("phone"), Email: get("email"),
		},
	}
}

func hostWords(t tenant.Tenant) []string {
	words := make([]string, 0, len(t.Hosts))
	for _, h := range t.Hosts {
		words = append(words, "host "+h)
	}
	return words
}

// unused makes sure that no tenant of the list exists, before keys are made for
// any.
func unused(d *tenant.Directory, list []tenant.Tenant) error {
	for _, t := range list {
		if _, ok := d.ByID(t.ID); ok {
			return plain(fault.Conflict, "tenant %q exists already; nothing was added", t.ID)
		}
		for _, h := range t.Hosts {
			if other, ok := d.ByHost(h); ok {
				return plain(fault.Conflict, "host %q of %q belongs to tenant %q; nothing was added", h, t.ID, other.ID)
			}
		}
	}
	return nil
}
