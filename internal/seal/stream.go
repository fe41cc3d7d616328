package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
)

const (
	chunkSize   = 64 << 10 // payload of every chunk but the last
	countSize   = 4        // uint32: how many payload bytes are real
	tagSize     = 16
	sealedChunk = countSize + chunkSize + tagSize
	saltSize    = 16
	headerSize  = 2 + saltSize
	minPadded   = 256 // no stream shows that it holds less
)

// chunk holds one sealed chunk and the byte after it, by which the Reader
// knows that the chunk is not the last.
type chunk [sealedChunk + 1]byte

// chunks keeps chunk buffers between streams. They are cleared before they
// come here, since they held plaintext.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// release clears and gives back *c once.
func release(c **chunk) {
	if *c != nil {
		clear((*c)[:])
		chunks.Put(*c)
		*c = nil
	}
}

// padded returns the Padmé size for n bytes, at least 256. Above that at most
// one sixteenth is added.
// Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019.
func padded(n int64) int64 {
	if n <= minPadded {
		return minPadded
	}
	e := bits.Len64(uint64(n)) - 1
	s := bits.Len(uint(e))
	mask := int64(1)<<(e-s) - 1
	return (n + mask) &^ mask
}

// SealedSize returns how many bytes a stream of n plaintext bytes takes.
func SealedSize(n int64) int64 {
	p := padded(n)
	count := (p + chunkSize - 1) / chunkSize
	return headerSize + p + count*(countSize+tagSize)
}

// stream is the cipher state of one stream and the rules of its encoding,
// shared by both directions.
type stream struct {
	aead  cipher.AEAD
	ad    []byte // place, chunk number (8), final (1)
	nonce [12]byte
	index int64 // of the next chunk
	total int64 // real bytes so far
	ended bool  // a chunk with padding was seen
}

// newStream derives the key of the stream with this salt at this place. Since
// the salt is drawn for each stream, no two streams share a key, and a counter
// may serve as nonce.
func newStream(k Key, p Place, salt []byte) *stream {
	place := p.encode()
	key := derive(k[:], salt, labelStream, string(place), 32)
	s := &stream{aead: newGCM(key), ad: append(place, make([]byte, 9)...)}
	clear(key)
	return s
}

// next sets nonce and associated data for the chunk to come.
func (s *stream) next(final bool) {
	var f byte
	if final {
		f = 1
	}
	binary.BigEndian.PutUint64(s.nonce[3:], uint64(s.index))
	s.nonce[11] = f
	tail := s.ad[len(s.ad)-9:]
	binary.BigEndian.PutUint64(tail, uint64(s.index))
	tail[8] = f
	s.index++
}

// seal turns count, payload and room for the tag into a sealed chunk, in
// place. real payload bytes are in b already; what follows them is cleared.
func (s *stream) seal(b []byte, real int, final bool) {
	plain := b[:len(b)-tagSize]
	binary.BigEndian.PutUint32(plain, uint32(real))
	clear(plain[countSize+real:])
	s.next(final)
	s.aead.Seal(plain[:0], s.nonce[:], plain, s.ad)
}

// open opens one chunk into dst (which may be sealed[:0]) and checks that it
// is the chunk that must come here. It returns the real bytes.
func (s *stream) open(dst, sealed []byte, final bool) ([]byte, error) {
	s.next(final)
	plain, err := s.aead.Open(dst, s.nonce[:], sealed, s.ad)
	if err != nil || len(plain) <= countSize { // a chunk has payload
		return nil, ErrForged
	}
	payload := plain[countSize:]
	n := int64(binary.BigEndian.Uint32(plain))
	if n > int64(len(payload)) || s.ended && n > 0 {
		return nil, ErrForged
	}
	for _, b := range payload[n:] {
		if b != 0 {
			return nil, ErrForged
		}
	}
	s.total += n
	s.ended = n < chunkSize
	// The last chunk is where Padmé says, neither earlier nor later. Before
	// the first chunk with padding the end is not known yet.
	size := (s.index-1)*chunkSize + int64(len(payload))
	if final && size != padded(s.total) || !final && s.ended && size >= padded(s.total) {
		return nil, ErrForged
	}
	return payload[:n], nil
}

