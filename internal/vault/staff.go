package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// Roles of staff. Only clerks, leads and administrators may be members of mailboxes; the others see no content at all.
const (
	RoleClerk    = "clerk"
	RoleLead     = "lead"     // also confirms who joins a mailbox of theirs
	RoleAdmin    = "admin"    // staff of the tenant
	RoleEditor   = "editor"   // texts of the site
	RoleDPO      = "dpo"      // data protection officer: registers and audit
	RoleAuditor  = "auditor"  // audit and evidence
	RoleOperator = "operator" // only in the operator's own tenant
)

// Roles lists all roles.
func Roles() []string {
	return []string{RoleClerk, RoleLead, RoleAdmin, RoleEditor, RoleDPO, RoleAuditor, RoleOperator}
}

// mayJoin reports whether persons with the role may be members of mailboxes.
func mayJoin(role string) bool { return role == RoleClerk || role == RoleLead || role == RoleAdmin }

// StaffSpec is a new person.
type StaffSpec struct {
	Tenant, Login, Password, Role string
	Mail                          string // address for notices to staff; may be ""
	SecondFactor                  bool
	Person                        string // id drawn by the caller (rand.Text), to be stored before the vault is asked; drawn here when ""
}

// Enrolment is shown to the new person once. The TOTP fields are empty without a second factor.
type Enrolment struct {
	Person              string
	TOTPSecret, TOTPURL string
}

// Person is one row of the list of staff.
type Person struct {
	ID, Login, Role      string
	Active, SecondFactor bool
	Mailboxes            []string // confirmed memberships, sorted
	Passkeys             int      // how many they have, on all hosts
}

// Member is a membership in a mailbox.
type Member struct {
	Person string
	Since  time.Time
	Active bool // false while a second administrator has not confirmed it
}

// admin resolves the token of an administrator of the tenant, or of the console.
func (v *Vault) admin(token, tenant string) (*grant, error) {
	g, err := v.grant(token)
	switch {
	case err != nil:
		return nil, err
	case g.service == ServiceConsole:
		return g, nil
	case !g.staff():
		return nil, fault.Denied
	case g.tenant != tenant:
		return nil, fault.NotFound
	case g.role != RoleAdmin:
		return nil, fault.Denied
	}
	return g, nil
}

// provedAdmin is admin for what gives access: it demands a fresh proof (ErrProve), so that an open screen is not enough.
func (v *Vault) provedAdmin(token, tenant string) (*grant, error) {
	g, err := v.admin(token, tenant)
	if err == nil {
		err = v.proved(g)
	}
	return g, err
}

// stillActive repeats in the transaction that the person behind the grant was not disabled meanwhile.
func stillActive(ctx context.Context, tx *db.Tx, g *grant) error {
	if g.service != "" {
		return nil
	}
	if g.citizen() {
		return fault.Denied
	}
	err := activePerson(ctx, tx, g.tenant, g.person)
	if errors.Is(err, fault.NotFound) {
		return fmt.Errorf("person %s: %w", g.person, fault.Denied)
	}
	return err
}

// stillIn repeats in the transaction that the person behind the grant is active and has one of the roles, and returns it. The role
// counts as the row has it now, not as it was at sign-in. A service has none and passes.
func stillIn(ctx context.Context, tx *db.Tx, g *grant, roles ...string) (role string, err error) {
	if g.service != "" {
		return "", nil
	}
	role, err = selectRole(ctx, tx, g.tenant, g.person)
	if errors.Is(err, fault.NotFound) || err == nil && !slices.Contains(roles, role) {
		err = fmt.Errorf("person %s: %w", g.person, fault.Denied)
	}
	return role, err
}

// stillAdmin repeats in the transaction that who acts is still an administrator of the tenant, or the console.
func stillAdmin(ctx context.Context, tx *db.Tx, g *grant) error {
	_, err := stillIn(ctx, tx, g, RoleAdmin)
	return err
}

// stillOwn is stillAdmin, or stillActive when persons act for themselves.
func stillOwn(ctx context.Context, tx *db.Tx, g *grant, person string) error {
	if g.service == "" && g.person == person {
		return stillActive(ctx, tx, g)
	}
	return stillAdmin(ctx, tx, g)
}

// keepAdmin is fault.Conflict when the tenant has no active administrator left: asked after the change, in its transaction.
func keepAdmin(ctx context.Context, tx *db.Tx, tenant string) error {
	n, err := countAdmins(ctx, tx, tenant)
	if err == nil && n == 0 {
		err = fmt.Errorf("tenant %s: the last administrator stays: %w", tenant, fault.Conflict)
	}
	return err
}

