package newsletter

import (
	"context"
	"encoding/xml"
	"fmt"
	"strconv"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/i18n"
	"poststelle/internal/markdown"
	"poststelle/internal/tenant"
)

// archived lists the issues that everybody may read, newest first: whole for the
// feed, without their words for a list.
func (s *Service) archived(ctx context.Context, of tenant.ID, whole bool) (all []Issue, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if whole {
			all, err = archivedIssues(ctx, tx, of, feedSize)
		} else {
			all, err = archivedLines(ctx, tx, of, archiveSize)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("newsletter: archive: %w", err)
	}
	return all, nil
}

func (s *Service) archivedOne(ctx context.Context, of tenant.ID, number int64) (i Issue, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		i, err = archivedIssue(ctx, tx, of, number)
		return err
	})
	if err != nil {
		return i, fmt.Errorf("newsletter: archived issue: %w", err)
	}
	return i, nil
}

// How many issues the list of the archive and the feed hold.
const (
	archiveSize = 200
	feedSize    = 20
)

func (s *Service) feed(ctx context.Context, t *tenant.Tenant, set Settings, issues []Issue) ([]byte, error) {
	lang := i18n.Lang(ctx)
	home := s.page(t, lang, "/newsletter/archiv")
	f := atom{Title: set.name(lang), ID: home, Author: t.Name, Updated: t.Created.UTC().Format(time.RFC3339),
		Links: []atomLink{{Href: home}, {Rel: "self", Href: home + "/feed.xml"}}}
	for n, i := range issues {
		at := i.Started.UTC().Format(time.RFC3339)
		if n == 0 {
			f.Updated = at
		}
		href := home + "/" + strconv.FormatInt(i.Number, 10)
		e := atomEntry{Title: i.Subject, ID: href, Updated: at, Link: atomLink{Href: href}}
		clean, err := markdown.HTML(i.Body)
		if err != nil {
			return nil, fmt.Errorf("newsletter: feed: %w", err)
		}
		e.Content.Type, e.Content.Lang, e.Content.Text = "html", i.Lang, clean
		f.Entries = append(f.Entries, e)
	}
	raw, err := xml.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, fmt.Errorf("newsletter: feed: %w", err)
	}
	return append([]byte(xml.Header), append(raw, '\n')...), nil
}