// header returns the first bytes of a stream, with a new salt.
func header() []byte {
	h := make([]byte, headerSize)
	h[0], h[1] = suite, version
	rand.Read(h[2:])
	return h
}

// readHeader starts the stream whose header is h.
func readHeader(h []byte, k Key, p Place) (*stream, error) {
	if len(h) != headerSize || h[0] != suite || h[1] != version {
		return nil, ErrForged
	}
	return newStream(k, p, h[2:]), nil
}

// errClosed reports a write after Close.
var errClosed = errors.New("seal: write to closed stream")

// Writer seals what is written to it. It holds one chunk in memory. It is not
// safe for use by several goroutines.
type Writer struct {
	dst   io.Writer
	s     *stream
	buf   *chunk
	n     int // payload bytes in buf
	total int64
	err   error // sticky; errClosed after Close
}

// NewWriter writes the header of a stream to dst and returns a Writer for the
// rest. The stream is complete only once Close returned nil; without Close no
// Reader accepts it. The same part may be sealed again under the same key.
func NewWriter(dst io.Writer, k Key, p Place) (*Writer, error) {
	h := header()
	if _, err := dst.Write(h); err != nil {
		return nil, fmt.Errorf("seal: write header: %w", err)
	}
	return &Writer{dst: dst, s: newStream(k, p, h[2:]), buf: chunks.Get().(*chunk)}, nil
}

// Write seals p. It fails if dst does, and for ever after.
func (w *Writer) Write(p []byte) (int, error) {
	done := 0
	for w.err == nil && done < len(p) {
		n := copy(w.room(), p[done:])
		w.n += n
		w.total += int64(n)
		done += n
	}
	return done, w.err
}

// ReadFrom seals all of src, without a buffer of its own: io.Copy uses it.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	start := w.total
	for w.err == nil {
		room := w.room()
		if w.err != nil {
			break
		}
		n, err := src.Read(room)
		w.n += n
		w.total += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return w.total - start, err
		}
	}
	return w.total - start, w.err
}

// room returns the free part of the chunk, never empty unless w failed. A full chunk is kept
// until more comes, because the last one is sealed differently.
func (w *Writer) room() []byte {
	if w.n == chunkSize {
		w.flush(chunkSize, false)
	}
	if w.err != nil {
		return nil
	}
	return w.buf[countSize+w.n : countSize+chunkSize]
}

// flush writes the chunk with size bytes of payload, w.n of them real.
func (w *Writer) flush(size int, final bool) {
	b := w.buf[:countSize+size+tagSize]
	w.s.seal(b, w.n, final)
	w.n = 0
	if _, err := w.dst.Write(b); err != nil {
		w.err = fmt.Errorf("seal: write chunk: %w", err)
		release(&w.buf)
	}
}

// Close writes the padding and the last chunk. It does not close dst. It
// returns the error that Write returned, if any; a second Close does nothing.
func (w *Writer) Close() error {
	if w.err == errClosed {
		return nil
	}
	left := padded(w.total) - w.s.index*chunkSize
	for ; w.err == nil && left > chunkSize; left -= chunkSize {
		w.flush(chunkSize, false)
	}
	if w.err != nil {
		return w.err
	}
	w.flush(int(left), true)
	if w.err != nil {
		return w.err
	}
	release(&w.buf)
	w.err = errClosed
	return nil
}

// Reader opens a stream. It holds one chunk in memory. It is not safe for use
// by several goroutines.
type Reader struct {
	src io.Reader
	k   Key
	p   Place
	s   *stream // nil before the header was read
	buf *chunk
	out []byte // opened and not yet handed out; within buf
	err error  // sticky, reported once out is empty
}

// NewReader returns a Reader for the stream in src. Nothing is read before the
// first Read. io.EOF says that the stream was complete and src is at its end;
// ErrForged that it was not what was sealed here. Chunks before a
// bad one have been handed out by then, so a caller that cannot take back
// what it did must wait for io.EOF. Errors of src come through wrapped.
func NewReader(src io.Reader, k Key, p Place) *Reader {
	return &Reader{src: src, k: k, p: p}
}