// AddStaff creates a person. token is that of an administrator of the tenant, with a fresh proof (ErrProve), or of the service "console". The login is unique in
// the tenant without regard to case (fault.Conflict); fault.Invalid names the fields login, password, role.
func (v *Vault) AddStaff(ctx context.Context, token string, s StaffSpec) (Enrolment, error) {
	g, err := v.provedAdmin(token, s.Tenant)
	if err != nil {
		return Enrolment{}, fmt.Errorf("vault: add staff: %w", err)
	}
	if err := s.check(); err != nil {
		return Enrolment{}, fmt.Errorf("vault: add staff: %w", err)
	}
	phc, err := v.newPassword(ctx, s.Password, "")
	if err != nil {
		return Enrolment{}, fmt.Errorf("vault: add staff: %w", err)
	}
	row := staffRow{id: cmp.Or(s.Person, rand.Text()), role: s.Role, active: true, secondFactor: s.SecondFactor}
	e := Enrolment{Person: row.id}
	seed := make([]byte, totpSeed)
	if s.SecondFactor {
		rand.Read(seed)
		e.TOTPSecret, e.TOTPURL = totpURL(s.Login, seed)
	}
	login := strings.TrimSpace(s.Login)
	row.login = v.keys.seal([]byte(login), "login", s.Tenant, row.id)
	row.password = v.keys.seal(phc, "password", s.Tenant, row.id)
	row.totp = v.keys.seal(seed, "totp", s.Tenant, row.id)
	row.mail = v.keys.seal([]byte(s.Mail), "mail", s.Tenant, row.id)
	err = v.update(ctx, "add staff", func(tx *db.Tx) error {
		if err := stillAdmin(ctx, tx, g); err != nil {
			return err
		}
		if err := roleFits(ctx, tx, s.Tenant, s.Role); err != nil {
			return err
		}
		if err := insertStaff(ctx, tx, s.Tenant, v.loginKey(s.Tenant, s.Login), row); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: s.Tenant, person: g.actor(), action: actionAdd, object: row.id, purpose: s.Role, items: 1})
	})
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// roleFits refuses the operator's role anywhere but in the operator's own tenant; a tenant that does not exist is fault.NotFound.
func roleFits(ctx context.Context, tx *db.Tx, tenant, role string) error {
	operator, err := selectOperator(ctx, tx, tenant)
	if err == nil && role == RoleOperator && !operator {
		err = fault.Fields(fault.Field{Name: "role", Key: "vault.staff.operatorrole"})
	}
	return err
}

func (s StaffSpec) check() error {
	var bad []fault.Field
	if n := len(foldLogin(s.Login)); n == 0 || n > 254 || !utf8.ValidString(s.Login) {
		bad = append(bad, fault.Field{Name: "login", Key: "vault.staff.login"})
	}
	if f, ok := badPassword(s.Password, s.Tenant, s.Login, s.Mail); ok {
		bad = append(bad, f)
	}
	if !slices.Contains(Roles(), s.Role) {
		bad = append(bad, fault.Field{Name: "role", Key: "vault.staff.role"})
	}
	return fault.Fields(bad...)
}

// newPassword hashes a password within an origin's share of the queue; see slot.
func (v *Vault) newPassword(ctx context.Context, password, origin string) ([]byte, error) {
	release, err := v.slot(ctx, origin)
	if err != nil {
		return nil, err
	}
	defer release()
	return hashPassword(password, v.cfg.Argon)
}

// own resolves a token that may change a person's own verifiers, or those of a colleague as administrator.
func (v *Vault) own(token, tenant, person string) (*grant, error) {
	if g, err := v.person(token, tenant); err == nil && g.person == person {
		return g, nil
	}
	return v.admin(token, tenant)
}

// loginOf reads the login of an active person.
func (v *Vault) loginOf(ctx context.Context, tenant, person string) (string, error) {
	var sealed []byte
	err := v.view(ctx, "login", func(tx *db.Tx) (err error) {
		sealed, _, err = selectActive(ctx, tx, tenant, person)
		return err
	})
	if err != nil {
		return "", err
	}
	login, err := v.keys.open(sealed, "login", tenant, person)
	return string(login), err
}

