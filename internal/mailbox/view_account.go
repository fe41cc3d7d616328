package mailbox

import (
	"context"

	"poststelle/internal/i18n"
)

// accountText says to the office whether an answer reaches a mailbox. The
// address of the account is not shown: nobody needs it to answer.
func accountText(ctx context.Context, v threadPageView) string {
	switch {
	case v.Holders > 1:
		return i18n.T(ctx, "mailbox.staff.account.several", "n", v.Holders)
	case v.Holders == 1 && v.Registered:
		return i18n.T(ctx, "mailbox.staff.account.one")
	case v.Holders == 1:
		return i18n.T(ctx, "mailbox.staff.account.adopted")
	case v.Registered:
		return i18n.T(ctx, "mailbox.staff.account.gone")
	}
	return i18n.T(ctx, "mailbox.staff.account.none")
}
