package app_test

import (
	"log/slog"
	"testing"
	"time"

	"poststelle/internal/app"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
)

// BenchmarkDeliver measures a letter from the sealed parts to the durable
// commit, with receipt and journal, at 64 callers.
func BenchmarkDeliver(b *testing.B) {
	ctx := b.Context()
	a, err := app.Open(ctx, app.Config{Data: b.TempDir(), Light: true, Log: slog.New(slog.DiscardHandler), Now: time.Now}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	if err := a.AddTenants(ctx, []tenant.Tenant{{ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage,
		Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{"localhost"}}}); err != nil {
		b.Fatal(err)
	}
	t, _ := a.Directory.ByID("musterstadt")
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := a.Mailboxes.Deliver(ctx, t, mailbox.Letter{Mailbox: "poststelle", Topic: "allgemein", Subject: "Laterne", Body: "Die Laterne in der Lindenstraße ist seit Tagen dunkel.", Reply: "code"})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
