package ui

import (
	"strconv"
	"strings"
	"unicode"

	"rsc.io/qr"
)

type qrPath struct {
	size int
	path string
}

// drawQR gives the dark modules of the code as an SVG path, with the quiet zone of four modules that ISO/IEC 18004 asks
// for. Text too long for a code draws nothing.
func drawQR(text string) qrPath {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return qrPath{}
	}
	const quiet = 4
	var b strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			b.WriteString("M" + strconv.Itoa(start+quiet) + " " + strconv.Itoa(y+quiet) + "h" + strconv.Itoa(x-start) + "v1h-" + strconv.Itoa(x-start) + "z")
		}
	}
	return qrPath{size: code.Size + 2*quiet, path: b.String()}
}

// initials are the first letters of the first and the last word that begin with a letter.
func initials(name string) string {
	var letters []rune
	for _, word := range strings.Fields(name) {
		if r := []rune(word)[0]; unicode.IsLetter(r) {
			letters = append(letters, unicode.ToUpper(r))
		}
	}
	switch len(letters) {
	case 0:
		return "?"
	case 1:
		return string(letters[0])
	}
	return string([]rune{letters[0], letters[len(letters)-1]})
}
