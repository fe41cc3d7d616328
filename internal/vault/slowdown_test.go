package vault_test

import (
	"strconv"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// TestSignIn_ManyNetworks guesses from a new network each time, so that no count of one network is ever reached: one login's
// password first, then the passwords of all logins of the authority. Owners come in from where they came in before.
func TestSignIn_ManyNetworks(t *testing.T) {
	w := newWorld(t)
	owner := vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau"), Origin: "home"}
	got(w.SignIn(t.Context(), owner))(t)
	network := 0
	guess := func(login string) (tried bool) {
		t.Helper()
		network++
		_, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: login, Password: "Sommer2026!", Origin: "bot " + strconv.Itoa(network)})
		if fault.KindOf(err) == fault.TooMany {
			return false
		}
		wantErr(t, err, fault.Denied)
		return true
	}
	hour := func(login func(n int) string) (tried int) {
		for n := range 3600 {
			w.clock.add(time.Second)
			if guess(login(n)) {
				tried++
			}
		}
		return tried
	}
	// One account: fifteen, then one each ten seconds at most.
	if tried := hour(func(int) string { return "bau" }); tried > 400 {
		t.Errorf("%d guesses in an hour at one login, want about one in ten seconds", tried)
	}
	got(w.SignIn(t.Context(), owner))(t)
	stranger := owner
	stranger.Origin = "hotel"
	if _, err := w.SignIn(t.Context(), stranger); err != nil {
		wantErr(t, err, fault.TooMany) // from a new network the owner waits, seconds
		w.clock.add(10 * time.Second)
		got(w.SignIn(t.Context(), stranger))(t)
	}

	// The whole authority, ten guesses a second.
	tried := 0
	for n := range 6000 {
		if n%10 == 0 {
			w.clock.add(time.Second)
		}
		if guess("person" + strconv.Itoa(n)) {
			tried++
		}
	}
	if tried > 1000 {
		t.Errorf("%d of 6000 guesses in ten minutes got through, want 300 and about one a second", tried)
	}
	got(w.SignIn(t.Context(), owner))(t)

	// Another authority does not notice.
	_, err := w.SignIn(t.Context(), vault.Proof{Tenant: other, Login: "nobody", Password: "Sommer2026!", Origin: "elsewhere"})
	wantErr(t, err, fault.Denied)
}

// TestSignIn_OwnersNetwork: somebody in the owner's own network fails without end. The owner still comes in; whoever guesses the
// passwords of all who work there gets two tries each.
func TestSignIn_OwnersNetwork(t *testing.T) {
	w := newWorld(t)
	sign := func(login, password string) error {
		_, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: login, Password: password, Origin: "rathaus"})
		return err
	}
	must(t, sign("bau", vaulttest.Password("bau")))
	for n := range 40 {
		_ = sign("nobody"+strconv.Itoa(n), "Sommer2026!")
	}
	wantErr(t, sign("nobody", "Sommer2026!"), fault.TooMany)
	wantErr(t, sign("ord", vaulttest.Password("ord")), fault.TooMany) // never came in from there
	must(t, sign("bau", vaulttest.Password("bau")))
	wantErr(t, sign("bau", "Sommer2026!"), fault.Denied)
	wantErr(t, sign("bau", "Winter2026!"), fault.Denied)
	wantErr(t, sign("bau", "Herbst2026!"), fault.TooMany)
}
