// Package blob keeps sealed files: whole objects, written once, streamed in
// and out, referenced from rows and deleted by a job.
//
// # What it keeps true
//
//   - An object is visible only when it is complete and durable. An upload
//     that breaks off leaves nothing.
//   - An object is never changed: a second Put under the same id is
//     fault.Conflict.
//   - Each object that is meant to live has a row in blob_refs, written in the
//     transaction that needs it ([Refs.Attach]). Deleting is enqueued in the
//     transaction that drops the row ([Refs.Release]) and happens after its
//     commit, again and again until it succeeded. What has no row is an upload
//     nobody finished: it goes with its draft ([Refs.Discard], which never
//     deletes what is in use) or is swept.
//   - An object that is not there (fault.NotFound) and a store that is not
//     there (fault.Unavailable) are different things: a vanished volume must
//     never look like lost letters. A full store is fault.Unavailable with
//     the sentence [KeyFull].
//   - Memory per transfer is one buffer of 64 KiB.
//
// # What it does not do
//
// It does not encrypt, look into, name or type a file: callers hand over
// sealed streams, and the name of a file lies inside the seal. It shares no
// object between two owners, since a shared one would outlive an erasure.
//
// Every [Store] passes the suite in package blobtest.
package blob

import (
	"context"
	"crypto/rand"
	"io"
	"time"
)

// KeyFull is the sentence shown when the store has no room left.
const KeyFull = "error.storage.full"

// ID names an object: at least 26 characters of A-Z and 2-7, drawn at random
// and never used twice. It says nothing about the content.
type ID string

// NewID draws an id.
func NewID() ID { return ID(rand.Text()) }

// Valid reports whether id has the form that NewID gives, and can therefore
// stand in a path or a URL.
func (id ID) Valid() bool {
	if len(id) < 26 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// Info describes an object.
type Info struct {
	Size int64
	// ModTime is when the object was put, by the clock of the store.
	ModTime time.Time
}

// Store is a place for objects. A malformed id is fault.Invalid everywhere.
type Store interface {
	// Put stores what r yields until io.EOF and returns its size; when it
	// returns nil the object survives a power cut. An existing id is
	// fault.Conflict and stays as it was. After any error nothing of this
	// upload is left; an error of r is returned as it is.
	Put(ctx context.Context, id ID, r io.Reader) (int64, error)
	// Get opens an object for streaming; the caller closes it.
	Get(ctx context.Context, id ID) (io.ReadCloser, error)
	// Delete removes an object durably. A missing one is no error.
	Delete(ctx context.Context, id ID) error
	// Stat describes an object without reading it.
	Stat(ctx context.Context, id ID) (Info, error)
	// List calls f for every object, in no order, and stops at the first
	// error of f. f may delete the object it is called with.
	List(ctx context.Context, f func(ID, Info) error) error
	// Check reports whether objects could be stored now.
	Check(ctx context.Context) error
}