// SetPassword replaces a person's password and ends their other sessions. token is that of the person, of an administrator with a
// fresh proof (ErrProve) or of the console. Set by somebody else, it takes the person's passkeys, and with Config.FourEyes all they may read until a second person
// has confirmed it anew: see Proposals.
func (v *Vault) SetPassword(ctx context.Context, token, tenant, person, password string) error {
	g, err := v.own(token, tenant, person)
	if err == nil && g.person != person {
		err = v.proved(g)
	}
	if err != nil {
		return fmt.Errorf("vault: set password of %s: %w", person, err)
	}
	login, err := v.loginOf(ctx, tenant, person)
	if err != nil {
		return fmt.Errorf("vault: set password of %s: %w", person, err)
	}
	if f, bad := badPassword(password, tenant, login); bad {
		return fmt.Errorf("vault: set password of %s: %w", person, fault.Fields(f))
	}
	phc, err := v.newPassword(ctx, password, "")
	if err != nil {
		return fmt.Errorf("vault: set password of %s: %w", person, err)
	}
	return v.update(ctx, "set password", func(tx *db.Tx) error {
		if err := stillOwn(ctx, tx, g, person); err != nil {
			return err
		}
		if err := updatePassword(ctx, tx, tenant, person, v.keys.seal(phc, "password", tenant, person)); err != nil {
			return err
		}
		if err := v.renewed(ctx, tx, g, tenant, person); err != nil {
			return err
		}
		tx.AfterCommit(func() { v.grants.endPerson(tenant, person, token) })
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionPassword, object: person, items: 1})
	})
}

// RenewSecondFactor draws a new TOTP seed for a person and demands it from now on; their other sessions end. It demands a fresh
// proof (ErrProve). By somebody else it has the consequences of SetPassword.
func (v *Vault) RenewSecondFactor(ctx context.Context, token, tenant, person string) (Enrolment, error) {
	g, err := v.own(token, tenant, person)
	if err == nil {
		err = v.proved(g)
	}
	if err != nil {
		return Enrolment{}, fmt.Errorf("vault: second factor of %s: %w", person, err)
	}
	seed := make([]byte, totpSeed)
	rand.Read(seed)
	e := Enrolment{Person: person}
	err = v.update(ctx, "second factor", func(tx *db.Tx) error {
		if err := stillOwn(ctx, tx, g, person); err != nil {
			return err
		}
		sealed, err := updateTOTP(ctx, tx, tenant, person, v.keys.seal(seed, "totp", tenant, person))
		if err != nil {
			return err
		}
		if err := v.renewed(ctx, tx, g, tenant, person); err != nil {
			return err
		}
		login, err := v.keys.open(sealed, "login", tenant, person)
		if err != nil {
			return err
		}
		e.TOTPSecret, e.TOTPURL = totpURL(string(login), seed)
		tx.AfterCommit(func() { v.grants.endPerson(tenant, person, token) })
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionFactor, object: person, items: 1})
	})
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// DisableStaff ends a person's access at once: sessions, memberships, substitutions, passkeys, verifiers and mail address go; the row
// stays for the audit and its login stays taken until it expires. The last administrator is fault.Conflict. It is idempotent.
func (v *Vault) DisableStaff(ctx context.Context, token, tenant, person string) error {
	g, err := v.admin(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: disable %s: %w", person, err)
	}
	return v.update(ctx, "disable staff", func(tx *db.Tx) error {
		if err := stillAdmin(ctx, tx, g); err != nil {
			return err
		}
		role, done, err := disableStaff(ctx, tx, tenant, person)
		if err != nil || !done {
			return err
		}
		if role == RoleAdmin {
			if err := keepAdmin(ctx, tx, tenant); err != nil {
				return err
			}
		}
		if err := dropPasskeys(ctx, tx, staffOwner(tenant, person)); err != nil {
			return err
		}
		tx.AfterCommit(func() { v.grants.endPerson(tenant, person, "") })
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionDisable, object: person, items: 1})
	})
}

// Join makes a person a member of a mailbox. token is that of an administrator with a fresh proof (ErrProve), who can never join
// themselves, or of the console.
// With Config.FourEyes it only proposes (active is false); a second person confirms (Confirm), or calls Join as administrator. The
// console joins directly as long as fewer than two persons could confirm: so an authority begins. It is idempotent. Roles that see
// no content are fault.Denied.
func (v *Vault) Join(ctx context.Context, token, tenant, person, mailbox string) (active bool, err error) {
	g, err := v.provedAdmin(token, tenant)
	if err != nil {
		return false, fmt.Errorf("vault: join %s: %w", mailbox, err)
	}
	if g.service == "" && g.person == person {
		return false, fmt.Errorf("vault: join %s: nobody admits themselves: %w", mailbox, fault.Denied)
	}
	err = v.update(ctx, "join", func(tx *db.Tx) (err error) {
		active, err = v.join(ctx, tx, g, tenant, person, mailbox)
		return err
	})
	return active && err == nil, err
}

