package seal

import "crypto/rand"

// WrappedSize is the size of a wrapped key: nonce, key and tag.
const WrappedSize = 12 + 32 + tagSize

// Wrap seals k under kek. ad says what the wrapped key is for, for example
// "thread/" and an id; Unwrap needs the same. The nonce is random: one kek must
// not wrap more than 2^32 keys, which is far beyond any mailbox.
func Wrap(kek Key, k Key, ad string) []byte {
	b := make([]byte, 12, WrappedSize)
	rand.Read(b)
	return newGCM(derive(kek[:], nil, labelWrap, "", 32)).Seal(b, b, k[:], []byte(ad))
}

// Unwrap opens what Wrap returned, or fails with ErrForged.
func Unwrap(kek Key, wrapped []byte, ad string) (Key, error) {
	if len(wrapped) != WrappedSize {
		return Key{}, ErrForged
	}
	b, err := newGCM(derive(kek[:], nil, labelWrap, "", 32)).Open(nil, wrapped[:12], wrapped[12:], []byte(ad))
	if err != nil {
		return Key{}, ErrForged
	}
	return Key(b), nil
}
