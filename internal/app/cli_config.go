package app

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// configFile is the value of --config: a JSON object whose names are those of
// the flags of serve, without the leading hyphens. What counts is, in this
// order: the flag, the environment, the file, the default.
//
// kong's own loader takes a misspelt name for nothing and lets the file win
// over the environment; this one does neither.
type configFile string

// secretSettings may stand only in a file that not everybody can read.
var secretSettings = []string{"database", "session-store", "smtp-password"}

// BeforeResolve reads the file; kong calls it when the flag is given.
func (configFile) BeforeResolve(k *kong.Kong, ctx *kong.Context, trace *kong.Path) error {
	name := string(ctx.FlagValue(trace.Flag).(configFile))
	values, err := readConfig(name, settings(k.Model))
	if err != nil {
		return err
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, env := range flag.Envs {
			if _, ok := os.LookupEnv(env); ok {
				return nil, nil
			}
		}
		return values[flag.Name], nil
	}))
	return nil
}

// settings are the names that a file may hold.
func settings(m *kong.Application) []string {
	var out []string
	for _, n := range m.Children {
		if n.Name != "serve" {
			continue
		}
		for _, f := range n.Flags {
			out = append(out, f.Name)
		}
	}
	return out
}

func readConfig(name string, known []string) (map[string]any, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("--config: %s: not a JSON object: %w", name, err)
	}
	for key, value := range values {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("--config: %s: unknown setting %q; known are %s", name, key, strings.Join(known, ", "))
		}
		if value == nil {
			return nil, fmt.Errorf("--config: %s: setting %q has no value", name, key)
		}
		if slices.Contains(secretSettings, key) {
			if err := checkSecretFile(name); err != nil {
				return nil, fmt.Errorf("--config: %w; it holds %q", err, key)
			}
		}
	}
	return values, nil
}

// checkSecretFile refuses a file with a secret that every user of the machine
// can read or change. A group may: that is how certificates are shared.
func checkSecretFile(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if perm := info.Mode().Perm(); perm&0o007 != 0 {
		return fmt.Errorf("%s may be read by everybody (mode %04o); make it 0600 or 0640", name, perm)
	}
	return nil
}
