// Package demo fills a fresh installation with content to look at: two
// authorities and the operator, their staff, a system message and some forty
// letters in every state that a letter can have.
//
// Everything goes the ordinary way: letters are sealed and delivered as the
// assistant delivers them, the vault takes their keys in, and the staff sign in
// before they answer. Nothing is written past the packages that own it. Only
// the clock is moved: content is spread over the last three weeks, so Seed sets
// it back, plays the days in order and leaves it at Stage.Now.
//
// The texts are Go data, not catalogue entries: they are what invented people
// write, not what the program says. Every person, address and number in them is
// invented. Apart from keys, identifiers and collection codes, two runs at the
// same Now give the same content.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mailbox"
	"poststelle/internal/newsletter"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// Password is the password of all staff of the demonstration.
const Password = "poststelle-demo"

// Stage is the installation that Seed fills. All fields are required. Nothing
// else may use the installation meanwhile: the clock is in the past.
type Stage struct {
	// AddTenants makes tenants with their keys and refreshes the directory.
	AddTenants func(context.Context, []tenant.Tenant) error
	DB         *db.DB
	Directory  *tenant.Directory
	Accounts   *account.Accounts
	Staff      account.Console
	Mailboxes  *mailbox.Service
	Blog       *blog.Service
	Newsletter *newsletter.Service
	Vault      vault.Service
	// RunDue runs the jobs that are due at the clock's time.
	RunDue func(context.Context) (int, error)
	// SetClock sets the clock of the whole installation.
	SetClock func(time.Time)
	// RenewDay makes the vault publish and destroy what is due at the clock's
	// time and renews the delegation: day keys cover a week.
	RenewDay func(context.Context) error
	// Now is where the clock stands at the end.
	Now time.Time
}

// Staff is a person who can sign in to the demonstration.
type Staff struct {
	Tenant   tenant.ID
	Login    string
	Password string
	Role     account.Role
	Name     string
}

// days is how far back the content begins; the first letters are written then.
const days = 20

// Seed fills the installation and returns who can sign in, in the order of the
// tenants. It takes a moment and is not to be run twice.
func Seed(ctx context.Context, st Stage) ([]Staff, error) {
	s := &seeding{Stage: st, people: map[personKey]*person{}, picture: sync.OnceValue(func() []byte { return landscape(1200, 480) })}
	go s.picture() // drawn while the rest waits for the disk
	if err := s.found(ctx); err != nil {
		return nil, fmt.Errorf("demo: found: %w", err)
	}
	staff, err := s.hire(ctx)
	if err != nil {
		return nil, fmt.Errorf("demo: hire: %w", err)
	}
	if err := s.register(ctx); err != nil {
		return nil, fmt.Errorf("demo: register: %w", err)
	}
	if err := s.play(ctx); err != nil {
		return nil, fmt.Errorf("demo: play: %w", err)
	}
	if err := s.announce(ctx); err != nil {
		return nil, fmt.Errorf("demo: announce: %w", err)
	}
	return staff, nil
}

// seeding is one run of Seed.
type seeding struct {
	Stage
	people  map[personKey]*person
	kim     account.Citizen
	renewed time.Time // when the day keys were renewed
	taken   int       // letters that the vault has
	sent    int       // letters that were sent
	picture func() []byte
}

type personKey struct {
	of    tenant.ID
	login string
}

// person is a member of staff with the sign-in of the moment.
type person struct {
	hired
	id    string
	actor account.Actor
	until time.Time // when the sign-in is renewed
}

// found sets the clock back and adds the tenants.
func (s *seeding) found(ctx context.Context) error {
	first := daysAgo(s.Now, days, 7)
	s.SetClock(first)
	if err := s.renew(ctx, first); err != nil {
		return err
	}
	return s.AddTenants(ctx, tenants())
}

func (s *seeding) renew(ctx context.Context, at time.Time) error {
	s.renewed = at
	return s.RenewDay(ctx)
}

func (s *seeding) hire(ctx context.Context) ([]Staff, error) {
	var out []Staff
	for _, h := range staff() {
		e, err := s.Stage.Staff.AddStaff(ctx, account.NewStaff{
			Tenant: h.of, Login: h.login, Name: h.name, Password: Password, Role: h.role, Mail: h.mail,
			Mailboxes: h.boxes, Notices: h.notices,
		})
		if err != nil {
			return nil, err
		}
		s.people[personKey{h.of, h.login}] = &person{hired: h, id: e.Person}
		out = append(out, Staff{Tenant: h.of, Login: h.login, Password: Password, Role: h.role, Name: h.name})
	}
	return out, nil
}

