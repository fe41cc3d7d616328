package demo

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"strings"

	"poststelle/internal/mailbox"
)

// The files of the demonstration are made here, small and genuine of their
// kind: what a viewer opens, not a name with an ending.

// text makes a plain text file.
func text(name, content string) mailbox.File {
	return mailbox.File{Name: name, Content: []byte(content)}
}

// pdf makes a one-page A4 document (PDF 1.4) with a heading and lines in
// Helvetica. Characters outside Windows-1252 become question marks.
func pdf(name, heading string, lines ...string) mailbox.File {
	var page strings.Builder
	fmt.Fprintf(&page, "BT /F2 16 Tf 70 760 Td (%s) Tj ET\n", pdfText(heading))
	for i, l := range lines {
		fmt.Fprintf(&page, "BT /F1 11 Tf 70 %d Td (%s) Tj ET\n", 725-i*18, pdfText(l))
	}
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", page.Len(), page.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
	}
	var out bytes.Buffer
	out.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return mailbox.File{Name: name, Content: out.Bytes()}
}

// pdfText encodes a string for a PDF literal in Windows-1252.
func pdfText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '(' || r == ')' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r >= 0xa0 && r <= 0xff:
			fmt.Fprintf(&b, "\\%03o", r)
		case r == '€':
			b.WriteString("\\200")
		case r == '–':
			b.WriteString("\\226")
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// motif is what a picture shows.
type motif uint8

const (
	lampAtNight motif = iota
	holeInRoad
	bulkyWaste
	siteMap
)

// photo makes a small JPEG.
func photo(name string, m motif) mailbox.File {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture(m), &jpeg.Options{Quality: 70}); err != nil {
		panic(err) // a picture in memory can always be encoded
	}
	return mailbox.File{Name: name, Content: out.Bytes()}
}

// drawing makes a small PNG.
func drawing(name string, m motif) mailbox.File {
	var out bytes.Buffer
	if err := png.Encode(&out, picture(m)); err != nil {
		panic(err) // a picture in memory can always be encoded
	}
	return mailbox.File{Name: name, Content: out.Bytes()}
}

// picture paints a motif from flat shapes, 320 by 240.
func picture(m motif) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	box := func(x0, y0, x1, y1 int, c color.RGBA) {
		draw.Draw(img, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, draw.Src)
	}
	oval := func(cx, cy, rx, ry int, c color.RGBA) {
		for y := cy - ry; y <= cy+ry; y++ {
			for x := cx - rx; x <= cx+rx; x++ {
				dx, dy := (x-cx)*ry, (y-cy)*rx
				if dx*dx+dy*dy <= rx*rx*ry*ry {
					img.SetRGBA(x, y, c)
				}
			}
		}
	}
	sky, ground := color.RGBA{196, 214, 230, 255}, color.RGBA{122, 122, 118, 255}
	if m == lampAtNight {
		sky, ground = color.RGBA{22, 28, 44, 255}, color.RGBA{40, 42, 46, 255}
	}
	box(0, 0, 320, 150, sky)
	box(0, 150, 320, 240, ground)
	switch m {
	case lampAtNight:
		box(30, 70, 130, 150, color.RGBA{52, 54, 62, 255})
		for x := 44; x < 120; x += 26 {
			box(x, 92, x+12, 110, color.RGBA{214, 178, 92, 255})
		}
		box(216, 40, 221, 190, color.RGBA{92, 96, 102, 255})
		box(190, 36, 221, 41, color.RGBA{92, 96, 102, 255})
		oval(190, 44, 13, 6, color.RGBA{70, 72, 78, 255})
	case holeInRoad:
		box(0, 192, 320, 196, color.RGBA{226, 226, 220, 255})
		oval(176, 178, 66, 21, color.RGBA{62, 60, 58, 255})
		oval(170, 180, 44, 12, color.RGBA{34, 33, 32, 255})
	case bulkyWaste:
		box(0, 60, 320, 150, color.RGBA{160, 120, 92, 255})
		box(70, 120, 190, 176, color.RGBA{92, 66, 44, 255})
		box(84, 108, 176, 124, color.RGBA{168, 52, 48, 255})
		box(206, 132, 250, 178, color.RGBA{208, 206, 196, 255})
	case siteMap:
		box(0, 0, 320, 240, color.RGBA{246, 244, 236, 255})
		box(0, 168, 320, 204, color.RGBA{214, 212, 206, 255})
		box(60, 60, 150, 140, color.RGBA{178, 64, 58, 255})
		box(180, 84, 240, 140, color.RGBA{120, 140, 160, 255})
		for x := 20; x < 300; x += 40 {
			box(x, 20, x+1, 160, color.RGBA{200, 196, 184, 255})
		}
	}
	return img
}
