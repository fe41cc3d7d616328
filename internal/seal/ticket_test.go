package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"poststelle/internal/seal"
)

func TestTickets(t *testing.T) {
	k, other := seal.NewKey(), seal.NewKey()
	confirm := k.Tickets("confirm")
	for n := range 100 {
		plain := bytes.Repeat([]byte{byte(n)}, n)
		ticket := confirm.Seal(plain)
		if ticket != confirm.Seal(plain) {
			t.Fatal("the ticket of the same text differs")
		}
		got, err := confirm.Open(ticket)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("Open() = %x, %v, want %x", got, err, plain)
		}
		for name, wrong := range map[string]seal.Tickets{"another purpose": k.Tickets("manage"), "another key": other.Tickets("confirm")} {
			if _, err := wrong.Open(ticket); !errors.Is(err, seal.ErrForged) {
				t.Errorf("Open() for %s = %v, want ErrForged", name, err)
			}
		}
	}
	// Every character of a ticket counts.
	ticket := confirm.Seal([]byte("subscriber 1"))
	for i := range ticket {
		for _, c := range "AZaz09-_" {
			bad := ticket[:i] + string(c) + ticket[i+1:]
			if bad == ticket {
				continue
			}
			if got, err := confirm.Open(bad); err == nil {
				t.Errorf("character %d changed: Open() = %q", i, got)
			}
		}
	}
	if a, b := confirm.Seal([]byte("subscriber 1")), confirm.Seal([]byte("subscriber 2")); a[:8] == b[:8] {
		t.Error("two tickets have their beginning in common")
	}
	if s := fmt.Sprint(confirm); strings.Contains(s, "[") && s != "[secret]" {
		t.Errorf("Tickets print as %q", s)
	}
}

func FuzzOpenTicket(f *testing.F) {
	tickets := seal.Key{1}.Tickets("fuzz")
	f.Add("")
	f.Add(tickets.Seal([]byte("x")))
	f.Add(tickets.Seal(nil) + "=")
	f.Fuzz(func(t *testing.T, s string) {
		if plain, err := tickets.Open(s); err == nil && tickets.Seal(plain) != s {
			t.Errorf("Open(%q) succeeded, but Seal gives %q", s, tickets.Seal(plain))
		}
	})
}
