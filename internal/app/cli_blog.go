package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

// blogTenant finds a tenant whose blog is on.
func (a *App) blogTenant(id string) (*tenant.Tenant, error) {
	t, err := a.tenant(id)
	if err == nil && !t.Has(tenant.Blog) {
		err = plain(fault.Conflict, "the blog of %q is off; poststelle tenant module on --tenant %s blog", id, id)
	}
	return t, err
}

type blogImport struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
	From   string `required:"" help:"The export; \"-\" reads standard input. At most 16 MB: split a larger one." placeholder:"FILE"`
	Format string `required:"" enum:"disqus,wxr" help:"disqus (Disqus XML) or wxr (WordPress)."`
	Posts  string `enum:"none,draft,published" default:"draft" help:"What becomes of posts that are not here: none leaves them out, draft makes drafts, published publishes what was public there."`
	DryRun bool   `help:"Write nothing; say what would happen."`
}

func (c *blogImport) inputFile() string { return c.From }

// Help shows examples below the flags.
func (*blogImport) Help() string {
	return "Takes over comments with content and time, below the posts whose address is the last part of the old one. Names, mail addresses and web addresses " +
		"of their authors are dropped; where the register keeps IP addresses as evidence, those of the last 90 days are sealed, all others dropped. Only approved " +
		"comments come in. Pictures stay where they are, as links. A second run makes no doubles and does not bring back what was deleted here.\n\n" +
		examples("poststelle blog import --tenant betreiber --from wordpress.xml --format wxr --dry-run",
			"poststelle blog import --tenant betreiber --from disqus.xml --format disqus")
}

func (c *blogImport) open(ctx context.Context, a *App, s Streams) error {
	t, err := a.blogTenant(c.Tenant)
	if err != nil {
		return err
	}
	got, err := a.Blog.Import(ctx, t, blog.Import{Format: blog.Format(c.Format), Posts: c.Posts, Dry: c.DryRun}, s.In)
	if err != nil {
		return err
	}
	w := table(s.Out)
	fmt.Fprintln(w, "POST\tADDRESS\tNEW COMMENTS\tTITLE")
	for _, p := range got.Threads {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", p.Fate, dash(p.Slug), p.Comments, dash(printable(p.Title)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	verb := "taken over"
	if c.DryRun {
		verb = "would be taken over"
	}
	left := make([]string, 0, len(got.Left))
	for _, why := range slices.Sorted(maps.Keys(got.Left)) {
		left = append(left, fmt.Sprintf("%d %s", got.Left[why], why))
	}
	if len(left) == 0 {
		left = []string{"none"}
	}
	_, err = fmt.Fprintf(s.Out, "%d comments %s, %d here already, %d addresses sealed; left out: %s\n", got.Comments, verb, got.Known, got.Addresses, strings.Join(left, ", "))
	return err
}

// printable is a text of elsewhere without anything that a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, s)
}

type blogExport struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
}

// Help shows examples below the flags.
func (*blogExport) Help() string {
	return "Writes all posts as JSON, texts in Markdown, with what is public of their comments: content and time. IP addresses and tokens are not in it, nor are " +
		"comments that wait or were rejected.\n\n" + examples("poststelle blog export --tenant betreiber > blog.json")
}

func (c *blogExport) open(ctx context.Context, a *App, s Streams) error {
	t, err := a.tenant(c.Tenant)
	if err != nil {
		return err
	}
	posts, comments, err := a.Blog.Export(ctx, t.ID, s.Out)
	if err != nil {
		return err
	}
	err = a.DB.Update(ctx, func(tx *db.Tx) error {
		return journal.Record(ctx, tx, journal.Entry{Tenant: c.Tenant, Actor: "cli", Action: "blog.exported", Object: c.Tenant})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Err, "%d posts, %d comments\n", posts, comments)
	return err
}
