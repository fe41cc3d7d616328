package account

import (
	"context"

	"poststelle/internal/i18n"
	"poststelle/internal/web/ui"
)

// change heads a group of the overview with the link that changes it; label
// names the group to who only hears the link.
func change(ctx context.Context, title, href, label string) ui.GroupSpec {
	return ui.GroupSpec{Title: i18n.T(ctx, title), Href: href, ChangeLabel: label}
}

// state is one of two sentences.
func state(ctx context.Context, on bool, yes, no string) string {
	if on {
		return i18n.T(ctx, yes)
	}
	return i18n.T(ctx, no)
}

func addressPairs(ctx context.Context, v addressView) []ui.Pair {
	pairs := []ui.Pair{{Key: i18n.T(ctx, "account.konto.overview.address"), Text: v.Now}}
	if v.Pending != "" {
		pairs = append(pairs, ui.Pair{Key: i18n.T(ctx, "account.konto.overview.pending"), Text: v.Pending})
	}
	return pairs
}

func passkeyPairs(ctx context.Context, k passkeyRow) []ui.Pair {
	host := k.Host
	pairs := []ui.Pair{
		{Key: i18n.T(ctx, "account.konto.passkeys.host"), Text: host},
		{Key: i18n.T(ctx, "account.konto.passkeys.since"), Node: ui.Date(k.Created)},
	}
	if k.Used.IsZero() {
		return append(pairs, ui.Pair{Key: i18n.T(ctx, "account.konto.passkeys.used"), Text: i18n.T(ctx, "account.konto.passkeys.never")})
	}
	return append(pairs, ui.Pair{Key: i18n.T(ctx, "account.konto.passkeys.used"), Node: ui.DayShort(k.Used)})
}

func sessionPairs(ctx context.Context, s sessionRow) []ui.Pair {
	pairs := []ui.Pair{
		{Key: i18n.T(ctx, "account.konto.sessions.since"), Node: ui.DayShort(s.Begun)},
		{Key: i18n.T(ctx, "account.konto.sessions.used"), Node: ui.DayShort(s.Used)},
	}
	if s.Authority != "" {
		pairs = append([]ui.Pair{{Key: i18n.T(ctx, "account.konto.sessions.where"), Text: s.Authority}}, pairs...)
	}
	return pairs
}
