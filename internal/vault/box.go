package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// A box carries the keys of one letter from web to the vault. Its plaintext is one of four fixed-length records, so the parser
// has nothing to guess:
//
//	version 1 | kind 1 | K 32 | T 32 | lookup id 32 | wrap of T under the code 60     a first letter with a collection code
//	version 1 | kind 2 | K 32                                                         one more letter in a known thread
//	version 1 | kind 3 | K 32 | T 32                                                  a first letter without a code
//	version 1 | kind 4 | K 32 | T 32 | account 26                                     a first letter from an account
//
// Its associated data binds tenant, mailbox, thread, message and day: a box opened for any other row is a forgery.
const (
	boxVersion = 1
	boxFirst   = 1
	boxMore    = 2
	boxNoCode  = 3
	boxAccount = 4

	keySize     = 32
	wrapSize    = 60
	lookupSize  = 32
	accountSize = 26
	maxBox      = 4096
	maxID       = 200
)

// Box is one queue row as web stores it: five ids in the clear and the sealed keys.
type Box struct {
	Tenant, Mailbox, Thread, Message string
	Day                              string // "2006-01-02", the day key it is sealed to
	Sealed                           []byte
}

// First holds what only the first letter of a thread carries: the thread key and how the sender comes back to it. That is the
// collection code's lookup id with the thread key wrapped under the code, or the id of the sender's account, or neither.
type First struct {
	T        seal.Key
	LookupID []byte
	Wrapped  []byte
	Account  string
}

// NewFirst draws the thread key of a new thread and wraps it under the collection code. The tenant and thread are bound into the
// wrap, so it opens nowhere else.
func NewFirst(tenant, thread string, code seal.Code) First {
	t := seal.NewKey()
	return First{T: t, LookupID: code.LookupID(), Wrapped: seal.Wrap(code.WrapKey(), t, codeAD(tenant, thread))}
}

// NewFirstFor draws the thread key of a new thread that a citizen with an account begins; account is Grant.Person. The vault wraps
// it under the account's key when it takes the letter in.
func NewFirstFor(account string) First { return First{T: seal.NewKey(), Account: account} }

// Letter is what web knows when a citizen has pressed send. First is nil when the letter continues a thread.
type Letter struct {
	Tenant, Mailbox, Thread, Message string
	K                                seal.Key
	First                            *First
}

// DayKey is a public key of the vault for one day (UTC).
type DayKey struct {
	Day    string `json:"day"`
	Public []byte `json:"public"`

	parsed *seal.Public // once for all letters of a day; nil is parsed when needed
}

// key returns the public key, parsed.
func (d DayKey) key() (seal.Public, error) {
	if d.parsed != nil {
		return *d.parsed, nil
	}
	return seal.ParsePublic(d.Public)
}

// SealBox seals the keys of l to a day key. It needs no vault, so intake works while the vault is away; the box goes into the
// queue in the transaction of the message.
func SealBox(day DayKey, l Letter) (Box, error) {
	b := Box{Tenant: l.Tenant, Mailbox: l.Mailbox, Thread: l.Thread, Message: l.Message, Day: day.Day}
	if !b.wellFormed() {
		return Box{}, fmt.Errorf("vault: seal box of message %s: ids: %w", l.Message, fault.Invalid)
	}
	plain, err := l.encode()
	if err != nil {
		return Box{}, err
	}
	public, err := day.key()
	if err != nil {
		return Box{}, fmt.Errorf("vault: seal box of message %s: day key: %w", l.Message, err)
	}
	sealed, err := public.SealBox(plain, b.ad())
	clear(plain)
	if err != nil {
		return Box{}, fmt.Errorf("vault: seal box of message %s: %w", l.Message, err)
	}
	b.Sealed = sealed
	return b, nil
}

