package app

import (
	"context"
	"errors"
	"fmt"

	"poststelle/internal/tenant"
)

// moduleFlags name a module of a tenant.
type moduleFlags struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
	Name   string `arg:"" enum:"blog,newsletter,members" help:"blog, newsletter or members."`
}

func (c *moduleFlags) set(ctx context.Context, a *App, s Streams, on bool) error {
	err := tenant.SetModule(ctx, a.DB, tenant.ID(c.Tenant), tenant.Module(c.Name), on)
	if err != nil {
		return absent(err, noTenant, c.Tenant)
	}
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	if err := errors.Join(a.Newsletter.Prepare(ctx), a.Blog.Prepare(ctx)); err != nil {
		return err
	}
	state := "off"
	if on {
		state = "on"
	}
	_, err = fmt.Fprintf(s.Out, "%s of %s is %s\n", c.Name, c.Tenant, state)
	return err
}

type moduleOn struct{ moduleFlags }

// Help shows examples below the flags.
func (*moduleOn) Help() string {
	return examples(`poststelle tenant module on --tenant musterstadt newsletter`)
}

func (c *moduleOn) open(ctx context.Context, a *App, s Streams) error { return c.set(ctx, a, s, true) }

type moduleOff struct{ moduleFlags }

// Help shows examples below the flags.
func (*moduleOff) Help() string {
	return "Its pages are gone at once; what it keeps stays until its own periods end.\n\n" +
		examples(`poststelle tenant module off --tenant musterstadt newsletter`)
}

func (c *moduleOff) open(ctx context.Context, a *App, s Streams) error {
	return c.set(ctx, a, s, false)
}
