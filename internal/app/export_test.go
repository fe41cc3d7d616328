package app

import (
	"io"

	"poststelle/internal/tenant"
)

// ReadTenants reads the list of --from-csv.
func ReadTenants(in io.Reader) ([]tenant.Tenant, error) { return readTenants(in, tenant.Streng) }

// Received reads a command from the control socket and reports whether it was
// taken.
func Received(name string, values []byte) bool {
	_, err := received(name, values)
	return err == nil
}
