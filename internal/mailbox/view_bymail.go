package mailbox

import (
	"net/http"
	"strings"

	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// mailView is what the page of a thread says of a letter that came by e-mail.
type mailView struct {
	Proof  string // how far the sender is proven
	Forged bool
	Notes  []string
	Left   []ui.Pair // name of an attachment, why it is no file
	Sender []ui.Pair
	// Warning stands above the answer, with the address it goes to; NoWay instead
	// of it where no answer is possible.
	Warning, NoWay string
}

func mailOf(r *http.Request, t *tenant.Tenant, o opened) *mailView {
	f, ctx := o.Mail, r.Context()
	if f == nil {
		return nil
	}
	v := &mailView{Forged: f.Proof == ProofForged, Sender: mailSender(r, o)}
	v.Proof = proofText(r, f)
	for _, n := range []struct {
		so  bool
		key string
	}{
		{f.Machine, "mailbox.bymail.machine"}, {f.Encrypted, "mailbox.bymail.encrypted"}, {f.HTML, "mailbox.bymail.markup"},
		{f.Cut, "mailbox.bymail.cut"}, {f.Partial, "mailbox.bymail.partial"}, {noText(o), "mailbox.bymail.notext"},
	} {
		if n.so {
			v.Notes = append(v.Notes, i18n.T(ctx, n.key))
		}
	}
	for _, l := range f.Left {
		v.Left = append(v.Left, ui.Pair{Key: l.Name, Text: i18n.T(ctx, "mailbox.bymail.left."+l.Why)})
	}
	box, _ := t.Mailbox(o.Mailbox)
	switch {
	case o.Reply == replyNone:
		v.NoWay = i18n.T(ctx, "mailbox.bymail.noway.machine")
	case !box.EmailReply:
		v.NoWay = i18n.T(ctx, "mailbox.bymail.noway.text")
	default:
		v.Warning = i18n.T(ctx, "mailbox.bymail.warning", "address", o.Contact.Email)
	}
	return v
}

// noText reports whether there is nothing to read in the letter itself.
func noText(o opened) bool {
	for _, m := range o.Messages {
		if m.ID == o.First {
			return m.Body == ""
		}
	}
	return false
}

// proofText says in plain words what is proven of the sender.
func proofText(r *http.Request, f *mailFacts) string {
	_, domain, _ := strings.Cut(f.Address, "@")
	if domain == "" {
		domain = i18n.T(r.Context(), "mailbox.staff.row.anonymous")
	}
	switch f.Proof {
	case ProofYes, ProofForged, ProofUnknown, ProofNo:
		return i18n.T(r.Context(), "mailbox.bymail.proof."+string(f.Proof), "domain", domain)
	}
	return i18n.T(r.Context(), "mailbox.bymail.proof.no", "domain", domain)
}

// mailSender is the panel about who claims to have written.
func mailSender(r *http.Request, o opened) []ui.Pair {
	f, ctx := o.Mail, r.Context()
	claimed := f.Address
	if f.Name != "" && f.Name != f.Address {
		claimed = strings.TrimSpace(f.Name + " <" + f.Address + ">")
		if f.Address == "" {
			claimed = f.Name
		}
	}
	if claimed == "" {
		claimed = i18n.T(ctx, "mailbox.staff.row.anonymous")
	}
	out := []ui.Pair{{Key: i18n.T(ctx, "mailbox.bymail.from"), Node: ui.SafeText(claimed)}}
	if f.ReplyTo != "" {
		out = append(out, ui.Pair{Key: i18n.T(ctx, "mailbox.bymail.replyto"), Node: ui.SafeText(f.ReplyTo)})
	}
	return append(out,
		ui.Pair{Key: i18n.T(ctx, "mailbox.bymail.to"), Node: ui.SafeText(f.To)},
		ui.Pair{Key: i18n.T(ctx, "mailbox.bymail.proof"), Text: proofText(r, f)},
		ui.Pair{
			Key:  i18n.T(ctx, "mailbox.bymail.results"),
			Text: i18n.T(ctx, "mailbox.bymail.results.text", "spf", f.SPF, "dkim", f.DKIM, "dmarc", f.DMARC),
		},
		ui.Pair{Key: i18n.T(ctx, "mailbox.staff.sender.reply"), Text: i18n.T(ctx, "mailbox.staff.reply."+string(o.Reply))})
}
