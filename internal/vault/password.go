package vault

import (
	"embed"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"poststelle/internal/fault"
)

// Passwords are taken as ASVS 5.0 6.2 asks: at least 8 characters, up to 1024 bytes, any characters and no rules of composition, but
// none that is on the list of common and breached ones and none made of words that everybody can guess about the person. Staff have
// a second factor besides (docs/adr/0012).
const (
	maxPassword = 1024 // bytes
	minPassword = 8    // characters
)

// dist holds the list of common passwords, one a line, in lower case and sorted by bytes. dev/assets puts it there.
//
//go:embed all:dist
var dist embed.FS

// guessable are the words that stand in every German list of bad passwords; they count also where the list was not built in.
var guessable = regexp.MustCompile(`^(passwort|kennwort|password|hallo|willkommen|geheim|sommer|winter|herbst|fruehling|frühling|schatz|admin|qwertz|qwerty|asdf|test|poststelle|rathaus)+$`)

// commonPasswords is the list, "" when the program was built without it.
func commonPasswords() string {
	raw, err := dist.ReadFile("dist/passwords.txt")
	if err != nil {
		return ""
	}
	return string(raw)
}

// inLines finds a line of a sorted text.
func inLines(text, line string) bool {
	for lo, hi := 0, len(text); lo < hi; {
		mid := lo + (hi-lo)/2
		start := strings.LastIndexByte(text[:mid], '\n') + 1
		end := len(text)
		if n := strings.IndexByte(text[start:], '\n'); n >= 0 {
			end = start + n
		}
		switch strings.Compare(text[start:end], line) {
		case 0:
			return true
		case -1:
			lo = end + 1
		default:
			hi = start
		}
	}
	return false
}

// badPassword says what is wrong with a new password, as the field "password". context holds what everybody can guess about it: the
// authority's id, the login, the mail address.
func badPassword(p string, context ...string) (fault.Field, bool) {
	field := fault.Field{Name: "password"}
	switch {
	case utf8.RuneCountInString(p) < minPassword || !utf8.ValidString(p):
		field.Key, field.Args = "vault.password.short", []any{"min", minPassword}
	case len(p) > maxPassword:
		field.Key, field.Args = "vault.password.long", []any{"max", maxPassword}
	case common(p):
		field.Key = "vault.password.common"
	case aboutPerson(p, context):
		field.Key = "vault.password.context"
	default:
		return fault.Field{}, false
	}
	return field, true
}

// common reports whether a password is on the list, as it is or with figures and signs around it, or repeats one or two characters.
func common(p string) bool {
	fold := strings.ToLower(p)
	core := strings.TrimFunc(fold, func(r rune) bool { return !unicode.IsLetter(r) })
	kinds := []rune(fold)
	slices.Sort(kinds)
	if len(slices.Compact(kinds)) < 3 || guessable.MatchString(core) {
		return true
	}
	list := commonPasswords()
	return inLines(list, fold) || core != "" && inLines(list, core)
}

// aboutPerson reports whether fewer than four letters are left of a password without the words of its context.
func aboutPerson(p string, context []string) bool {
	words := []string{"poststelle"}
	for _, c := range context {
		local, _, _ := strings.Cut(strings.ToLower(c), "@")
		words = append(words, local)
		words = append(words, strings.FieldsFunc(local, func(r rune) bool { return !unicode.IsLetter(r) })...)
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	left, cut := strings.ToLower(p), false
	for _, w := range words {
		if utf8.RuneCountInString(w) >= 3 && strings.Contains(left, w) {
			left, cut = strings.ReplaceAll(left, w, " "), true
		}
	}
	letters := 0
	for _, r := range left {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return cut && letters < 4
}
