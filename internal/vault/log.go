package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// Grounds on which the access log may be read.
const (
	GroundOperation   = "betrieb"      // a fault or an attack on the operation
	GroundProsecution = "strafanzeige" // a criminal complaint
	GroundAccess      = "auskunft"     // a person asks for their own data (Art. 15 GDPR)
	GroundTest        = "test"         // proof that reading works and is recorded
)

// Grounds lists the allowed grounds.
func Grounds() []string {
	return []string{GroundOperation, GroundProsecution, GroundAccess, GroundTest}
}

// maxLogBoxes bounds one call of OpenLog.
const maxLogBoxes = 1000

// OpenLog opens the keys of access-log segments: boxes sealed to the log key of the day (Delegation.LogKey), each holding 32 bytes,
// with their associated data. It needs a ground of the list and a reason in words (fault.Invalid), and the token of an operator or
// of the console. It is audited before anything is opened, so a failed attempt is on record too. When the day's key is destroyed
// the answer is fault.NotFound, and nothing opens that day any more. A forged box is fault.Invalid.
func (v *Vault) OpenLog(ctx context.Context, token, day string, boxes, ads [][]byte, ground, reason string) ([]seal.Key, error) {
	g, err := v.grant(token)
	if err == nil && g.service != ServiceConsole && (!g.staff() || g.role != RoleOperator) {
		err = fault.Denied
	}
	if err != nil {
		return nil, fmt.Errorf("vault: open log of %s: %w", day, err)
	}
	var bad []fault.Field
	if !slices.Contains(Grounds(), ground) {
		bad = append(bad, fault.Field{Name: "ground", Key: "vault.log.ground"})
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 2000 {
		bad = append(bad, fault.Field{Name: "reason", Key: "vault.log.reason"})
	}
	if err := fault.Fields(bad...); err != nil {
		return nil, fmt.Errorf("vault: open log of %s: %w", day, err)
	}
	if len(boxes) != len(ads) || len(boxes) > maxLogBoxes || !validDay(day) {
		return nil, fmt.Errorf("vault: open log of %s: %d boxes, %d ads: %w", day, len(boxes), len(ads), fault.Invalid)
	}
	err = v.update(ctx, "open log", func(tx *db.Tx) error {
		if err := stillActive(ctx, tx, g); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: g.tenant, person: g.actor(), action: actionLog, object: day, items: len(boxes), purpose: ground, reason: reason})
	})
	if err != nil {
		return nil, err
	}
	private, err := v.openDay(ctx, purposeLog, day)
	if err != nil {
		return nil, err
	}
	out := make([]seal.Key, len(boxes))
	for i, box := range boxes {
		plain, err := private.OpenBox(box, ads[i])
		if err != nil || len(plain) != keySize {
			return nil, fmt.Errorf("vault: open log of %s: box %d: %w", day, i, fault.Invalid)
		}
		copy(out[i][:], plain)
		clear(plain)
	}
	return out, nil
}
