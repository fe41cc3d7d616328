package account

import (
	"context"
	"slices"
	"strings"

	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web/ui"
)

// journalDeeds are the actions of the journal that the log has words for.
func journalDeeds() []string {
	return []string{
		"accesslog.export", "account.address", "account.deleted", "account.opened", "answer.sent", "answer.undelivered", "banner.added",
		"banner.ended", "blog.comment.deleted", "blog.exported", "case.answered", "comment.approved", "comment.rejected", "dkim.changed",
		"dkim.made", "evidence.asked", "evidence.granted", "evidence.refused", "job.retried", "journal.blanked", "journal.expired",
		"letter.added", "letter.received", "mail.added", "mail.removed", "mailbox.added", "mailbox.retention", "networks.set",
		"newsletter.changed", "newsletter.confirmed", "newsletter.drafted", "newsletter.dropped", "newsletter.exported", "newsletter.imported",
		"newsletter.recalled", "newsletter.released", "newsletter.settings", "newsletter.withdrawn", "note.added", "permission.changed",
		"permission.deleted", "permission.given", "permission.withdrawn", "picture.added", "picture.removed",
		"post.created", "post.deleted", "post.imported", "post.published", "post.saved", "post.scheduled", "post.withdrawn",
		"recovery.begun", "recovery.cancelled", "recovery.done", "staff.added", "staff.confirmed", "staff.disabled", "staff.factor",
		"staff.joined", "staff.left", "staff.password", "staff.refused", "staff.role", "staff.sessions", "staff.substitute",
		"staff.substitute.ended", "tenant.added", "thread.adopted", "thread.assigned", "thread.begun", "thread.closed", "thread.deleted", "thread.deletion",
		"thread.excepted", "thread.forwarded", "thread.letgo", "thread.read", "thread.reopened", "thread.unexcepted", "withdrawal.asked",
	}
}

// vaultDeeds are the actions of the vault that the log has words for.
func vaultDeeds() []string {
	return []string{
		"account.adopt", "account.change", "account.delete", "account.letgo", "account.mail", "account.new", "account.open", "account.sign-in", "answer",
		"audit.read", "begin", "contact", "drop", "evidence.ask", "evidence.grant", "evidence.refuse", "forward", "log.open", "member.join",
		"member.leave", "member.propose", "member.refuse", "module.key", "open", "passkey.add", "passkey.remove", "prove", "shred", "sign-in", "staff.add",
		"staff.disable", "staff.factor", "staff.mail", "staff.password", "staff.role", "staff.sessions", "substitute.begin", "substitute.end", "substitute.propose",
	}
}

// detailKeys are the keys of a detail that the log has words for.
func detailKeys() []string {
	return []string{"case", "channel", "count", "day", "from", "ground", "hash", "kind", "mailbox", "message", "purpose", "role", "rule", "seq", "staff", "thread", "until"}
}

// purposes are what the vault opened something for, as far as the log has words.
func purposes() []string { return []string{"mail", "notify", "own", "passkey", "read"} }

// whoWord says who acted where it was nobody of this tenant's staff: the parts of
// the program that the vault knows by name, and its jobs. Anything else stands as it is.
func whoWord(ctx context.Context, actor string) string {
	kind, name, _ := strings.Cut(actor, ":")
	switch {
	case kind == "citizen" || kind == "account":
		return i18n.T(ctx, "account.protocol.by.citizen")
	case kind == "cli" || kind == "service" && name == vault.ServiceConsole:
		return i18n.T(ctx, "account.protocol.by.cli")
	case kind == "service" && slices.Contains([]string{vault.ServiceNotifier, vault.ServiceMailer, vault.ServiceRetention, vault.ServiceWebsite}, name):
		return i18n.T(ctx, "account.protocol.by."+name)
	case kind == "job":
		return i18n.T(ctx, "account.protocol.by.job")
	}
	return actor
}

// deedWord says in words what an action means; an action nobody has words for stands as it is.
func deedWord(ctx context.Context, action string) string {
	if !slices.Contains(journalDeeds(), action) && !slices.Contains(vaultDeeds(), action) {
		return action
	}
	return i18n.T(ctx, "account.protocol.deed."+strings.NewReplacer(".", "_", "-", "_").Replace(action))
}

// keyWord says in words what a detail is.
func keyWord(ctx context.Context, key string) string {
	if !slices.Contains(detailKeys(), key) {
		return key
	}
	return i18n.T(ctx, "account.protocol.key."+key)
}

// deedOptions are the actions to filter by, in the order of their words. What the address asks for besides, such as the
// beginning of an action, stays chosen.
func deedOptions(ctx context.Context, s span) []ui.Option {
	deeds := journalDeeds()
	if s.Vault {
		deeds = vaultDeeds()
	}
	out := make([]ui.Option, 0, len(deeds)+1)
	for _, d := range deeds {
		out = append(out, ui.Option{Value: d, Label: deedWord(ctx, d)})
	}
	slices.SortFunc(out, func(a, b ui.Option) int { return strings.Compare(a.Label, b.Label) })
	if s.Action != "" && !slices.Contains(deeds, s.Action) {
		out = append(out, ui.Option{Value: s.Action, Label: s.Action + " …"})
	}
	return out
}

// protocolNames are the names of staff and mailboxes by their ids.
func (a *Accounts) protocolNames(ctx context.Context, of tenant.ID) (map[string]string, error) {
	names, err := a.Names(ctx, of)
	if err != nil {
		return nil, err
	}
	for _, b := range a.boxes(ctx, of) {
		names[string(b.ID)] = b.Title
	}
	return names, nil
}
