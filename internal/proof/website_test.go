package proof_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// What the other authority has on its website: an issue of its newsletter, whose
// number is 987654321, and a post with a picture, a comment and a report of it.
const (
	foreignIssue   = "AAAABBBBCCCCDDDDEEEEFFFF"
	foreignPost    = "POSTPOSTPOSTPOSTPOSTPOST22"
	foreignSlug    = "fremder-beitrag"
	foreignPicture = "PICTUREPICTUREPICTURE22222.png"
	foreignComment = "COMMENTCOMMENTCOMMENT22222"
	foreignCase    = "CASECASECASECASECASECASE22"
)

// modules switches all modules of all tenants on or off.
func (s *stage) modules(on bool) {
	s.t.Helper()
	for _, t := range s.Directory.All() {
		for _, m := range tenant.Modules() {
			must(s.t, tenant.SetModule(s.t.Context(), s.DB, t.ID, m, on))
		}
	}
	must(s.t, s.Directory.Refresh(s.t.Context()))
}

// publish switches the website of everybody on, and gives the other authority
// something of each kind.
func (s *stage) publish() {
	s.t.Helper()
	s.modules(true)
	must(s.t, errors.Join(s.Newsletter.Prepare(s.t.Context()), s.Blog.Prepare(s.t.Context())))
	must(s.t, s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		return website(s.t.Context(), tx)
	}))
	editor := s.person("beispielingen", beispielingen, "fremde-redaktion", account.Editor)
	grant, err := s.Vault.SignIn(s.t.Context(), vault.Proof{Tenant: "beispielingen", Login: editor.login, Password: editor.password})
	must(s.t, err)
	s.request, err = s.Vault.AskEvidence(s.t.Context(), grant.Token, "beispielingen", foreignComment, vault.EvidenceClaim, "Ein Anspruch.")
	must(s.t, err)
}

func website(ctx context.Context, tx *db.Tx) error {
	now := db.Millis(tx.Now)
	for _, row := range []struct {
		insert string
		args   []any
	}{
		{`
insert into newsletter_issues (tenant_id, id, number, state, lang, subject, body, categories, archived, author, version, changed_at, send_at,
  started_at, sent_at, cursor_id, sent, failed)
values ('beispielingen', $1, 987654321, 'sent', 'de', 'Fremdes', 'Fremder Text', '', $2, 'x', 1, $3, $3, $3, $3, '', 0, 0)`, []any{foreignIssue, true, now}},
		{`
insert into blog_posts (id, tenant_id, slug, title, summary, source, state, comments, moderated, close_days, author, publish_at, published_at, changed_at, version)
values ($1, 'beispielingen', $2, 'Fremdes', 'Fremdes', 'Fremder Text', 'published', $3, $4, 0, 'x', 0, $5, $5, 1)`, []any{foreignPost, foreignSlug, true, false, now}},
		{`
insert into blog_pictures (name, tenant_id, post_id, alt, kind, width, height, data, created_at)
values ($1, 'beispielingen', $2, 'Fremdes', 'image/png', 1, 1, $3, $4)`, []any{foreignPicture, foreignPost, []byte("PNG"), now}},
		{`
insert into blog_comments (id, tenant_id, post_id, parent_id, body, state, score, flags, token, ground, statement, created_at, decided_at)
values ($1, 'beispielingen', $2, '', 'Fremder Kommentar', 'published', 0, '', $3, '', '', $4, 0)`, []any{foreignComment, foreignPost, []byte("a"), now}},
		{`
insert into blog_cases (id, tenant_id, comment_id, post_id, kind, ground, body, token, state, decision, statement, decided_by, created_at, decided_at)
values ($1, 'beispielingen', $2, $3, 'report', 'beleidigung', $4, $5, 'open', '', '', '', $6, 0)`, []any{foreignCase, foreignComment, foreignPost, []byte("Fremde Meldung"), []byte("b"), now}},
	} {
		if _, err := tx.Exec(ctx, row.insert, row.args...); err != nil {
			return err
		}
	}
	return nil
}

// editorial are fields with which the forms of the website would do something.
func editorial(pattern string) map[string]string {
	switch {
	case pattern == "/amt/redaktion/beitraege/{id}/stand":
		return map[string]string{"aktion": "zuruecknehmen"}
	case strings.HasPrefix(pattern, "/amt/redaktion/beitraege/"):
		return map[string]string{"titel": "Anders", "adresse": "anders", "text": "Anders", "tage": "0", "version": "1", "name": foreignPicture}
	case strings.HasPrefix(pattern, "/amt/redaktion/kommentare/"):
		return map[string]string{"aktion": "freigeben"}
	case strings.HasPrefix(pattern, "/amt/redaktion/nachweise/neu/"):
		return map[string]string{"ground": vault.EvidenceClaim, "reason": "Ein Anspruch."}
	case strings.HasPrefix(pattern, "/amt/redaktion/nachweise/"):
		return map[string]string{"aktion": "ablehnen"}
	case strings.HasPrefix(pattern, "/amt/redaktion/newsletter/"):
		return map[string]string{"betreff": "Anders", "text": "Anders", "version": "1"}
	}
	return nil
}

// TestAccess_ModuleOff: where a module is off, each of its routes answers
// everybody byte for byte like an address that never was. The other routes stay.
func TestAccess_ModuleOff(t *testing.T) {
	s := newStage(t)
	rt, routes := s.routes()
	modules := rt.Modules()
	for _, m := range tenant.Modules() {
		if !slices.ContainsFunc(routes, func(r string) bool { return modules[r] == string(m) }) {
			t.Errorf("no route belongs to the module %s", m)
		}
	}
	asked := func(also func(route string, c *caller, path string, got response)) {
		for _, c := range s.callers {
			s.awake(c)
			for _, route := range routes {
				if modules[route] == "" {
					continue
				}
				method, pattern, _ := strings.Cut(route, " ")
				path := s.address(pattern)
				also(route, c, path, s.ask(c, c.host, method, path, nil))
			}
		}
	}
	s.modules(false)
	asked(func(route string, c *caller, path string, got response) {
		method, _, _ := strings.Cut(route, " ")
		never := "/gibt-es-nicht"
		if strings.HasPrefix(path, "/amt/") {
			never = "/amt" + never
		}
		if a, b := got.alike(path), s.ask(c, c.host, method, never, nil).alike(never); got.status != http.StatusNotFound || a != b {
			t.Errorf("%s as %s: %d, differs at %s", route, c.name, got.status, difference(a, b))
		}
	})
	s.modules(true)
	alive := false
	asked(func(_ string, _ *caller, _ string, got response) { alive = alive || got.status == http.StatusOK })
	if !alive {
		t.Error("sabotage: no route answers where the modules are on")
	}
}
