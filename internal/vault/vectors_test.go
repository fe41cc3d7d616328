package vault_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"poststelle/internal/seal"
	"poststelle/internal/vault"
)

// vaultVector is one entry of testdata/vectors.json, which was written from docs/format.md section 9 without this package's code.
type vaultVector struct {
	Name, Kind string
	Valid      bool

	Plain   string // box
	Record  byte
	K, T    string
	Lookup  string
	Wrapped string
	Account string

	What   string // ad
	Fields []string
	Out    string

	Private string // evidence
	Sealed  string
}

func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors.json")
	must(t, err)
	var all []vaultVector
	must(t, json.Unmarshal(raw, &all))
	seen := map[string]int{}
	for _, v := range all {
		seen[v.Kind]++
		switch v.Kind {
		case "box":
			checkBox(t, v)
		case "ad":
			if got := hex.EncodeToString([]byte(vault.AD(v.What, v.Fields))); got != v.Out {
				t.Errorf("%s: ad = %s, want %s", v.Name, got, v.Out)
			}
		case "evidence":
			checkEvidence(t, v)
		default:
			t.Errorf("%s: unknown kind %q", v.Name, v.Kind)
		}
	}
	if seen["box"] < 10 || seen["ad"] < 8 || seen["evidence"] < 7 {
		t.Errorf("vectors = %v, some are missing", seen)
	}
}

func checkBox(t *testing.T, v vaultVector) {
	t.Helper()
	plain := got(hex.DecodeString(v.Plain))(t)
	k, first, ok := vault.BoxParts(plain)
	if ok != v.Valid {
		t.Errorf("%s: read = %v, want %v", v.Name, ok, v.Valid)
	}
	if !ok || !v.Valid {
		return
	}
	is := func(name string, got []byte, want string) {
		t.Helper()
		if hex.EncodeToString(got) != want {
			t.Errorf("%s: %s = %x, want %s", v.Name, name, got, want)
		}
	}
	is("k", k[:], v.K)
	if (first == nil) != (v.Record == 2) {
		t.Fatalf("%s: first = %v", v.Name, first)
	}
	if first != nil {
		is("t", first.T[:], v.T)
		is("lookup", first.LookupID, v.Lookup)
		is("wrapped", first.Wrapped, v.Wrapped)
		if first.Account != v.Account {
			t.Errorf("%s: account = %q, want %q", v.Name, first.Account, v.Account)
		}
	}
	if back, ok := vault.DecodeBox(plain); !ok || !bytes.Equal(back, plain) {
		t.Errorf("%s: does not come back as it was", v.Name)
	}
}

func checkEvidence(t *testing.T, v vaultVector) {
	t.Helper()
	private := got(seal.ParsePrivate(got(hex.DecodeString(v.Private))(t)))(t)
	plain, err := private.OpenBox(got(hex.DecodeString(v.Sealed))(t), []byte(vault.AD("evidence", v.Fields)))
	if (err == nil) != v.Valid || hex.EncodeToString(plain) != v.Out {
		t.Errorf("%s: opened %x, %v, want %s", v.Name, plain, err, v.Out)
	}
}