func (s *seeding) tenant(id tenant.ID) (*tenant.Tenant, error) {
	t, ok := s.Directory.ByID(id)
	if !ok {
		return nil, fmt.Errorf("tenant %s: %w", id, fault.NotFound)
	}
	return t, nil
}

// scene is one thing that happens at one time.
type scene struct {
	at  time.Time
	run func(context.Context) error
}

// play does everything in the order of time.
func (s *seeding) play(ctx context.Context) error {
	all := append(s.news(), s.letters()...)
	all = append(all, s.permits()...)
	for _, st := range append(stories(), held()...) {
		all = append(all, s.scenes(st)...)
	}
	slices.SortStableFunc(all, func(a, b scene) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, sc := range all {
		if err := s.step(ctx, sc.at); err != nil {
			return err
		}
		if err := sc.run(ctx); err != nil {
			return err
		}
	}
	return s.finish(ctx)
}

// round is how often waiting jobs run and day keys are renewed. Jobs are what
// takes most of the time here, so notices leave up to three days late.
const round = 3 * 24 * time.Hour

// step moves the clock.
func (s *seeding) step(ctx context.Context, at time.Time) error {
	if at.Sub(s.renewed) < round {
		s.SetClock(at)
		return nil
	}
	if err := s.runDue(ctx); err != nil {
		return err
	}
	s.SetClock(at)
	return s.renew(ctx, at)
}

// runners is how many go through the due jobs at the same time, as the workers
// of a running server do: what waits for the disk is then written together.
const runners = 4

func (s *seeding) runDue(ctx context.Context) error {
	if err := s.takeIn(ctx); err != nil {
		return err
	}
	errs := make([]error, runners)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.RunDue(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// takeIn gives the vault the keys of all letters sent so far.
func (s *seeding) takeIn(ctx context.Context) error {
	if s.taken == s.sent {
		return nil
	}
	s.taken = s.sent
	_, err := s.Mailboxes.TakeIn(ctx)
	return err
}

// finish comes back to the present.
func (s *seeding) finish(ctx context.Context) error {
	s.SetClock(s.Now)
	if err := s.runDue(ctx); err != nil {
		return err
	}
	if err := s.draft(ctx); err != nil {
		return err
	}
	return s.renew(ctx, s.Now)
}

// announce shows a planned maintenance, on the second Sunday from now.
func (s *seeding) announce(ctx context.Context) error {
	day := s.Now.In(i18n.Zone()).AddDate(0, 0, 7)
	for day.Weekday() != time.Sunday {
		day = day.AddDate(0, 0, 1)
	}
	_, err := tenant.AddBanner(ctx, s.DB, tenant.Banner{
		Kind: tenant.Info, From: s.Now.AddDate(0, 0, -1), Until: day.AddDate(0, 0, 1),
		Title:   "Wartung am Sonntag, " + day.Format("02.01.2006") + ", von 20 bis 22 Uhr.",
		TitleEN: "Maintenance on Sunday, " + day.Format("2 January 2006") + ", from 8 to 10 p.m.",
		Text: "In dieser Zeit können Sie keine Nachrichten senden und keine Antworten abholen. Was Sie vorher gesendet haben, " +
			"bleibt erhalten.",
		TextEN: "During this time you cannot send messages or collect answers. What you have sent before is kept.",
	})
	if err != nil {
		return err
	}
	return s.Directory.Refresh(ctx)
}

// as returns a member of staff, signed in. A sign-in holds for half an hour
// without use and for eight hours at most.
func (s *seeding) as(ctx context.Context, of tenant.ID, login string, at time.Time) (account.Actor, error) {
	p, ok := s.people[personKey{of, login}]
	if !ok {
		return account.Actor{}, fmt.Errorf("nobody is called %s/%s: %w", of, login, fault.NotFound)
	}
	if at.Before(p.until) {
		return p.actor, nil
	}
	g, err := s.Vault.SignIn(ctx, vault.Proof{Tenant: string(of), Login: login, Password: Password})
	if err != nil {
		return account.Actor{}, err
	}
	p.until = at.Add(25 * time.Minute)
	p.actor = account.Actor{Tenant: of, Person: g.Person, Name: p.name, Role: p.role, Grant: g.Token}
	for _, m := range g.Mailboxes {
		p.actor.Mailboxes = append(p.actor.Mailboxes, tenant.MailboxID(m))
	}
	return p.actor, nil
}

// thread is what a story knows of its letter once it is delivered. Last is the
// number of its latest letter: nobody opens the thread before the vault has it.
type thread struct {
	id   string
	code seal.Code
	last int
}

// scenes puts a story into time. What would lie in the future happens minutes
// ago instead, so that the states are the same whatever the day is.
func (s *seeding) scenes(st story) []scene {
	latest := s.Now.Add(-time.Duration(len(st.then)+1) * time.Minute)
	at := st.written(s.Now)
	if at.After(latest) {
		at = latest
	}
	var th thread
	out := []scene{{at: at, run: func(ctx context.Context) error { return s.deliver(ctx, st, &th) }}}
	for _, a := range st.then {
		at = a.when(at)
		if latest = latest.Add(time.Minute); at.After(latest) {
			at = latest
		}
		when := at
		out = append(out, scene{at: at, run: func(ctx context.Context) error {
			if err := s.act(ctx, st, a, &th, when); err != nil {
				return fmt.Errorf("%s/%s %q: %w", st.of, st.letter.Mailbox, st.letter.Subject, err)
			}
			return nil
		}})
	}
	return out
}

func (s *seeding) deliver(ctx context.Context, st story, th *thread) error {
	t, err := s.tenant(st.of)
	if err != nil {
		return err
	}
	send := s.Mailboxes.Deliver
	if st.account {
		send = func(ctx context.Context, t *tenant.Tenant, l mailbox.Letter) (mailbox.Delivered, error) {
			return s.Mailboxes.DeliverHeld(ctx, t, s.kim, l)
		}
	}
	done, err := send(ctx, t, st.letter)
	if err != nil {
		return fmt.Errorf("%q: %w", st.letter.Subject, err)
	}
	s.sent++
	*th = thread{id: done.Thread, code: done.Code, last: s.sent}
	return nil
}

// act does what somebody does with a letter.
func (s *seeding) act(ctx context.Context, st story, a act, th *thread, at time.Time) error {
	if th.last > s.taken {
		if err := s.takeIn(ctx); err != nil {
			return err
		}
	}
	if a.who == "" {
		return s.writes(ctx, st, a, th)
	}
	who, err := s.as(ctx, st.of, a.who, at)
	if err != nil {
		return err
	}
	switch a.does {
	case answers, notes:
		return s.Mailboxes.Answer(ctx, who, mailbox.Reply{
			Thread: th.id, Body: a.text, Files: a.files, Note: a.does == notes, Close: a.last,
		})
	case takes:
		return s.Mailboxes.Assign(ctx, who, th.id, who.Person)
	case gives:
		p, ok := s.people[personKey{st.of, a.to}]
		if !ok {
			return fmt.Errorf("nobody is called %s: %w", a.to, fault.NotFound)
		}
		return s.Mailboxes.Assign(ctx, who, th.id, p.id)
	case reads:
		return s.Mailboxes.MarkRead(ctx, who, th.id)
	case forwards:
		return s.Mailboxes.Forward(ctx, who, th.id, tenant.MailboxID(a.to), a.text, a.tell)
	case closes:
		return s.Mailboxes.CloseThread(ctx, who, th.id)
	case begins:
		_, err := s.Mailboxes.Begin(ctx, who, mailbox.Begun{From: th.id, Mailbox: st.letter.Mailbox, Subject: a.to, Body: a.text, Files: a.files})
		return err
	}
	return fmt.Errorf("unknown act %d: %w", a.does, fault.Internal)
}

// writes does what the person who wrote the letter does with it.
func (s *seeding) writes(ctx context.Context, st story, a act, th *thread) error {
	t, err := s.tenant(st.of)
	if err != nil {
		return err
	}
	if a.does == looks {
		return s.Mailboxes.MarkHeldRead(ctx, t, s.kim, th.id)
	}
	if a.does == withdraws {
		return s.Mailboxes.AskWithdrawal(ctx, t, th.code)
	}
	s.sent++
	th.last = s.sent
	if st.account {
		return s.Mailboxes.WriteHeld(ctx, t, s.kim, th.id, a.text, a.files...)
	}
	return s.Mailboxes.WriteAgain(ctx, t, th.code, a.text, a.files...)
}
