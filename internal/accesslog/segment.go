package accesslog

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"poststelle/internal/seal"
)

// A segment file is
//
//	"PSACLOG" 1 | uint16 length of box | box | frame | frame | …
//
// All integers are big endian. The box is an HPKE box (package seal) to the
// log key of the day; its plaintext is the 32-byte segment key and its
// associated data is segmentAD. A frame is
//
//	uint32 length of what follows | AES-256-GCM(segment key, nonce, data)
//
// where the nonce is four zero bytes and the number of the frame as uint64,
// from 0, and the associated data is one byte, 'f' for a frame of records and
// 'e' for the empty frame that ends a finished segment, followed by the same
// number. A frame of records decrypts to lines of JSON. A segment key seals
// one file and is never used again after a failed write.
const (
	magic    = "PSACLOG\x01"
	maxFrame = 1 << 20 // bytes of lines in a frame
	maxBox   = 4096
	tagSize  = 16
	dayForm  = "2006-01-02"
)

// ErrForged reports a segment that was changed after it was written.
var ErrForged = errors.New("accesslog: segment is damaged or forged")

// segmentAD binds a box to its place: a version, then tenant, day and name of
// the segment, each after its length as uint16.
func segmentAD(tenant, day, segment string) []byte {
	b := []byte("poststelle accesslog 1")
	for _, s := range []string{tenant, day, segment} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	return b
}

func frameAD(kind byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, n)
}

func nonce(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), n)
}

func newAEAD(k seal.Key) (cipher.AEAD, error) {
	b, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// segment is a file being written. Between writes no descriptor is held, so
// that a thousand tenants cost a thousand small structs and no open files.
type segment struct {
	tenant, day string
	file        string // slash-separated, below the root
	aead        cipher.AEAD
	frames      uint64
	size        int64
	dirty       bool      // written since the last sync
	placed      bool      // the directories have been synced
	used        time.Time // last write
}

// create makes the file durable with its header, so that a later frame never
// stands in a file whose key is lost.
func create(root *os.Root, tenant, day string, pub seal.Public) (*segment, error) {
	name := rand.Text()
	key := seal.NewKey()
	box, err := pub.SealBox(key[:], segmentAD(tenant, day, name))
	if err != nil {
		return nil, err
	}
	if len(box) > maxBox {
		return nil, errors.New("accesslog: box too large")
	}
	s := &segment{tenant: tenant, day: day, file: path.Join(tenant, day, name+".seg")}
	if s.aead, err = newAEAD(key); err != nil {
		return nil, err
	}
	dir := path.Dir(s.file)
	if err := root.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint16([]byte(magic), uint16(len(box)))
	head = append(head, box...)
	f, err := root.OpenFile(s.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(head)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = root.Remove(s.file)
		return nil, err
	}
	s.size, s.dirty = int64(len(head)), true
	return s, nil
}

// write appends one frame. After an error the segment must not be written
// again: a second frame with the same number would use its nonce twice.
func (s *segment) write(root *os.Root, kind byte, lines []byte) error {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(lines)+tagSize), uint32(len(lines)+tagSize))
	b = s.aead.Seal(b, nonce(s.frames), lines, frameAD(kind, s.frames))
	f, err := root.OpenFile(s.file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, s.size)
	if err != nil {
		_ = f.Truncate(s.size) // else the reader reports a cut tail
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.frames++
	s.size += int64(len(b))
	s.dirty = true
	return nil
}

// sync makes all frames and the file's name durable.
func (s *segment) sync(root *os.Root) error {
	if !s.dirty {
		return nil
	}
	for _, name := range []string{s.file, path.Dir(s.file), s.tenant, "."} {
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		if s.placed {
			break
		}
	}
	s.dirty, s.placed = false, true
	return nil
}

// source reads the frames of one segment file.
type source struct {
	f      *os.File
	r      *bufio.Reader
	box    []byte
	ad     []byte
	aead   cipher.AEAD
	frames uint64
	name   string

	lines []byte // rest of the current frame
	head  Entry  // next record
	ok    bool   // head is valid
	ended bool   // the final frame was seen
	cut   bool   // the file ends inside a frame
}

// errEmpty is a file without a complete header: created, then a crash.
var errEmpty = errors.New("accesslog: segment without a header")

func openSegment(root *os.Root, tenant, day, name string) (*source, error) {
	f, err := root.Open(path.Join(tenant, day, name+".seg"))
	if err != nil {
		return nil, err
	}
	s := &source{f: f, r: bufio.NewReaderSize(f, 64<<10), ad: segmentAD(tenant, day, name), name: path.Join(tenant, day, name)}
	head := make([]byte, len(magic)+2)
	if _, err := io.ReadFull(s.r, head); err != nil {
		return nil, s.short(err)
	}
	n := int(binary.BigEndian.Uint16(head[len(magic):]))
	if string(head[:len(magic)]) != magic || n > maxBox {
		f.Close()
		return nil, fmt.Errorf("%w: %s: header", ErrForged, s.name)
	}
	s.box = make([]byte, n)
	if _, err := io.ReadFull(s.r, s.box); err != nil {
		return nil, s.short(err)
	}
	return s, nil
}

func (s *source) short(err error) error {
	s.f.Close()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errEmpty
	}
	return err
}

// next moves to the next record, or clears ok at the end.
func (s *source) next() error {
	s.ok = false
	for len(s.lines) == 0 {
		more, err := s.frame()
		if err != nil || !more {
			return err
		}
	}
	for i, c := range s.lines {
		if c == '\n' {
			e, err := parseEntry(s.lines[:i])
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.head, s.ok, s.lines = e, true, s.lines[i+1:]
			return nil
		}
	}
	return fmt.Errorf("%w: %s: unfinished line", ErrForged, s.name)
}

func (s *source) frame() (more bool, err error) {
	forged := func() (bool, error) { return false, fmt.Errorf("%w: %s: frame %d", ErrForged, s.name, s.frames) }
	var size [4]byte
	switch _, err := io.ReadFull(s.r, size[:]); {
	case errors.Is(err, io.EOF):
		return false, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.cut = true
		return false, nil
	case err != nil:
		return false, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if s.ended || n < tagSize || n > maxFrame+tagSize {
		return forged()
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.cut = true
		return false, nil
	} else if err != nil {
		return false, err
	}
	kind := byte('f')
	if n == tagSize {
		kind = 'e'
	}
	if s.lines, err = s.aead.Open(b[:0], nonce(s.frames), b, frameAD(kind, s.frames)); err != nil {
		return forged()
	}
	s.frames++
	s.ended = kind == 'e'
	return true, nil
}
