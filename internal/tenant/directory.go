package tenant

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"poststelle/internal/db"
)

// Directory answers who a host belongs to and what a tenant offers, from
// memory. The tenants it hands out are shared and must not be changed.
type Directory struct {
	db   *db.DB
	log  *slog.Logger
	snap atomic.Pointer[snapshot]
}

// NewDirectory reads the directory once. It starts nothing: Run keeps it fresh.
func NewDirectory(ctx context.Context, d *db.DB, log *slog.Logger) (*Directory, error) {
	dir := &Directory{db: d, log: log}
	if err := dir.Refresh(ctx); err != nil {
		return nil, err
	}
	return dir, nil
}

// Refresh reads the tables again if another revision is stored there.
func (d *Directory) Refresh(ctx context.Context) error {
	err := d.db.View(ctx, func(tx *db.Tx) error {
		if old := d.snap.Load(); old != nil {
			n, err := revision(ctx, tx)
			if err != nil || n == old.revision {
				return err
			}
		}
		s, err := load(ctx, tx)
		if err != nil {
			return err
		}
		d.snap.Store(s)
		return nil
	})
	if err != nil {
		return fmt.Errorf("tenant: read directory: %w", err)
	}
	return nil
}

// Run refreshes the directory every two seconds until ctx ends, so that a
// tenant or system message added by another process appears. A database that
// is away leaves the last snapshot in use.
func (d *Directory) Run(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.Refresh(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("directory not refreshed", "error", err)
			}
		}
	}
}

// ByHost returns the tenant of a Host header, with or without port.
func (d *Directory) ByHost(host string) (*Tenant, bool) {
	t, ok := d.snap.Load().byHost[NormalHost(host)]
	return t, ok
}

// ByID returns the tenant with the id.
func (d *Directory) ByID(id ID) (*Tenant, bool) {
	t, ok := d.snap.Load().byID[id]
	return t, ok
}

// All returns every tenant, authorities first, in the order of their creation.
func (d *Directory) All() []*Tenant { return slices.Clone(d.snap.Load().tenants) }

// Banners returns the system messages to show to a tenant's visitors at now,
// newest first.
func (d *Directory) Banners(id ID, now time.Time) []Banner {
	var out []Banner
	for _, b := range d.snap.Load().banners {
		if (b.Tenant == "" || b.Tenant == id) && !b.From.After(now) && (b.Until.IsZero() || b.Until.After(now)) {
			out = append(out, b)
		}
	}
	return out
}

// AllBanners returns every system message that has not ended, planned ones
// included.
func (d *Directory) AllBanners() []Banner { return slices.Clone(d.snap.Load().banners) }

// Find returns the authorities whose place, name or postcode begins with or
// contains the words of query, best first, at most limit. An empty query finds
// nothing.
func (d *Directory) Find(query string, limit int) []*Tenant {
	query = fold(query)
	if query == "" {
		return nil
	}
	type hit struct {
		t    *Tenant
		rank int
	}
	var hits []hit
	for _, t := range d.snap.Load().tenants {
		if t.Kind != Authority {
			continue
		}
		place, name := fold(t.Address.Place), fold(t.Name)
		switch {
		case place == query || name == query || t.Address.Postcode == query:
			hits = append(hits, hit{t, 0})
		case strings.HasPrefix(place, query) || strings.HasPrefix(t.Address.Postcode, query):
			hits = append(hits, hit{t, 1})
		case strings.Contains(name, query):
			hits = append(hits, hit{t, 2})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.t.Address.Place, b.t.Address.Place), cmp.Compare(a.t.ID, b.t.ID))
	})
	out := make([]*Tenant, 0, min(limit, len(hits)))
	for _, h := range hits[:min(limit, len(hits))] {
		out = append(out, h.t)
	}
	return out
}

// fold makes names comparable: lower case, umlauts spelled out, one space.
func fold(s string) string {
	s = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss").Replace(strings.ToLower(s))
	return strings.Join(strings.Fields(s), " ")
}
