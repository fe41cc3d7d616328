package blog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

const (
	publishKind = "blog.publish"
	sweepKind   = "blog.sweep"
)

// EvidencePeriod is how long a sealed address is kept. The vault destroys the
// private key of its day after the same time, so that no copy opens later.
const EvidencePeriod = 90 * 24 * time.Hour

func (s *Service) registerJobs() {
	s.Jobs.Handle(publishKind, s.publishDue)
	s.Jobs.Every(sweepKind, 6*time.Hour, func(ctx context.Context, _ jobs.Job) error { return s.Sweep(ctx) })
}

// publishDue makes a scheduled post public. One that was changed since to another
// time, published or withdrawn is left alone.
func (s *Service) publishDue(ctx context.Context, j jobs.Job) error {
	of, id, _ := strings.Cut(j.Ref, ":")
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		p, err := selectPost(ctx, tx, tenant.ID(of), id)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil || p.State != scheduled || p.PublishAt.After(tx.Now) {
			return err
		}
		if err := updateState(ctx, tx, tenant.ID(of), p, published, time.Time{}, p.Author); err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: of, Actor: "job:" + publishKind, Action: "post.published", Object: id})
	})
	if err != nil {
		return fmt.Errorf("blog: publish %s: %w", id, err)
	}
	return nil
}

// Sweep removes what is due at every tenant: evidence after its period, and
// comments, reports and complaints six months after the decision on them.
func (s *Service) Sweep(ctx context.Context) error {
	for _, t := range s.Directory.All() {
		if err := s.sweep(ctx, t.ID); err != nil {
			return fmt.Errorf("blog: sweep %s: %w", t.ID, err)
		}
	}
	return nil
}

func (s *Service) sweep(ctx context.Context, of tenant.ID) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := deleteOldEvidence(ctx, tx, of, db.Millis(tx.Now.Add(-EvidencePeriod))); err != nil {
			return err
		}
		before := db.Millis(tx.Now.Add(-appealPeriod))
		if err := deleteOldCases(ctx, tx, of, before); err != nil {
			return err
		}
		for _, st := range []commentState{rejected, removed} {
			expired, err := selectExpired(ctx, tx, of, st, before)
			if err != nil {
				return err
			}
			for _, c := range expired {
				open, err := countOpenCases(ctx, tx, of, c.ID)
				if err == nil && open == 0 {
					err = dropComment(ctx, tx, of, c, false)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}
