package newsletter

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/mail"
	"poststelle/internal/seal"
)

// idSize is how many bytes an id of a subscription stands for; as text it has 24
// characters.
const idSize = 15

// newID draws the id of a subscription.
func newID() string { return rand.Text()[:24] }

// link is what a word in a mail says. Number is the (0 in other mails and
// in trials); Until is when the link ends, zero for never.
type link struct {
	ID     string
	Number int64
	Until  time.Time
}

// errLink is the error of a link that is none, was made for another purpose or
// tenant, or has ended.
var errLink = fmt.Errorf("newsletter: link: %w", fault.NotFound)

func (k *keys) word(p purpose, l link) (string, error) {
	id, err := base32.StdEncoding.DecodeString(l.ID)
	if err != nil || len(id) != idSize {
		return "", fault.Invalid
	}
	b := append(make([]byte, 0, idSize+12), id...)
	b = binary.BigEndian.AppendUint32(b, uint32(l.Number))
	if p == toLeave { // never ends
		return localPart(k.links[p].Seal(b))
	}
	until := int64(0)
	if !l.Until.IsZero() {
		until = l.Until.Unix()
	}
	return k.links[p].Seal(binary.BigEndian.AppendUint64(b, uint64(until))), nil
}

// localPart writes a ticket so that it survives in the local part of an address
// behind "unsub+": small letters and digits, since some mail programs change the
// case, and 56 of them, since a local part has at most 64 (RFC 5321, 4.5.3.1.1).
func localPart(ticket string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(ticket)
	return strings.ToLower(wordCoding().EncodeToString(b)), err
}

// fromLocalPart undoes it; what is no such word is "".
func fromLocalPart(word string) string {
	b, err := wordCoding().DecodeString(strings.ToUpper(word))
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func wordCoding() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// read returns what a word says if it is one of that purpose and has not ended.
func (k *keys) read(p purpose, word string, now time.Time) (link, error) {
	size := idSize + 12
	if p == toLeave {
		word, size = fromLocalPart(word), idSize+4
	}
	b, err := k.links[p].Open(word)
	if err != nil || len(b) != size {
		return link{}, errLink
	}
	l := link{ID: base32.StdEncoding.EncodeToString(b[:idSize]), Number: int64(binary.BigEndian.Uint32(b[idSize:]))}
	if p == toLeave {
		return l, nil
	}
	if until := int64(binary.BigEndian.Uint64(b[idSize+4:])); until != 0 {
		l.Until = time.Unix(until, 0).UTC()
		if !now.Before(l.Until) {
			return link{}, errLink
		}
	}
	return l, nil
}

// hash is how an address is found: in lower case, since no provider of today
// tells the case of a local part.
func (k *keys) hash(a mail.Address) []byte {
	h := hmac.New(sha256.New, k.address[:])
	h.Write([]byte(strings.ToLower(string(a))))
	return h.Sum(nil)
}

// person hides who an address with a sub-address belongs to, in memory: one
// person has many of them.
func (k *keys) person(a mail.Address) string {
	local, domain, _ := strings.Cut(strings.ToLower(string(a)), "@")
	local, _, _ = strings.Cut(local, "+")
	return string(k.hash(mail.Address("person:" + local + "@" + domain)))
}

func place(of, id, part string) seal.Place { return seal.Place{Tenant: of, Message: id, Part: part} }

func (k *keys) seal(of, id, part string, plain []byte) []byte {
	return seal.Seal(k.rows.Derive(id), place(of, id, part), plain)
}

func (k *keys) open(of, id, part string, sealed []byte) ([]byte, error) {
	return seal.Open(k.rows.Derive(id), place(of, id, part), sealed)
}