func (v *Vault) join(ctx context.Context, tx *db.Tx, g *grant, tenant, person, mailbox string) (active bool, err error) {
	if err := stillAdmin(ctx, tx, g); err != nil {
		return false, err
	}
	role, err := selectRole(ctx, tx, tenant, person)
	if err != nil {
		return false, err
	}
	if !mayJoin(role) {
		return false, fmt.Errorf("mailbox %s: role %s sees no content: %w", mailbox, role, fault.Denied)
	}
	if _, err := selectMailbox(ctx, tx, tenant, mailbox); err != nil {
		return false, err
	}
	by, confirmed, err := selectMember(ctx, tx, tenant, person, mailbox)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return false, err
	}
	if confirmed != "" {
		return true, nil
	}
	p := Proposal{Kind: ProposeMember, Person: person, Mailbox: mailbox, By: by}
	if active, err = v.joinsNow(ctx, tx, g, tenant, p); err != nil {
		return false, err
	}
	who, action := "", actionPropose
	switch {
	case active:
		who, action = g.actor(), actionJoin
	case by != "":
		return false, nil
	}
	if err := putMember(ctx, tx, tenant, person, mailbox, cmp.Or(by, g.actor()), who); err != nil {
		return false, err
	}
	return active, v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: action, object: person, purpose: mailbox, items: 1})
}

// joinsNow decides whether this call makes the membership active: without four eyes, as the second pair, or while an authority begins.
func (v *Vault) joinsNow(ctx context.Context, tx *db.Tx, g *grant, tenant string, p Proposal) (bool, error) {
	if !v.cfg.FourEyes {
		return true, nil
	}
	if g.service != "" {
		return begins(ctx, tx, g, tenant, p.Person, p.Mailbox)
	}
	if p.By == "" {
		return false, nil
	}
	return mayConfirm(ctx, tx, g, tenant, p)
}

// Leave ends a membership from the next call on. token is that of an administrator, of the person, or of the console. It is
// idempotent.
func (v *Vault) Leave(ctx context.Context, token, tenant, person, mailbox string) error {
	g, err := v.own(token, tenant, person)
	if err != nil {
		return fmt.Errorf("vault: leave %s: %w", mailbox, err)
	}
	return v.update(ctx, "leave", func(tx *db.Tx) error {
		if err := stillOwn(ctx, tx, g, person); err != nil {
			return err
		}
		n, err := deleteMember(ctx, tx, tenant, person, mailbox)
		if err != nil || n == 0 {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionLeave, object: person, purpose: mailbox, items: 1})
	})
}

// Members lists the memberships of a mailbox: ids and dates only.
func (v *Vault) Members(ctx context.Context, tenant, mailbox string) ([]Member, error) {
	var out []Member
	err := v.view(ctx, "members", func(tx *db.Tx) error {
		var err error
		out, err = selectMembers(ctx, tx, tenant, mailbox)
		return err
	})
	return out, err
}

// Staff lists the persons of a tenant by login, for any of them or the console.
func (v *Vault) Staff(ctx context.Context, token, tenant string) ([]Person, error) {
	g, err := v.console(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: staff: %w", err)
	}
	var rows []staffRow
	var members map[string][]string
	var keys map[string]int
	err = v.view(ctx, "staff", func(tx *db.Tx) error {
		if err := stillActive(ctx, tx, g); err != nil {
			return err
		}
		var err error
		if rows, err = selectStaff(ctx, tx, tenant); err != nil {
			return err
		}
		if members, err = selectAllMembers(ctx, tx, tenant); err != nil {
			return err
		}
		keys, err = countPasskeys(ctx, tx, tenant)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Person, 0, len(rows))
	for _, r := range rows {
		login, err := v.keys.open(r.login, "login", tenant, r.id)
		if err != nil {
			return nil, err
		}
		out = append(out, Person{ID: r.id, Login: string(login), Role: r.role, Active: r.active, SecondFactor: r.secondFactor, Mailboxes: members[r.id],
			Passkeys: keys[r.id]})
	}
	slices.SortFunc(out, func(a, b Person) int { return strings.Compare(foldLogin(a.Login), foldLogin(b.Login)) })
	return out, nil
}

// StaffMail returns the mail addresses of active persons, for the service "notifier". Persons without one are left out.
func (v *Vault) StaffMail(ctx context.Context, token, tenant string, persons []string) (map[string]string, error) {
	g, err := v.service(token, ServiceNotifier)
	if err != nil {
		return nil, fmt.Errorf("vault: staff mail: %w", err)
	}
	if len(persons) > maxBatch {
		return nil, fmt.Errorf("vault: staff mail: %d persons: %w", len(persons), fault.TooLarge)
	}
	out := map[string]string{}
	if len(persons) == 0 {
		return out, nil
	}
	var rows []staffRow
	err = v.update(ctx, "staff mail", func(tx *db.Tx) error {
		var err error
		if rows, err = selectMails(ctx, tx, tenant, persons); err != nil || len(rows) == 0 {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionMail, items: len(rows), purpose: "notify"})
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		mail, err := v.keys.open(r.mail, "mail", tenant, r.id)
		if err != nil {
			return nil, err
		}
		if len(mail) > 0 {
			out[r.id] = string(mail)
		}
	}
	return out, nil
}
