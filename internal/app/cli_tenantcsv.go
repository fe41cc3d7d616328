package app

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

// tenantColumns are those of the list of tenant add; the first four must be there.
var tenantColumns = []string{"id", "name", "ars", "host", "street", "postcode", "place", "phone", "email"}

const neededTenantColumns = 4

// readTenants reads the list of tenant add --from-csv.
func readTenants(in io.Reader, profile tenant.Profile) ([]tenant.Tenant, error) {
	rows, err := readList(in, tenantColumns, neededTenantColumns)
	if err != nil {
		return nil, err
	}
	var list []tenant.Tenant
	seen := map[string]int{}
	for {
		get, line, err := rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		t := tenantOf(get, profile)
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

func tenantOf(get func(string) string, profile tenant.Profile) tenant.Tenant {
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