// Read hands out checked plaintext.
func (r *Reader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if !r.fill() {
		return 0, r.err
	}
	n := copy(b, r.out)
	r.out = r.out[n:]
	return n, nil
}

// WriteTo writes the whole plaintext to dst, without a buffer of its own:
// io.Copy uses it. A nil error means that the stream was complete.
func (r *Reader) WriteTo(dst io.Writer) (int64, error) {
	var done int64
	for r.fill() {
		n, err := dst.Write(r.out)
		done += int64(n)
		r.out = r.out[n:]
		if err != nil {
			return done, err
		}
	}
	if r.err == io.EOF {
		return done, nil
	}
	return done, r.err
}

// fill makes sure that out is not empty, or returns false with r.err set.
func (r *Reader) fill() bool {
	for len(r.out) == 0 {
		if r.err == nil {
			r.err = r.step()
		}
		if r.err != nil && len(r.out) == 0 {
			r.out = nil
			release(&r.buf)
			return false
		}
	}
	return true
}

// step opens the next chunk into out. It returns io.EOF with the last one.
func (r *Reader) step() error {
	carried := 0
	if r.s == nil {
		r.buf = chunks.Get().(*chunk)
		n, err := readFull(r.src, r.buf[:headerSize])
		if err != nil && err != io.EOF {
			return fmt.Errorf("seal: read header: %w", err)
		}
		if r.s, err = readHeader(r.buf[:n], r.k, r.p); err != nil {
			return err
		}
		r.k = Key{}
	} else {
		r.buf[0] = r.buf[sealedChunk]
		carried = 1
	}
	n, err := readFull(r.src, r.buf[carried:])
	if err != nil && err != io.EOF {
		return fmt.Errorf("seal: read chunk: %w", err)
	}
	n += carried
	final := n <= sealedChunk
	sealed := r.buf[:min(n, sealedChunk)]
	if r.out, err = r.s.open(sealed[:0], sealed, final); err != nil {
		return err
	}
	if final {
		return io.EOF
	}
	return nil
}

// readFull reads until b is full. Unlike io.ReadFull it returns io.EOF for
// every early end and nothing else as io.EOF, so that an
// io.ErrUnexpectedEOF of a broken connection is not taken for the end.
func readFull(r io.Reader, b []byte) (int, error) {
	n := 0
	for n < len(b) {
		m, err := r.Read(b[n:])
		n += m
		if n < len(b) && err != nil {
			return n, err
		}
	}
	return n, nil
}

// Seal returns the stream of plaintext, of SealedSize(len(plaintext)) bytes.
func Seal(k Key, p Place, plaintext []byte) []byte {
	out := append(make([]byte, 0, SealedSize(int64(len(plaintext)))), header()...)
	s := newStream(k, p, out[2:])
	for left := padded(int64(len(plaintext))); left > 0; left -= chunkSize {
		size := int(min(left, chunkSize))
		start := len(out)
		out = out[:start+countSize+size+tagSize]
		n := copy(out[start+countSize:start+countSize+size], plaintext)
		plaintext = plaintext[n:]
		s.seal(out[start:], n, left <= chunkSize)
	}
	return out
}

// Open returns the plaintext of a stream that is in memory as a whole, or
// ErrForged and nothing.
func Open(k Key, p Place, sealed []byte) ([]byte, error) {
	s, err := readHeader(sealed[:min(len(sealed), headerSize)], k, p)
	if err != nil {
		return nil, err
	}
	rest := sealed[headerSize:]
	out := make([]byte, 0, len(rest))
	for final := false; !final; {
		final = len(rest) <= sealedChunk
		size := min(len(rest), sealedChunk)
		real, err := s.open(out[len(out):], rest[:size], final)
		if err != nil {
			return nil, err
		}
		out = append(out, real...) // moves it down over its count
		rest = rest[size:]
	}
	return out, nil
}
