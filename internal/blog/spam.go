package blog

import (
	"crypto/sha256"
	"math/bits"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// Whether a person has to look at a comment first is decided here, without any
// outside service and without learning: each reason is a word that the desk
// explains. A high score never deletes anything.
const (
	flagTrap   = "falle"        // a field was filled that people do not see
	flagForm   = "formular"     // sent without a form of ours, or with one of yesterday
	flagFast   = "schnell"      // sent within seconds
	flagLinks  = "links"        // more than two links
	flagRepeat = "wiederholung" // the same text came within the hour
	flagWords  = "woerter"      // words of the list
	flagLoud   = "grossbuchstaben"
	flagBusy   = "haeufung" // many comments from one network, and no proof of work

	suspicion    = 3
	repeatWindow = time.Hour
	tooFast      = 3 * time.Second
	maxLinks     = 2
)

// spamWords are few on purpose: each is rare in a comment about a municipality.
func spamWords() []string {
	return []string{"casino", "viagra", "cialis", "bitcoin-gewinn", "forex", "onlyfans", "escort", "backlink", "payday loan", "seo-agentur", "kredit ohne schufa", "testosteron"}
}

var linkForm = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"']+`)

// verdict is what speaks against showing a comment at once.
type verdict struct {
	score int
	flags []string
}

func (v *verdict) add(flag string, points int) {
	v.flags = append(v.flags, flag)
	v.score += points
}

func (v verdict) suspicious() bool { return v.score >= suspicion }

func (v verdict) words() string { return strings.Join(v.flags, " ") }

// judged is what is known beside the text.
type judged struct {
	known, busy bool
	age         time.Duration
	now         time.Time
}

func (s *Service) judge(of tenant.ID, body string, in Submission, j judged) (v verdict) {
	if in.Trap != "" {
		v.add(flagTrap, 10)
	}
	switch {
	case !j.known:
		v.add(flagForm, 3)
	case j.age < tooFast:
		v.add(flagFast, 4)
	}
	if len(linkForm.FindAllStringIndex(body, maxLinks+1)) > maxLinks {
		v.add(flagLinks, 4)
	}
	if !s.seen.Take(sha256.Sum256([]byte(string(of)+"\x00"+squeeze(body))), j.now) {
		v.add(flagRepeat, 4)
	}
	lower := strings.ToLower(body)
	for _, w := range spamWords() {
		if strings.Contains(lower, w) {
			v.add(flagWords, 3)
			break
		}
	}
	if loud(body) {
		v.add(flagLoud, 1)
	}
	if j.busy {
		v.add(flagBusy, 3)
	}
	return v
}

// squeeze makes texts alike that differ in case and spaces only.
func squeeze(s string) string { return squeezeSpace(strings.ToLower(s)) }

func loud(s string) bool {
	upper, letters := 0, 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
			if unicode.IsUpper(r) {
				upper++
			}
		}
	}
	return letters >= 20 && upper*10 > letters*7
}

// Limits of comments from one network in rateWindow: beyond the first a person
// looks at them unless the browser proves some work, beyond the second none is
// taken.
const (
	rateSoft   = 6
	rateHard   = 40
	rateWindow = 10 * time.Minute
	rateKeys   = 100_000
)

// rates counts comments by network, in memory alone.
type rates struct {
	mu   sync.Mutex
	from time.Time
	used map[netip.Prefix]int
}

func newRates() *rates { return &rates{used: map[netip.Prefix]int{}} }

// turn forgets everything when a window is over. The caller holds mu.
func (r *rates) turn(now time.Time) {
	if from := now.Truncate(rateWindow); !from.Equal(r.from) {
		r.from, r.used = from, map[netip.Prefix]int{}
	}
}

// take counts a comment. busy says that the network has written often, ok is
// false when it may not write now. The machine itself is not counted.
func (r *rates) take(a netip.Addr, now time.Time) (busy, ok bool) {
	n := web.Network(a)
	if !n.IsValid() {
		return false, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(now)
	used, known := r.used[n]
	if used >= rateHard {
		return true, false
	}
	if known || len(r.used) < rateKeys {
		r.used[n] = used + 1
	}
	return used >= rateSoft, true
}

// near reports whether the next comment of a network counts as busy.
func (r *rates) near(a netip.Addr, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(now)
	return r.used[web.Network(a)] >= rateSoft
}

// proofBits is the work of a proof: about 2^16 hashes, well below a second.
const proofBits = 16

// proves checks a proof of work: SHA-256 of form, a colon and the proof begins
// with proofBits zero bits.
func proves(form, proof string) bool {
	if form == "" || proof == "" || len(proof) > 20 {
		return false
	}
	sum := sha256.Sum256([]byte(form + ":" + proof))
	return bits.LeadingZeros16(uint16(sum[0])<<8|uint16(sum[1])) >= proofBits
}

// squeezeSpace puts a text on one line.
func squeezeSpace(s string) string { return strings.Join(strings.Fields(s), " ") }