func (l Letter) encode() ([]byte, error) {
	out := make([]byte, 0, 2+3*keySize+wrapSize)
	switch {
	case l.First == nil:
		out = append(out, boxVersion, boxMore)
		return append(out, l.K[:]...), nil
	case l.First.Account != "":
		if !validAccount(l.First.Account) || len(l.First.LookupID) > 0 || len(l.First.Wrapped) > 0 {
			return nil, fmt.Errorf("vault: seal box of message %s: account: %w", l.Message, fault.Invalid)
		}
		out = append(out, boxVersion, boxAccount)
		out = append(out, l.K[:]...)
		out = append(out, l.First.T[:]...)
		return append(out, l.First.Account...), nil
	case len(l.First.LookupID) == 0 && len(l.First.Wrapped) == 0:
		out = append(out, boxVersion, boxNoCode)
		out = append(out, l.K[:]...)
		return append(out, l.First.T[:]...), nil
	case len(l.First.LookupID) != lookupSize || len(l.First.Wrapped) != wrapSize:
		return nil, fmt.Errorf("vault: seal box of message %s: lookup id or wrap: %w", l.Message, fault.Invalid)
	}
	out = append(out, boxVersion, boxFirst)
	out = append(out, l.K[:]...)
	out = append(out, l.First.T[:]...)
	out = append(out, l.First.LookupID...)
	return append(out, l.First.Wrapped...), nil
}

// decodeBox reads a box plaintext. It accepts exactly the records above.
func decodeBox(p []byte) (k seal.Key, first *First, ok bool) {
	if len(p) < 2+keySize || p[0] != boxVersion {
		return k, nil, false
	}
	copy(k[:], p[2:])
	rest := p[2+keySize:]
	switch {
	case p[1] == boxMore && len(rest) == 0:
		return k, nil, true
	case p[1] == boxNoCode && len(rest) == keySize:
		first = new(First)
		copy(first.T[:], rest)
		return k, first, true
	case p[1] == boxAccount && len(rest) == keySize+accountSize && validAccount(string(rest[keySize:])):
		first = &First{Account: string(rest[keySize:])}
		copy(first.T[:], rest)
		return k, first, true
	case p[1] == boxFirst && len(rest) == keySize+lookupSize+wrapSize:
		first = &First{LookupID: bytes.Clone(rest[keySize : keySize+lookupSize]), Wrapped: bytes.Clone(rest[keySize+lookupSize:])}
		copy(first.T[:], rest)
		return k, first, true
	}
	return seal.Key{}, nil, false
}

// validAccount reports whether id is one that rand.Text drew: 26 characters A-Z and 2-7.
func validAccount(id string) bool {
	_, err := seal.ParseToken(id)
	return err == nil && len(id) == accountSize
}

func (b Box) ad() []byte {
	return []byte(canonical("poststelle/vault/box/1", b.Tenant, b.Mailbox, b.Thread, b.Message, b.Day))
}

func (b Box) wellFormed() bool {
	for _, id := range []string{b.Tenant, b.Mailbox, b.Thread, b.Message} {
		if id == "" || len(id) > maxID {
			return false
		}
	}
	return validDay(b.Day)
}

// canonical joins fields with their lengths, so that no two lists of fields have the same encoding.
func canonical(fields ...string) string {
	n := 0
	for _, f := range fields {
		n += 4 + len(f)
	}
	out := make([]byte, 0, n)
	for _, f := range fields {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return string(out)
}

func mailboxAD(tenant, mailbox string) string { return canonical("M", tenant, mailbox) }

func threadAD(tenant, mailbox, thread string) string { return canonical("T", tenant, mailbox, thread) }

func codeAD(tenant, thread string) string { return canonical("code", tenant, thread) }

func messageAD(tenant, thread, message string) string { return canonical("K", tenant, thread, message) }

// The wraps of an account. A name that no other wrap begins with keeps them apart: see docs/format.md.
func accountAD(account string) string { return canonical("A", account) }

func accountThreadAD(account, tenant, thread string) string {
	return canonical("A-T", account, tenant, thread)
}

func draftAD(account, draft string) string { return canonical("A-draft", account, draft) }

// lookupHash is how a collection code is found: the lookup id itself is never stored.
func lookupHash(tenant string, lookup []byte) []byte {
	h := sha256.Sum256([]byte(canonical("poststelle/vault/lookup/1", tenant, string(lookup))))
	return h[:]
}
