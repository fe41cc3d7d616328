package seal

import (
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
)

// ErrKey reports bytes that are no key of this suite, or a zero Public or
// Private.
var ErrKey = errors.New("seal: not a key of this suite")

const (
	kemEncSize    = 1088 + 65 // ML-KEM-768 ciphertext, P-256 point
	placeSize     = 2
	boxKeySize    = 32
	boxOverhead   = 1 + kemEncSize + placeSize + tagSize
	publicKeySize = 1 + 1184 + 65
)

// Public is a key that seals boxes: HPKE (RFC 9180) with the hybrid KEM
// MLKEM768-P256 and HKDF-SHA256 exports a key for each box, which AES-256-GCM
// uses. What it seals stays secret as long as one of ML-KEM-768 and P-256 holds.
// Public and its copies may be used by several goroutines at once; only copies
// share encapsulations.
type Public struct {
	key    hpke.PublicKey
	rounds *rounds
}

// Private opens boxes. It prints as "[secret]".
type Private struct{ key hpke.PrivateKey }

// NewPair draws a key pair. The error is that of the system's key generation
// and does not happen in practice.
func NewPair() (Private, error) {
	k, err := hpke.MLKEM768P256().GenerateKey()
	return Private{k}, err
}

// ParsePublic reads what Public.Bytes returned, or fails with ErrKey.
func ParsePublic(b []byte) (Public, error) {
	if len(b) != publicKeySize || b[0] != suite {
		return Public{}, ErrKey
	}
	k, err := hpke.MLKEM768P256().NewPublicKey(b[1:])
	if err != nil {
		return Public{}, ErrKey
	}
	return Public{k, new(rounds)}, nil
}

// ParsePrivate reads what Private.Bytes returned, or fails with ErrKey.
func ParsePrivate(b []byte) (Private, error) {
	if len(b) != 1+32 || b[0] != suite {
		return Private{}, ErrKey
	}
	return Private{must(hpke.MLKEM768P256().NewPrivateKey(b[1:]))}, nil // any 32 bytes are a seed
}

// Bytes returns the suite byte and the key (1250 bytes in all); nil for the
// zero value.
func (p Public) Bytes() []byte {
	if p.key == nil {
		return nil
	}
	return append([]byte{suite}, p.key.Bytes()...)
}

// Bytes returns the suite byte and the seed of the key (33 bytes in all), which
// is the secret itself; nil for the zero value.
func (p Private) Bytes() []byte {
	if p.key == nil {
		return nil
	}
	return append([]byte{suite}, must(p.key.Bytes())...)
}

// Public returns the key that seals for p; the zero Public for the zero value.
func (p Private) Public() Public {
	if p.key == nil {
		return Public{}
	}
	return Public{p.key.PublicKey(), new(rounds)}
}

// String returns "[secret]".
func (Private) String() string { return secret }

// GoString returns "[secret]".
func (Private) GoString() string { return secret }

// Format writes "[secret]" whatever the verb.
func (Private) Format(f fmt.State, _ rune) { f.Write([]byte(secret)) }

// LogValue returns "[secret]".
func (Private) LogValue() slog.Value { return slog.StringValue(secret) }

// MarshalText always fails.
func (Private) MarshalText() ([]byte, error) { return nil, errPrint }

// SealBox seals plaintext so that only the private key opens it, and only
// together with the same ad. A box says nothing about who sealed it; boxes that
// were sealed in the same moment show that. It is 1172 bytes longer than
// plaintext.
func (p Public) SealBox(plaintext, ad []byte) ([]byte, error) {
	if p.key == nil {
		return nil, ErrKey
	}
	r, place := p.rounds.join(p.key)
	if r.err != nil {
		return nil, fmt.Errorf("seal: box: %w", r.err)
	}
	b := make([]byte, 0, len(plaintext)+boxOverhead)
	b = append(b, suite)
	b = append(b, r.enc...)
	b = binary.BigEndian.AppendUint16(b, uint16(place))
	var nonce [12]byte // zero: the key is used once
	b = newGCM(r.keys[place]).Seal(b, nonce[:], plaintext, ad)
	clear(r.keys[place])
	return b, nil
}

