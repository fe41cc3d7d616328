package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"maps"
)

// entry is a row of journal_entries. Detail, reason and salt are nil once
// blanked.
type entry struct {
	id, tenant            string
	at                    int64
	actor, action, object string
	detail, reason        *string
	salt, commitment      []byte
	blankedBy             string
	seq, chainedAt        int64
	hash                  []byte
}

// split separates what a caller gave into the two columns: detail as JSON with
// sorted keys, which is its canonical form, and reason.
func split(detail map[string]string) (words, reason *string) {
	rest := maps.Clone(detail)
	free := rest[Reason]
	delete(rest, Reason)
	text := "{}"
	if len(rest) > 0 {
		b, err := json.Marshal(rest)
		if err != nil {
			panic(err) // a map of strings always has a JSON form
		}
		text = string(b)
	}
	return &text, &free
}

// digest is SHA-256 over fields, each preceded by its length, so that no two
// different lists of fields share their bytes.
type digest struct{ h hash.Hash }

// newDigest starts a digest of its own kind; the label keeps commitments and
// links apart and names the version of the form.
func newDigest(label string) digest {
	d := digest{sha256.New()}
	d.field([]byte(label))
	return d
}

func (d digest) field(b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	d.h.Write(n[:])
	d.h.Write(b)
}

func (d digest) text(s string) { d.field([]byte(s)) }

func (d digest) number(v int64) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(v))
	d.field(n[:])
}

func (d digest) sum() []byte { return d.h.Sum(nil) }

// commit binds the payload of an entry without giving it away.
func commit(salt []byte, detail, reason string) []byte {
	d := newDigest("poststelle journal commitment 1")
	d.field(salt)
	d.text(detail)
	d.text(reason)
	return d.sum()
}

// origin is the hash before the first entry of a tenant.
func origin(tenant string) []byte {
	d := newDigest("poststelle journal origin 1")
	d.text(tenant)
	return d.sum()
}

// link is the hash of e after prev. Everything of the entry is in it but what
// Blank takes away, and the mark of the blanking.
func link(prev []byte, e entry) []byte {
	d := newDigest("poststelle journal link 1")
	d.field(prev)
	d.text(e.tenant)
	d.number(e.seq)
	d.text(e.id)
	d.number(e.at)
	d.number(e.chainedAt)
	d.text(e.actor)
	d.text(e.action)
	d.text(e.object)
	d.field(e.commitment)
	return d.sum()
}
