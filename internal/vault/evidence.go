package vault

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/personal"
)

// Grounds on which a sealed address may be opened. There are no others: the address is kept in case the controller is held liable
// for what somebody published, and disclosed only by duty or for a legitimate interest of a third party.
const (
	EvidenceClaim     = "anspruch"  // somebody holds the controller liable for the content
	EvidenceDuty      = "pflicht"   // an authority or court demands it by law
	EvidenceInterest  = "interesse" // a third party has a legitimate interest that was weighed
	evidenceWait      = 7 * 24 * time.Hour
	maxEvidenceReason = 2000 // bytes
	maxEvidence       = 200  // open requests of a tenant
)

// EvidenceGrounds lists the allowed grounds.
func EvidenceGrounds() []string { return []string{EvidenceClaim, EvidenceDuty, EvidenceInterest} }

// EvidenceService opens what web has sealed to an evidence key of the day (Delegation.EvidenceKey): with two persons, a ground of the
// list and a reason in words, and never after the day's private key was destroyed (Config.EvidenceDays).
type EvidenceService interface {
	// AskEvidence records the request of an editor or a data protection officer to open the evidence about an object (an id of web's),
	// and returns its id. fault.Invalid names the fields ground and reason. A request lapses after 7 days.
	AskEvidence(ctx context.Context, token, tenant, object, ground, reason string) (request string, err error)
	// EvidenceRequests lists the open requests, oldest first, for editors, data protection officers and administrators.
	EvidenceRequests(ctx context.Context, token, tenant string) ([]EvidenceRequest, error)
	// GrantEvidence lets a data protection officer or an administrator who did not ask open the box of a request's object, sealed on
	// day with SealEvidence. It is audited before anything is handed out and works once; what does not open leaves the request as it
	// is. fault.NotFound when the request lapsed or the day's key is destroyed, fault.Denied for the person who asked, fault.Invalid for
	// a box of another object or a forged one.
	GrantEvidence(ctx context.Context, token, tenant, request, day string, box []byte) ([]byte, error)
	// RefuseEvidence ends a request without opening anything; whoever asked may withdraw it so.
	RefuseEvidence(ctx context.Context, token, tenant, request string) error
	// EvidenceAsked reports whether a request about an object waits, so that nobody deletes the evidence meanwhile. It is for the
	// service "website" alone (fault.Denied for everybody else).
	EvidenceAsked(ctx context.Context, token, tenant, object string) (bool, error)
}

// EvidenceRequest is a request that waits for a second person. Reason is what the first one wrote.
type EvidenceRequest struct {
	ID, Object, Ground, Reason, By string
	At                             time.Time
	Mine                           bool // the caller asked
	MayGrant                       bool // the caller may be the second person
}

// SealEvidence seals plain to an evidence key of the day, bound to an object of a tenant: it opens for a request about that object
// alone. It needs no vault.
func SealEvidence(k DayKey, tenant, object string, plain []byte) ([]byte, error) {
	public, err := k.key()
	if err != nil {
		return nil, fmt.Errorf("vault: evidence key of %s: %w", k.Day, err)
	}
	return public.SealBox(plain, evidenceAD(tenant, object))
}

func evidenceAD(tenant, object string) []byte { return []byte(canonical("evidence", tenant, object)) }

const (
	actionEvidenceAsk    = "evidence.ask"
	actionEvidenceGrant  = "evidence.grant"
	actionEvidenceRefuse = "evidence.refuse"
)

