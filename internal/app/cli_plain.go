package app

import (
	"errors"
	"fmt"

	"poststelle/internal/fault"
	"poststelle/internal/tenant"
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

// absent does the same for a NotFound.
func absent(err error, format string, args ...any) error {
	if errors.Is(err, fault.NotFound) {
		return plain(fault.NotFound, format, args...)
	}
	return err
}

// noTenant is the sentence for a short name that nobody has.
const noTenant = "there is no tenant %q"

// tenant finds a tenant by its short name.
func (a *App) tenant(id string) (*tenant.Tenant, error) {
	t, ok := a.Directory.ByID(tenant.ID(id))
	if !ok {
		return nil, plain(fault.NotFound, noTenant, id)
	}
	return t, nil
}

// tenants are the one of a short name, or all for "".
func (a *App) tenants(id string) ([]*tenant.Tenant, error) {
	if id == "" {
		return a.Directory.All(), nil
	}
	t, err := a.tenant(id)
	return []*tenant.Tenant{t}, err
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
