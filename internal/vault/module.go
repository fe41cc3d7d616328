package vault

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// ModuleService hands out the keys of the website's modules.
type ModuleService interface {
	// ModuleKey returns the key of a module of a tenant, "newsletter" say, and makes it when there is none. It is for the service
	// "website" alone (fault.Denied for everybody else); a tenant that the vault does not know is fault.NotFound, a name that is
	// none fault.Invalid. What is sealed under it can be read by whoever runs the website: it protects the database, its backups
	// and its dumps, not against the process that needs the data. The first hand-out of each key is audited once per opened vault.
	ModuleKey(ctx context.Context, token, tenant, module string) (seal.Key, error)
}

// actionModule is the audited hand-out of a module's key; its object is the module.
const actionModule = "module.key"

var moduleForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,39}$`)

func moduleAD(tenant, module string) string { return canonical("module", tenant, module) }

// ModuleKey is that of ModuleService.
func (v *Vault) ModuleKey(ctx context.Context, token, tenant, module string) (seal.Key, error) {
	g, err := v.service(token, ServiceWebsite)
	if err == nil && !moduleForm.MatchString(module) {
		err = fault.Invalid
	}
	if err != nil {
		return seal.Key{}, fmt.Errorf("vault: key of module: %w", err)
	}
	var wrapped []byte
	read := func(tx *db.Tx) (err error) {
		wrapped, err = selectModule(ctx, tx, tenant, module)
		return err
	}
	id := rowID{tenant, module}
	if _, again := v.handed.Load(id); again {
		err = v.view(ctx, "module key", read)
	} else {
		err = v.update(ctx, "module key", func(tx *db.Tx) error {
			tx.AfterCommit(func() { v.handed.Store(id, true) })
			err := read(tx)
			if errors.Is(err, fault.NotFound) {
				wrapped, err = v.newModule(ctx, tx, tenant, module)
			}
			if err != nil {
				return err
			}
			return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionModule, object: module, items: 1})
		})
	}
	if err != nil {
		return seal.Key{}, err
	}
	k, err := seal.Unwrap(v.keys.module, wrapped, moduleAD(tenant, module))
	if err != nil {
		return seal.Key{}, fmt.Errorf("vault: key of module %s of %s: %w", module, tenant, err)
	}
	return k, nil
}

func (v *Vault) newModule(ctx context.Context, tx *db.Tx, tenant, module string) ([]byte, error) {
	if err := tenantExists(ctx, tx, tenant); err != nil {
		return nil, err
	}
	wrapped := seal.Wrap(v.keys.module, seal.NewKey(), moduleAD(tenant, module))
	_, err := tx.Exec(ctx, `
		insert into vault_modules (tenant, module, key_wrapped, created_at)
		values ($1, $2, $3, $4)`, tenant, module, wrapped, db.Millis(tx.Now))
	return wrapped, err
}

func selectModule(ctx context.Context, tx *db.Tx, tenant, module string) (wrapped []byte, err error) {
	err = tx.QueryRow(ctx, `
		select key_wrapped
		from vault_modules
		where tenant = $1 and module = $2`, tenant, module).Scan(&wrapped)
	return wrapped, err
}
