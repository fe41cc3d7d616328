package ui

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/a-h/templ"

	"poststelle/internal/i18n"
)

// SafeText shows foreign text on one line: isolated from the direction of its surroundings, characters that hide or
// reorder text spelled out.
func SafeText(s string) templ.Component { return foreign("<bdi>", "</bdi>", s) }

// SafeLines shows foreign text with its line breaks, for the body of letters.
func SafeLines(s string) templ.Component {
	return foreign(`<div class="ps-letter" dir="auto">`, "</div>", s)
}

// Spelled returns s with the characters that hide or reorder text spelled out, for foreign words within a sentence of
// ours and for attributes.
func Spelled(s string) string {
	var b strings.Builder
	for _, p := range visible(s) {
		b.WriteString(p.text)
	}
	return b.String()
}

// foreign is written by hand because no white space may enter between the pieces.
func foreign(open, shut, s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b strings.Builder
		b.WriteString(open)
		for _, p := range visible(s) {
			if p.control {
				b.WriteString(`<span class="ps-ctl">` + p.text + `</span>`)
				continue
			}
			b.WriteString(templ.EscapeString(p.text))
		}
		b.WriteString(shut)
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// piece is a run of text, either as it is or the spelled-out name of a character that must not act.
type piece struct {
	text    string
	control bool
}

// visible splits s so that no character in it can reorder, hide or end the text around it: directional marks and
// overrides (UAX 9), zero-width and invisible characters, control characters except line feed and tab. Joiners stay
// where a script or an emoji needs them.
func visible(s string) []piece {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	runes := []rune(s)
	var out []piece
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			out = append(out, piece{text: plain.String()})
			plain.Reset()
		}
	}
	for i, r := range runes {
		if !hidden(r) || joins(runes, i) {
			plain.WriteRune(r)
			continue
		}
		flush()
		out = append(out, piece{text: fmt.Sprintf("[U+%04X]", r), control: true})
	}
	flush()
	return out
}

func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < 0x20 || (r >= 0x7f && r < 0xa0): // C0, DEL, C1
		return true
	case r == 0xad || r == 0x34f || r == 0x61c || r == 0x115f || r == 0x1160 || r == 0x17b4 || r == 0x17b5 || r == 0x180e || r == 0x3164 || r == 0xffa0:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r >= 0xfff9 && r <= 0xfffb:
		return true
	case r >= 0xe0000 && r <= 0xe0fff: // tags and variation selectors supplement
		return true
	}
	return false
}

// joins says whether the joiner at i does its proper work: between letters of scripts that join, or inside an emoji.
func joins(runes []rune, i int) bool {
	r := runes[i]
	if (r != 0x200c && r != 0x200d) || i == 0 || i+1 == len(runes) {
		return false
	}
	before, after := runes[i-1], runes[i+1]
	if unicode.In(before, unicode.Arabic, unicode.Syriac, unicode.Devanagari, unicode.Bengali, unicode.Malayalam, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Sinhala, unicode.Mn) &&
		unicode.In(after, unicode.Arabic, unicode.Syriac, unicode.Devanagari, unicode.Bengali, unicode.Malayalam, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Sinhala) {
		return true
	}
	return r == 0x200d && pictorial(before) && pictorial(after)
}

func pictorial(r rune) bool {
	return r == 0xfe0f || (r >= 0x2190 && r <= 0x2bff) || (r >= 0x1f000 && r <= 0x1faff)
}

// count is the number of characters as a browser counts them in a text area: UTF-16 units, a line break as one.
func count(s string) int {
	return len(utf16.Encode([]rune(strings.ReplaceAll(s, "\r\n", "\n"))))
}

// dense writes a day as briefly as a list allows. With clock, today is the time of day and yesterday a word.
func dense(ctx context.Context, t time.Time, clock bool) string {
	now := kitOf(ctx).Now
	local := t.In(i18n.Zone())
	if clock {
		switch i18n.Days(t, now) {
		case 0:
			return fmt.Sprintf("%d:%02d", local.Hour(), local.Minute())
		case 1:
			return i18n.T(ctx, "ui.date.yesterday")
		}
	}
	if local.Year() != now.In(i18n.Zone()).Year() {
		return i18n.Date(ctx, t)
	}
	if strings.HasPrefix(i18n.Lang(ctx), "de") {
		return local.Format("02.01.")
	}
	return local.Format("2 Jan")
}