// OpenBox opens a box, or fails with ErrForged (ErrKey for the zero value).
func (p Private) OpenBox(box, ad []byte) ([]byte, error) { return p.Opener().OpenBox(box, ad) }

// Opener opens many boxes of one key. Those that were sealed in the same moment
// cost it one decapsulation, so it keeps what opens them until it is dropped. It
// is for one goroutine.
type Opener struct {
	key   hpke.PrivateKey
	known map[[sha256.Size]byte]*hpke.Recipient
}

// Opener returns an Opener for p; that of the zero value opens nothing.
func (p Private) Opener() *Opener {
	return &Opener{key: p.key, known: map[[sha256.Size]byte]*hpke.Recipient{}}
}

// OpenBox opens a box as [Private.OpenBox] does.
func (o *Opener) OpenBox(box, ad []byte) ([]byte, error) {
	if o == nil || o.key == nil {
		return nil, ErrKey
	}
	if len(box) < boxOverhead || box[0] != suite {
		return nil, ErrForged
	}
	r, err := o.recipient(box[1 : 1+kemEncSize])
	if err != nil {
		return nil, ErrForged
	}
	at := 1 + kemEncSize
	key := must(r.Export(string(box[at:at+placeSize]), boxKeySize))
	var nonce [12]byte
	b, err := newGCM(key).Open(nil, nonce[:], box[at+placeSize:], ad)
	clear(key)
	if err != nil {
		return nil, ErrForged
	}
	return b, nil
}

func (o *Opener) recipient(enc []byte) (*hpke.Recipient, error) {
	id := sha256.Sum256(enc)
	if r, ok := o.known[id]; ok {
		return r, nil
	}
	r, err := hpke.NewRecipient(enc, o.key, hpke.HKDFSHA256(), hpke.ExportOnly(), []byte(labelBox))
	if err == nil {
		o.known[id] = r
	}
	return r, err
}

// maxPlaces is how many boxes share an encapsulation at most.
const maxPlaces = 64

// rounds lets callers that seal to a key in the same moment share one
// encapsulation, which costs most: the first one of a round encapsulates for all,
// and each gets a key of its own. What could open the boxes
// of a round is dropped before the first of them exists, at a time at which this
// memory holds what they carry anyway.
type rounds struct {
	turn sync.Mutex // held while one encapsulates; who comes meanwhile is the next round
	mu   sync.Mutex
	next *round // takes in whoever comes; nil before the first
}

type round struct {
	places int
	done   chan struct{} // closed when the rest is there
	enc    []byte
	keys   [][]byte // by place
	err    error
}

// join returns a finished round and the caller's place in it.
func (g *rounds) join(key hpke.PublicKey) (r *round, place int) {
	g.mu.Lock()
	r = g.next
	first := r == nil
	if first {
		r = &round{done: make(chan struct{})}
		g.next = r
	}
	place = r.places
	r.places++
	if r.places == maxPlaces {
		g.next = nil
	}
	g.mu.Unlock()
	if !first {
		<-r.done
		return r, place
	}
	g.lead(r, key)
	return r, place
}

// lead finishes a round, whatever happens, so that nobody waits for ever.
func (g *rounds) lead(r *round, key hpke.PublicKey) {
	g.turn.Lock()
	defer close(r.done)
	defer g.turn.Unlock()
	runtime.Gosched() // who is about to seal comes along; alone, this does nothing
	g.mu.Lock()
	if g.next == r {
		g.next = nil
	}
	g.mu.Unlock()
	r.err = errUnfinished
	r.err = r.encapsulate(key)
}

// errUnfinished is what the others of a round get when its leader panicked.
var errUnfinished = errors.New("encapsulation unfinished")

func (r *round) encapsulate(key hpke.PublicKey) error {
	enc, s, err := hpke.NewSender(key, hpke.HKDFSHA256(), hpke.ExportOnly(), []byte(labelBox))
	if err != nil {
		return err
	}
	r.enc, r.keys = enc, make([][]byte, r.places)
	for i := range r.keys {
		r.keys[i] = must(s.Export(string(binary.BigEndian.AppendUint16(nil, uint16(i))), boxKeySize))
	}
	return nil
}
