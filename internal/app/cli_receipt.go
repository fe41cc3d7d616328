package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

type receiptVerify struct {
	File        string `arg:"" help:"The receipt as a text file; \"-\" reads standard input."`
	Fingerprint string `help:"Fingerprint of the authority's receipt key, as the authority publishes it. Without it the receipt is checked in itself, and the fingerprint to compare is printed."`
}

// Help shows an example below the flags.
func (c *receiptVerify) Help() string {
	return "Needs no server and no installation. The receipt names no content, so checking reveals none.\n\n" +
		examples(`poststelle receipt verify quittung.txt --fingerprint "1F0A 77C2 …"`,
			`poststelle receipt verify quittung.txt --fingerprint "$(poststelle receipt key musterstadt)"`)
}

func (c *receiptVerify) run(_ context.Context, s Streams) error {
	raw, err := readInput(c.File, s.In)
	if err != nil {
		return err
	}
	if c.Fingerprint == "" {
		return verifyInItself(string(raw), s.Out)
	}
	f, err := seal.ParseFingerprint(strings.ToUpper(strings.TrimSpace(c.Fingerprint)))
	if err != nil {
		return usage("--fingerprint must be ten groups of four digits, as the authority publishes it")
	}
	r, err := seal.VerifyReceiptBy(string(raw), f)
	if err != nil {
		return fmt.Errorf("the receipt is NOT genuine: %w", err)
	}
	return printReceipt(s.Out, "genuine\tyes", r)
}

// verifyInItself checks the signatures of a receipt along its own chain. That
// the key at its end is the authority's is for the reader to compare.
func verifyInItself(text string, out io.Writer) error {
	p, err := seal.ParseReceipt(text)
	if err == nil {
		err = p.Verify(p.Certificate.Authority)
	}
	if err != nil {
		return fmt.Errorf("the receipt is NOT genuine: %w", err)
	}
	// Anybody can sign a text with a key of their own: "genuine" is for the reader to say.
	if err := printReceipt(out, "unchanged\tyes", p.Receipt); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nSigned with the key %s\nThe receipt is genuine if the authority publishes this fingerprint. Compare it, or name it with --fingerprint.\n",
		seal.FingerprintOf(p.Certificate.Authority))
	return err
}

func printReceipt(out io.Writer, verdict string, r seal.Receipt) error {
	w := table(out)
	fmt.Fprintln(w, verdict)
	fmt.Fprintf(w, "authority\t%s (%s)\nmailbox\t%s\ncase\t%s\nreceived\t%s\ntext\tSHA-256 %x\n", r.TenantName, r.Tenant, r.MailboxName,
		dash(r.Case), r.At.Format("2006-01-02T15:04:05.000Z07:00"), r.Text)
	for i, f := range r.Files {
		fmt.Fprintf(w, "file %d\t%d bytes, SHA-256 %x\n", i+1, f.Size, f.SHA256)
	}
	return w.Flush()
}

type receiptKey struct {
	dataFlags
	Tenant string `arg:"" help:"The tenant's short name."`
}

// Help shows examples below the flags.
func (*receiptKey) Help() string {
	return examples(`poststelle receipt key musterstadt`)
}

func (c *receiptKey) open(ctx context.Context, a *App, s Streams) error {
	if _, ok := a.Directory.ByID(tenant.ID(c.Tenant)); !ok {
		return fmt.Errorf("no tenant %q: %w", c.Tenant, fault.NotFound)
	}
	signer, err := a.Deputy.Signer(ctx, c.Tenant, a.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, seal.FingerprintOf(signer.Certificate.Authority))
	return err
}
