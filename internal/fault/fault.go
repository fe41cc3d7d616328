// Package fault is the vocabulary in which every package says what went
// wrong.
//
// There are few kinds, and each has one meaning for the person in front of
// the screen: it is not there (NotFound), you may not (Denied), what you typed
// cannot be taken (Invalid), somebody was faster (Conflict), try again later
// (Unavailable), too big (TooLarge), too often (TooMany). Everything else is
// Internal, which is also the kind of an error that never met this package.
//
// A Kind is itself an error, so the usual form is
//
//	fmt.Errorf("mailbox: reply to %s: %w", id, fault.NotFound)
//
// and the usual question
//
//	errors.Is(err, fault.NotFound)
//
// The text of an error is for the log and for developers. What a person reads
// is a sentence chosen by an i18n key, which [Error] carries; without one the
// sentence of the kind is shown. Keys and arguments must therefore never hold
// what the log must not hold: content, names, addresses.
package fault

import (
	"errors"
	"fmt"
)

// Kind sorts an error by what can be done about it. The zero value is
// Internal.
type Kind uint8

// The kinds. HTTP statuses in brackets are what package web makes of them.
const (
	// Internal is a mistake of ours or of the machine (500).
	Internal Kind = iota
	// NotFound says that the thing does not exist, or that this person must
	// not learn whether it does (404).
	NotFound
	// Denied says that the person is known and may not do this (403).
	Denied
	// Invalid says that the input cannot be accepted; FieldsOf names the
	// form fields (422).
	Invalid
	// Conflict says that the state has changed meanwhile: a unique value is
	// taken, a version is no longer the newest (409).
	Conflict
	// Unavailable says that a store or a service cannot be reached at the
	// moment, and that nothing was done; trying again is sensible (503).
	Unavailable
	// TooLarge says that a size limit was exceeded (413).
	TooLarge
	// TooMany says that a rate limit was exceeded (429).
	TooMany
)

var names = [...]string{
	Internal:    "internal error",
	NotFound:    "not found",
	Denied:      "denied",
	Invalid:     "invalid",
	Conflict:    "conflict",
	Unavailable: "unavailable",
	TooLarge:    "too large",
	TooMany:     "too many requests",
}

// Error returns the English name of the kind, for the log.
func (k Kind) Error() string {
	if int(k) >= len(names) {
		return fmt.Sprintf("fault.Kind(%d)", uint8(k))
	}
	return names[k]
}

// Field is one form field that was not accepted.
type Field struct {
	// Name is the name of the field in the form.
	Name string
	// Key is the i18n key of the sentence shown beside the field.
	Key string
	// Args fill the placeholders of that sentence: name, value, name, value.
	Args []any
}

// Error is an error of a kind that also knows which sentence the user sees.
type Error struct {
	Kind Kind
	// Key is the i18n key of the sentence; empty means the sentence of the
	// kind.
	Key string
	// Args fill the placeholders of that sentence: name, value, name, value.
	Args []any
	// Fields are the form fields at fault, in the order of the form.
	Fields []Field
	// Err is the cause, for the log; may be nil.
	Err error
}

// Error describes the error for the log. Arguments are left out: they may
// repeat what a person typed.
func (e *Error) Error() string {
	s := e.Kind.Error()
	if e.Key != "" {
		s += " (" + e.Key + ")"
	}
	for i, f := range e.Fields {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		s += sep + f.Name + " " + f.Key
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the kind of e.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// Fields returns an error of kind Invalid that names the given fields, or nil
// when there are none, so that a validation can collect fields and end with
// one return.
func Fields(f ...Field) error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Fields: f}
}

// With returns an error of the given kind that shows the sentence key, its
// placeholders filled from args (name, value, name, value).
func With(kind Kind, key string, args ...any) *Error {
	return &Error{Kind: kind, Key: key, Args: args}
}

// KindOf returns the kind of err: that of the outermost error in its tree
// that has one, otherwise Internal. For a nil error, too, it is Internal; ask
// only about errors.
func KindOf(err error) Kind {
	k, _ := kindOf(err)
	return k
}

func kindOf(err error) (Kind, bool) {
	for err != nil {
		switch e := err.(type) {
		case Kind:
			return e, true
		case *Error:
			return e.Kind, true
		case interface{ Unwrap() []error }:
			for _, branch := range e.Unwrap() {
				if k, ok := kindOf(branch); ok {
					return k, true
				}
			}
			return Internal, false
		}
		err = errors.Unwrap(err)
	}
	return Internal, false
}

// FieldsOf returns the form fields that err names, or nil.
func FieldsOf(err error) []Field {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return nil
	}
	return e.Fields
}
