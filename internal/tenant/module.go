package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// SetModule switches a module of a tenant on or off. What the module keeps stays
// until its own periods end; its pages and its part of the notice come and go
// with the switch. It may be repeated. An unknown tenant is fault.NotFound, a
// name that is no module fault.Invalid.
func SetModule(ctx context.Context, d *db.DB, id ID, m Module, on bool) error {
	if !slices.Contains(Modules(), m) {
		return fmt.Errorf("tenant: module: %w", fault.Fields(fault.Field{Name: "module", Key: "tenant.error.module"}))
	}
	err := d.Update(ctx, func(tx *db.Tx) error {
		var text string
		if err := tx.QueryRow(ctx, `select modules from tenant_tenants where id = $1`, string(id)).Scan(&text); err != nil {
			return err
		}
		var now []Module
		for _, known := range Modules() {
			if has := slices.Contains(strings.Fields(text), string(known)); has && known != m || known == m && on {
				now = append(now, known)
			}
		}
		if _, err := tx.Exec(ctx, `update tenant_tenants set modules = $2 where id = $1`, string(id), joinModules(now)); err != nil {
			return err
		}
		action := "module.off"
		if on {
			action = "module.on"
		}
		if err := record(ctx, tx, id, action, string(m), nil); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tenant: module %s of %s: %w", m, id, err)
	}
	return nil
}

func joinModules(all []Module) string {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = string(m)
	}
	return strings.Join(names, " ")
}
