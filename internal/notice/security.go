package notice

import (
	"io"
	"net/http"
	"net/mail"
	"strings"
	"time"

	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// validFor is how long a copy of security.txt may be relied upon. RFC 9116
// recommends less than a year.
const validFor = 180 * 24 * time.Hour

// getSecurity answers with security.txt (RFC 9116). It expires some time after
// it was fetched, because it is made from the directory each time.
func (n *Notice) getSecurity(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, securityTxt(t, web.SiteOf(r.Context()).Origin, n.Now())) // a peer that is gone needs no answer
	return nil
}

func securityTxt(t *tenant.Tenant, origin string, now time.Time) string {
	// An entry that is no plain address could add a field of its own.
	contact := origin + "/impressum"
	if a, err := mail.ParseAddress(t.Address.Email); err == nil && a.Address == t.Address.Email && !strings.ContainsAny(a.Address, " %?#\"") {
		contact = "mailto:" + a.Address
	}
	return "Contact: " + contact + "\n" +
		"Expires: " + now.UTC().Truncate(24*time.Hour).Add(validFor).Format(time.RFC3339) + "\n" +
		"Preferred-Languages: de, en\n" +
		"Canonical: " + origin + "/.well-known/security.txt\n"
}
