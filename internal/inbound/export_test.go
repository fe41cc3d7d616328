package inbound

// Read reads a mail as the listener does, for tests and the fuzzer.
func Read(raw []byte) Mail {
	h, body := split(raw)
	return read(h, body)
}

// FromHTML is the text of markup.
func FromHTML(s string) string { return fromHTML(s) }

// Mark is the mark of a mail.
func Mark(raw []byte) []byte {
	h, body := split(raw)
	return mark(h, body)
}