// AskEvidence is that of EvidenceService.
func (v *Vault) AskEvidence(ctx context.Context, token, tenant, object, ground, reason string) (string, error) {
	g, err := v.person(token, tenant)
	if err != nil {
		return "", fmt.Errorf("vault: ask evidence: %w", err)
	}
	reason = strings.TrimSpace(reason)
	var bad []fault.Field
	if !slices.Contains(EvidenceGrounds(), ground) {
		bad = append(bad, fault.Field{Name: "ground", Key: "vault.evidence.ground"})
	}
	if reason == "" || len(reason) > maxEvidenceReason {
		bad = append(bad, fault.Field{Name: "reason", Key: "vault.evidence.reason"})
	}
	id := rand.Text()
	err = v.update(ctx, "ask evidence", func(tx *db.Tx) error {
		if _, err := stillIn(ctx, tx, g, RoleEditor, RoleDPO); err != nil {
			return err
		}
		if err := fault.Fields(bad...); err != nil {
			return err
		}
		if !validID(object) {
			return fmt.Errorf("object: %w", fault.Invalid)
		}
		open, err := selectEvidence(ctx, tx, tenant)
		if err != nil {
			return err
		}
		if len(open) >= maxEvidence {
			return fault.TooMany
		}
		sealed := v.keys.seal([]byte(reason), "evidence", tenant, id)
		if err := insertEvidence(ctx, tx, tenant, id, object, ground, sealed, g.person); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionEvidenceAsk, object: object, items: 1, purpose: ground, reason: reason})
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// EvidenceRequests is that of EvidenceService.
func (v *Vault) EvidenceRequests(ctx context.Context, token, tenant string) ([]EvidenceRequest, error) {
	g, err := v.person(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: evidence requests: %w", err)
	}
	var out []EvidenceRequest
	err = v.view(ctx, "evidence requests", func(tx *db.Tx) error {
		role, err := stillIn(ctx, tx, g, RoleEditor, RoleDPO, RoleAdmin)
		if err != nil {
			return err
		}
		rows, err := selectEvidence(ctx, tx, tenant)
		if err != nil {
			return err
		}
		givers, err := selectGivers(ctx, tx, tenant)
		if err != nil {
			return err
		}
		out = nil
		for _, r := range rows {
			raw, err := v.keys.open(r.sealed, "evidence", tenant, r.ID)
			if err != nil {
				return err
			}
			r.Reason, r.Mine = string(raw), r.By == g.person
			r.MayGrant = (role == RoleDPO || role == RoleAdmin) && !givers.sameHand(r.By, g.person)
			out = append(out, r.EvidenceRequest)
		}
		return nil
	})
	return out, err
}

// GrantEvidence is that of EvidenceService.
func (v *Vault) GrantEvidence(ctx context.Context, token, tenant, request, day string, box []byte) ([]byte, error) {
	g, err := v.person(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: grant evidence: %w", err)
	}
	var r evidenceRow
	err = v.view(ctx, "grant evidence", func(tx *db.Tx) (err error) {
		r, err = grantable(ctx, tx, g, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	// A wrong day or box must not use up what two persons have agreed on. What opens leaves this function after the audit only.
	plain, err := v.openEvidence(ctx, tenant, r.Object, day, box)
	if err != nil {
		return nil, fmt.Errorf("vault: grant evidence: %w", err)
	}
	err = v.update(ctx, "grant evidence", func(tx *db.Tx) error {
		if _, err := grantable(ctx, tx, g, request); err != nil {
			return err
		}
		if err := deleteEvidence(ctx, tx, tenant, request); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionEvidenceGrant, object: r.Object, items: 1, purpose: r.Ground})
	})
	if err != nil {
		clear(plain)
		return nil, err
	}
	return plain, nil
}

// grantable reads a request that the person may grant.
func grantable(ctx context.Context, tx *db.Tx, g *grant, request string) (evidenceRow, error) {
	if _, err := stillIn(ctx, tx, g, RoleDPO, RoleAdmin); err != nil {
		return evidenceRow{}, err
	}
	r, err := selectEvidenceOne(ctx, tx, g.tenant, request)
	if err != nil {
		return r, err
	}
	givers, err := selectGivers(ctx, tx, g.tenant)
	if err == nil && givers.sameHand(r.By, g.person) {
		err = fmt.Errorf("asked by the same hand: %w", fault.Denied)
	}
	return r, err
}

func (v *Vault) openEvidence(ctx context.Context, tenant, object, day string, box []byte) ([]byte, error) {
	if !validDay(day) {
		return nil, fmt.Errorf("day: %w", fault.Invalid)
	}
	private, err := v.openDay(ctx, purposeEvidence, day)
	if err != nil {
		return nil, err
	}
	plain, err := private.OpenBox(box, evidenceAD(tenant, object))
	if err != nil {
		return nil, fmt.Errorf("box: %w", fault.Invalid)
	}
	return plain, nil
}

// RefuseEvidence is that of EvidenceService.
func (v *Vault) RefuseEvidence(ctx context.Context, token, tenant, request string) error {
	g, err := v.person(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: refuse evidence: %w", err)
	}
	return v.update(ctx, "refuse evidence", func(tx *db.Tx) error {
		role, err := stillIn(ctx, tx, g, RoleEditor, RoleDPO, RoleAdmin)
		if err != nil {
			return err
		}
		r, err := selectEvidenceOne(ctx, tx, tenant, request)
		if err != nil {
			return err
		}
		if r.By != g.person && role == RoleEditor {
			return fault.Denied
		}
		if err := deleteEvidence(ctx, tx, tenant, request); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionEvidenceRefuse, object: r.Object, items: 1, purpose: r.Ground})
	})
}

