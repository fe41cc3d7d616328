package arch_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// rule says what a package of this module may import of this module.
type rule struct {
	may     []string // packages below internal/, or "*" for all
	planned string   // why the package does not stand yet; must be empty once it does
}

// The layers, from below. A package may import what its rule names and nothing else.
var (
	types      = []string{"fault", "personal", "seal"}
	floor      = append([]string{"db", "i18n", "web", "web/ui", "web/assets", "jobs", "blob", "mail", "vault", "journal", "privacy", "markdown"}, types...)
	foundation = append([]string{"tenant", "account"}, floor...)
	everything = []string{"*"}
)

// rules is the dependency diagram of ARCHITECTURE.md. Every package needs a line here; a line needs its package, or the
// reason why that is still to come.
var rules = map[string]rule{
	"cmd/poststelle": {may: []string{"app"}},
	"app":            {may: everything},

	"fault":                 {},
	"personal":              {may: []string{"fault"}},
	"seal":                  {},
	"markdown":              {},
	"db":                    {may: types},
	"db/dbtest":             {may: append([]string{"db"}, types...)},
	"i18n":                  {may: []string{"fault"}},
	"web/assets":            {},
	"web":                   {may: []string{"web/ui", "web/assets", "i18n", "personal", "fault"}},
	"web/valkey":            {may: []string{"web", "seal", "fault"}},
	"web/ui":                {may: []string{"web/assets", "i18n", "personal", "fault"}},
	"web/valkey/valkeytest": {},
	"web/webtest":           {may: []string{"web", "web/ui", "i18n", "fault"}},
	"jobs":                  {may: append([]string{"db"}, types...)},
	"blob":                  {may: append([]string{"jobs", "db"}, types...)},
	"blob/blobtest":         {may: append([]string{"blob", "jobs", "db"}, types...)},
	"mail":                  {may: append([]string{"jobs", "db", "i18n"}, types...)},
	"mail/mailtest":         {may: []string{"mail"}},
	"vault":                 {may: append([]string{"jobs", "db"}, types...)},
	"vault/vaulttest":       {may: append([]string{"vault", "db"}, types...)},
	"journal":               {may: append([]string{"jobs", "db"}, types...)},
	"privacy":               {may: append([]string{"journal", "blob", "vault", "jobs", "db"}, types...), planned: "the engine over the declarations"},

	"tenant":  {may: floor},
	"account": {may: append([]string{"tenant"}, floor...)},

	"mailbox":    {may: foundation},
	"accesslog":  {may: foundation},
	"notice":     {may: foundation},
	"rights":     {may: foundation, planned: "requests of data subjects"},
	"inbound":    {may: foundation},
	"newsletter": {may: foundation},
	"blog":       {may: foundation},
	"analytics":  {may: foundation, planned: "website services"},
	"media":      {may: foundation, planned: "website services"},

	"demo":   {may: append([]string{"mailbox", "accesslog", "blog", "newsletter"}, foundation...)},
	"load":   {may: append([]string{"mailbox", "accesslog", "blog", "newsletter", "demo"}, foundation...)},
	"probe":  {may: everything, planned: "probes against the running deployment"},
	"opener": {may: append([]string{"vault"}, types...), planned: "offline opener for recovery keys"},

	"arch": {},
	// The proofs drive the assembled program; the package holds tests and a comment alone.
	"proof": {may: everything},
}

// domains never import one another, whatever the map above says of them.
var domains = []string{"mailbox", "accesslog", "notice", "rights", "inbound", "newsletter", "blog", "analytics", "media"}

// helpers serve tests alone.
var helpers = []string{"db/dbtest", "blob/blobtest", "vault/vaulttest", "web/webtest", "web/valkey/valkeytest", "mail/mailtest"}

// owners are outside packages (with everything below them) that only some of our packages may use.
var owners = map[string]struct {
	who []string
	why string
}{
	"database/sql":                {[]string{"db", "db/dbtest"}, "domains see *db.Tx"},
	"github.com/jackc/pgx":        {[]string{"db", "db/dbtest"}, "domains see *db.Tx"},
	"modernc.org/sqlite":          {[]string{"db", "db/dbtest"}, "domains see *db.Tx"},
	"github.com/pressly/goose":    {[]string{"db"}, "domains hand over db.Migrations"},
	"net/smtp":                    {[]string{"mail"}, "only mail opens SMTP"},
	"github.com/wneessen/go-mail": {[]string{"mail"}, "only mail opens SMTP"},
	"github.com/emersion":         {[]string{"mail", "inbound"}, "only mail and inbound speak mail protocols"},
	"blitiri.com.ar/go/spf":       {[]string{"inbound"}, "incoming mail is checked in one place"},
	"github.com/gomodule/redigo":  {[]string{"web/valkey"}, "web knows a Store"},
	"crypto/hpke":                 {[]string{"seal"}, "one place for ciphers"},
	"crypto/cipher":               {[]string{"seal", "vault", "accesslog"}, "ciphers stand where formats are defined: letters, the vault's rows, log segments"},
	"crypto/aes":                  {[]string{"seal", "vault", "accesslog"}, "ciphers stand where formats are defined: letters, the vault's rows, log segments"},
	"golang.org/x/crypto":         {[]string{"vault"}, "password verifiers live in the vault"},
	"github.com/pquerna/otp":      {[]string{"vault"}, "sign-in verifiers live in the vault"},
	"github.com/go-webauthn":      {[]string{"vault"}, "sign-in verifiers live in the vault"},
	"html/template":               {[]string{"mail"}, "pages are templ components"},
	"text/template":               {nil, "text/template does not escape"},
	"os/exec":                     {[]string{"web/valkey/valkeytest"}, "the program starts no other program; a test starts its server"},
	"math/rand":                   {[]string{"db", "jobs", "load"}, "identifiers and keys come from crypto/rand; back-off and sample data need no secrecy"},
	"unsafe":                      {nil, "memory safety"},
	"plugin":                      {nil, "one binary"},
	"log":                         {[]string{"web"}, "log/slog with constant messages; net/http takes its error log in the old form"},
}

