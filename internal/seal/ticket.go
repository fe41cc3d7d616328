package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

const labelTicket = "poststelle/seal/1/ticket"

// ticketMAC is the size of the synthetic IV in front of a ticket.
const ticketMAC = 16

// Tickets makes and reads the words in links of mails: short texts that only the
// holder of the key can read or make, for one purpose. It is a synthetic IV in
// the manner of RFC 5297 built from HMAC-SHA256: the MAC of the text is also the
// nonce under which it is hidden. So the same text gives the same ticket, which a
// repeated mail needs, and different texts have nothing in common that shows.
//
// A ticket for one purpose is none for another. It prints as "[secret]".
type Tickets struct{ mac, hide Key }

// Tickets returns the tickets of one purpose under k.
func (k Key) Tickets(purpose string) Tickets {
	t := derive(k[:], nil, labelTicket, purpose, 64)
	return Tickets{mac: Key(t[:32]), hide: Key(t[32:])}
}

// String returns "[secret]".
func (Tickets) String() string { return secret }

// Seal returns the ticket of a text: characters of base64url without padding, as
// many as 16 bytes more than the text need.
func (t Tickets) Seal(plain []byte) string {
	b := make([]byte, ticketMAC+len(plain))
	copy(b, t.tag(plain))
	copy(b[ticketMAC:], plain)
	t.mask(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Open returns the text of a ticket, or ErrForged.
func (t Tickets) Open(ticket string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(b) < ticketMAC || len(b) > 4096 {
		return nil, ErrForged
	}
	t.mask(b)
	if !hmac.Equal(b[:ticketMAC], t.tag(b[ticketMAC:])) {
		return nil, ErrForged
	}
	return b[ticketMAC:], nil
}

func (t Tickets) tag(plain []byte) []byte {
	h := hmac.New(sha256.New, t.mac[:])
	h.Write(plain)
	return h.Sum(nil)[:ticketMAC]
}

// mask hides or shows what follows the synthetic IV.
func (t Tickets) mask(b []byte) {
	h := hmac.New(sha256.New, t.hide[:])
	var block [sha256.Size]byte
	for i, rest := uint32(0), b[ticketMAC:]; len(rest) > 0; i++ {
		h.Reset()
		h.Write(b[:ticketMAC])
		h.Write(binary.BigEndian.AppendUint32(nil, i))
		stream := h.Sum(block[:0])
		n := min(len(rest), len(stream))
		for j := range n {
			rest[j] ^= stream[j]
		}
		rest = rest[n:]
	}
}
