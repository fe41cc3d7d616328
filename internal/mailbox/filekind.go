package mailbox

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/unicode/norm"
)

// fileKind ties an ending to the content types that may stand behind it.
type fileKind struct {
	ending string
	types  []string
}

// fileKinds lists what a mailbox can accept. Types are those the content is
// recognised as, not what the browser claims.
func fileKinds() []fileKind {
	return []fileKind{
		{"pdf", []string{"application/pdf"}},
		{"jpg", []string{"image/jpeg"}},
		{"png", []string{"image/png"}},
		{"docx", []string{"application/vnd.openxmlformats-officedocument.wordprocessingml.document"}},
		{"odt", []string{"application/vnd.oasis.opendocument.text"}},
		{"txt", []string{"text/plain"}},
		{"xlsx", []string{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}},
		{"ods", []string{"application/vnd.oasis.opendocument.spreadsheet"}},
		{"csv", []string{"text/csv", "text/plain"}},
		{"tif", []string{"image/tiff"}},
		{"heic", []string{"image/heic", "image/heif"}},
		{"zip", []string{"application/zip"}},
	}
}

// acceptedKind returns the content type of a file when the mailbox accepts its
// ending and the content agrees with it.
func acceptedKind(name string, head []byte, accepted []string) (string, bool) {
	ending := endingOf(name)
	if !slices.Contains(accepted, ending) {
		return "", false
	}
	found := mimetype.Detect(head)
	if plainTextKind(found) && !soundUTF16(head) {
		return "", false
	}
	for _, k := range fileKinds() {
		if k.ending != ending {
			continue
		}
		for _, t := range k.types {
			if found.Is(t) || t == "text/plain" && plainTextKind(found) {
				return t, true
			}
		}
	}
	return "", false
}

// plainTextKind reports whether content is text of some sort: a list with
// commas is recognised as a table, a note with braces as data, and both are
// what people save as text. Markup that a browser would run is not.
func plainTextKind(found *mimetype.MIME) bool {
	for _, active := range []string{"text/html", "image/svg+xml", "text/xml", "application/xhtml+xml", "text/javascript"} {
		if found.Is(active) {
			return false
		}
	}
	for m := found; m != nil; m = m.Parent() {
		if m.Is("text/plain") {
			return true
		}
	}
	return false
}

// soundUTF16 reports whether text that announces UTF-16 by its mark (RFC 2781)
// is UTF-16: whole units, surrogates in pairs, no U+0000. Other text is not its
// business. A head that is as long as a head can be may end within a character.
func soundUTF16(head []byte) bool {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return true
	}
	if len(head)%2 != 0 {
		return false
	}
	for i := 2; i < len(head); i += 2 {
		unit := rune(order.Uint16(head[i:]))
		switch {
		case unit == 0:
			return false
		case !utf16.IsSurrogate(unit):
		case i+2 == len(head):
			return len(head) == headSize
		default:
			i += 2
			if utf16.DecodeRune(unit, rune(order.Uint16(head[i:]))) == unicode.ReplacementChar {
				return false
			}
		}
	}
	return true
}

// endingOf returns the ending of a file name as kinds name it.
func endingOf(name string) string {
	ending := strings.TrimPrefix(strings.ToLower(path.Ext(name)), ".")
	switch ending {
	case "jpeg":
		return "jpg"
	case "tiff":
		return "tif"
	}
	return ending
}

// kindList names endings as a person reads them: "PDF, JPG, PNG".
func kindList(endings []string) string {
	labels := make([]string, 0, len(endings))
	for _, e := range endings {
		labels = append(labels, strings.ToUpper(e))
	}
	return strings.Join(labels, ", ")
}

// maxFileName is the longest file name kept, in bytes.
const maxFileName = 180

// cleanFileName turns whatever a browser sent into a plain name: the last path
// element, in NFC, without control characters and leading dots. Bidirectional
// and zero-width characters stay: they are shown escaped (ui.SafeText), because
// a name that hides its ending should be seen to do so.
func cleanFileName(raw string) string {
	name := strings.ToValidUTF8(raw, "\uFFFD")
	name = norm.NFC.String(name)
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	if len(name) > maxFileName {
		ext := path.Ext(name)
		if len(ext) > 10 {
			ext = ""
		}
		cut := maxFileName - len(ext)
		for cut > 0 && !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + ext
	}
	if name == "" || strings.HasPrefix(name, "-") {
		name = "Datei" + name
	}
	return name
}