// EvidenceAsked is that of EvidenceService.
func (v *Vault) EvidenceAsked(ctx context.Context, token, tenant, object string) (asked bool, err error) {
	if _, err := v.service(token, ServiceWebsite); err != nil {
		return false, fmt.Errorf("vault: evidence asked: %w", err)
	}
	err = v.view(ctx, "evidence asked", func(tx *db.Tx) error {
		rows, err := selectEvidence(ctx, tx, tenant)
		asked = slices.ContainsFunc(rows, func(r evidenceRow) bool { return r.Object == object })
		return err
	})
	return asked, err
}

type evidenceRow struct {
	EvidenceRequest
	sealed []byte
}

func scanEvidence(s db.Scanner) (r evidenceRow, err error) {
	var at int64
	err = s.Scan(&r.ID, &r.Object, &r.Ground, &r.sealed, &r.By, &at)
	r.At = db.Time(at)
	return r, err
}

const selectRequested = `
	select id, object, ground, reason_sealed, asked_by, created_at from vault_evidence`

func selectEvidence(ctx context.Context, tx *db.Tx, tenant string) ([]evidenceRow, error) {
	return db.Collect(ctx, tx, scanEvidence, selectRequested+`
		where tenant = $1 and created_at > $2
		order by created_at, id
		limit 200`, tenant, db.Millis(tx.Now.Add(-evidenceWait)))
}

func insertEvidence(ctx context.Context, tx *db.Tx, tenant, id, object, ground string, sealed []byte, by string) error {
	_, err := tx.Exec(ctx, `
		insert into vault_evidence (tenant, id, object, ground, reason_sealed, asked_by, created_at)
		values ($1, $2, $3, $4, $5, $6, $7)`, tenant, id, object, ground, sealed, by, db.Millis(tx.Now))
	return err
}

func selectEvidenceOne(ctx context.Context, tx *db.Tx, tenant, id string) (evidenceRow, error) {
	return scanEvidence(tx.QueryRow(ctx, selectRequested+`
		where tenant = $1 and id = $2 and created_at > $3`, tenant, id, db.Millis(tx.Now.Add(-evidenceWait))))
}

// deleteEvidence removes a request in the transaction that decides it.
func deleteEvidence(ctx context.Context, tx *db.Tx, tenant, id string) error {
	_, err := tx.Exec(ctx, `delete from vault_evidence where tenant = $1 and id = $2`, tenant, id)
	return err
}

func deleteLapsedEvidence(ctx context.Context, tx *db.Tx) error {
	_, err := tx.Exec(ctx, `delete from vault_evidence where created_at <= $1`, db.Millis(tx.Now.Add(-evidenceWait)))
	return err
}

// evidenceStore declares the requests; they speak of the staff who ask and, in the sealed reason, of others.
func evidenceStore() personal.Store {
	s := ofStaff("vault_evidence", "vault.privacy.evidence", "tenant = $1 and asked_by = $2", []personal.Column{
		{Name: "asked_by", Category: personal.Identifier},
		{Name: "ground", Category: personal.Evidence},
		{Name: "object", Category: personal.Identifier},
		{Name: "reason_sealed", Category: personal.Evidence, Third: true},
		{Name: "created_at", Category: personal.Behaviour},
	}, "tenant", "id")
	s.Retention = personal.Retention{Start: "created_at", Period: evidenceWait}
	return s
}