// short cuts "poststelle/internal/db" to "db" and "poststelle/cmd/x" to "cmd/x"; "" is not of this module.
func short(path string) string {
	if rest, ok := strings.CutPrefix(path, module+"/internal/"); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(path, module+"/"); ok {
		return rest
	}
	return ""
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// checkImports holds every package against the rules.
func checkImports(rules map[string]rule, all []pkg) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range all {
		name := short(p.ImportPath)
		seen[name] = true
		r, ok := rules[name]
		if !ok {
			out = append(out, name+": has no rule in internal/arch/imports_test.go")
			continue
		}
		if r.planned != "" {
			out = append(out, name+": stands now; remove the mark \"planned\" from its rule")
		}
		for _, imp := range p.Imports {
			out = append(out, checkImport(name, r, imp)...)
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			out = append(out, checkTestImport(name, r, imp)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if !seen[name] && rules[name].planned == "" {
			out = append(out, name+": has a rule but no package; remove the rule or say why the package is planned")
		}
	}
	return out
}

func checkImport(name string, r rule, imp string) []string {
	target := short(imp)
	if target == "" {
		for prefix, owner := range owners {
			// "log" owns itself, not log/slog; every other owner owns what lies below it, versions included.
			if imp == prefix || prefix != "log" && under(imp, prefix) {
				if !slices.Contains(owner.who, name) {
					return []string{name + ": imports " + imp + ": " + owner.why}
				}
			}
		}
		return nil
	}
	if name != "app" && name != "probe" && slices.Contains(domains, name) && slices.Contains(domains, target) {
		return []string{name + ": imports the domain " + target + ": ask for a function and let app join the two"}
	}
	if slices.Contains(helpers, target) && !slices.Contains(helpers, name) {
		return []string{name + ": imports the test helper " + target + " in the program"}
	}
	if slices.Contains(r.may, "*") || slices.Contains(r.may, target) {
		return nil
	}
	return []string{name + ": may not import " + target}
}

// checkTestImport is wider: tests of the floor may use the whole floor, every test the helpers; but a domain's test
// does not reach into another domain either.
func checkTestImport(name string, r rule, imp string) []string {
	target := short(imp)
	switch {
	case target == "", target == name, target == name+"/valkey", name == "arch", name == "app", name == "cmd/poststelle",
		slices.Contains(helpers, target), slices.Contains(floor, target),
		slices.Contains(r.may, "*"), slices.Contains(r.may, target):
		return nil
	}
	return []string{name + ": its tests may not import " + target}
}

func TestImports(t *testing.T) {
	report(t, checkImports(rules, packages(t)))
}

func TestImports_PlantedBreach(t *testing.T) {
	all := func(name string, imports ...string) []pkg {
		return []pkg{{ImportPath: module + "/internal/" + name, Imports: imports}}
	}
	only := func(name string) map[string]rule { return map[string]rule{name: rules[name]} }
	in := module + "/internal/"
	for _, c := range []struct {
		name, imports string
		words         []string
	}{
		{"db", in + "mailbox", []string{"db", "mailbox"}},
		{"web", in + "db", []string{"web", "db"}},
		{"mailbox", in + "accesslog", []string{"domain accesslog"}},
		{"mailbox", "database/sql", []string{"database/sql"}},
		{"mailbox", "github.com/jackc/pgx/v5/stdlib", []string{"pgx"}},
		{"account", "net/smtp", []string{"net/smtp"}},
		{"mailbox", "crypto/cipher", []string{"crypto/cipher"}},
		{"app", "os/exec", []string{"os/exec"}},
		{"web/ui", "text/template", []string{"text/template"}},
		{"mailbox", in + "db/dbtest", []string{"test helper"}},
		{"fault", in + "i18n", []string{"fault", "i18n"}},
	} {
		wantFinding(t, checkImports(only(c.name), all(c.name, c.imports)), c.words...)
	}
	wantNone(t, checkImports(only("mailbox"), all("mailbox", in+"db", in+"account", "net/http", "log/slog")))
	wantNone(t, checkImports(only("db"), all("db", "database/sql", "github.com/pressly/goose/v3")))

	wantFinding(t, checkImports(nil, all("surprise")), "surprise", "no rule")
	wantFinding(t, checkImports(map[string]rule{"gone": {}}, nil), "gone", "no package")
	wantNone(t, checkImports(map[string]rule{"later": {planned: "issue"}}, nil))
	wantFinding(t, checkImports(map[string]rule{"now": {planned: "issue"}}, all("now")), "now", "planned")

	breach := all("mailbox")
	breach[0].XTestImports = []string{in + "accesslog"}
	wantFinding(t, checkImports(only("mailbox"), breach), "tests", "accesslog")
}
