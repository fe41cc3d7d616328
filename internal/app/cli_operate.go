package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
)

type journalVerify struct {
	dataFlags
	Heads string `help:"File with what an earlier run printed: the chains must still go through there. \"-\" reads standard input." placeholder:"FILE"`
}

func (c *journalVerify) inputFile() string { return c.Heads }

// Help shows examples below the flags.
func (*journalVerify) Help() string {
	return "Prints the end of each chain. Kept outside the installation, it proves later that nothing before it was written anew. " +
		"Ends with code 1 when an entry was changed, removed or put in; standard error says where.\n\n" +
		examples("poststelle journal verify > heads.txt", "poststelle journal verify --heads heads.txt")
}

func (c *journalVerify) open(ctx context.Context, a *App, s Streams) error {
	var heads []journal.Head
	if c.Heads != "" {
		in := bufio.NewScanner(s.In)
		for n := 1; in.Scan(); n++ {
			h, err := journal.ParseHead(in.Text())
			if err != nil {
				return fmt.Errorf("line %d of %s is no head of a journal: %w", n, c.Heads, err)
			}
			heads = append(heads, h)
		}
		if err := in.Err(); err != nil {
			return err
		}
	}
	var errs []error
	// What was written a moment ago is not chained yet.
	if err := a.Chain.Extend(ctx); err != nil {
		return err
	}
	for _, id := range a.journals() {
		if err := a.Chain.Verify(ctx, id, heads...); err != nil {
			errs = append(errs, err)
			continue
		}
		h, err := a.Chain.Head(ctx, id)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(s.Out, h); err != nil {
			return err
		}
	}
	return errors.Join(append(errs, a.Vault.VerifyAudit(ctx))...)
}

type jobsList struct {
	dataFlags
}

// Help shows examples below the flags.
func (*jobsList) Help() string {
	return "Jobs are tried again by themselves, for about ten hours; these were given up. They go after 30 days.\n\n" + examples("poststelle jobs list")
}

func (c *jobsList) open(ctx context.Context, a *App, s Streams) error {
	dead, err := a.Jobs.Dead(ctx)
	if err != nil {
		return err
	}
	b, err := a.Jobs.Backlog(ctx)
	if err != nil {
		return err
	}
	w := table(s.Out)
	fmt.Fprintln(w, "ID\tKIND\tOF\tATTEMPTS\tERROR\tCLASS\tGIVEN UP")
	for _, d := range dead {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", d.ID, d.Kind, dash(d.Ref), d.Attempt, d.Code, dash(d.Class), d.At.Format(time.RFC3339))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Err, "%d given up, %d due, %d later\n", b.Dead, b.Due, b.Later)
	return err
}

type jobsRetry struct {
	dataFlags
	ID string `arg:"" help:"The job's id."`
}

// Help shows examples below the flags.
func (*jobsRetry) Help() string {
	return "A running server starts the job at once, with all its attempts; otherwise the next start does.\n\n" + examples("poststelle jobs retry 4QXJ5ZJ7KTRA2LQ3TPZPNLYHGU")
}

func (c *jobsRetry) open(ctx context.Context, a *App, s Streams) error {
	if err := a.Jobs.Retry(ctx, c.ID); err != nil {
		if errors.Is(err, fault.NotFound) {
			return fmt.Errorf("no job %q was given up: %w", c.ID, fault.NotFound)
		}
		return err
	}
	err := a.DB.Update(ctx, func(tx *db.Tx) error {
		return journal.Record(ctx, tx, journal.Entry{Tenant: "-", Actor: "cli", Action: "job.retried", Object: c.ID})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, "1 due again")
	return err
}
