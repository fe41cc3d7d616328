package demo

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/netip"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blog"
	"poststelle/internal/tenant"
)

// entry is a post of the demonstration with its comments. Day counts back from
// the present.
type entry struct {
	of       tenant.ID
	by       string // login of the editor
	day      int
	draft    blog.Draft
	picture  string // description; "" for none
	comments []remark
}

// remark is a comment. Approved ones are public; an answer is to the one before.
type remark struct {
	text     string
	approved bool
	answer   bool
}

func entries() []entry {
	return []entry{
		{
			of: betreiber, by: "f.winter", day: 16,
			draft: blog.Draft{
				Title: "Die Digitale Poststelle geht an den Start", Comments: true, Moderated: true, CloseDays: 60,
				Summary: "Ab heute können Sie Ihrer Gemeinde sicher schreiben, auch ohne Konto.",
				Source: "Wer seiner Gemeinde etwas mitteilen will, braucht dafür kein Konto und keine App.\n\n## So geht es\n\n" +
					"1. Gemeinde suchen\n2. Nachricht schreiben und Dateien anhängen\n3. Abholcode notieren\n\n" +
					"Mit dem Abholcode lesen Sie die Antwort. **Verschlüsselt** ist alles vom ersten Zeichen an.\n\n" +
					"## Was wir nicht tun\n\nWir lesen Ihre Nachrichten nicht. Das kann nur das Amt, an das Sie schreiben.",
			},
			picture: "Illustration: Sonne über grünen Hügeln mit einem Rathaus",
			comments: []remark{
				{text: "Endlich! Das hat mir den Weg ins Rathaus erspart.", approved: true},
				{text: "Geht das auch für Vereine?", approved: true},
				{text: "Ja, Vereine schreiben genauso wie alle anderen.", approved: true, answer: true},
			},
		},
		{
			of: betreiber, by: "f.winter", day: 6,
			draft: blog.Draft{
				Title: "Warum Ihr Kommentar keinen Namen braucht", Comments: true, Moderated: true, CloseDays: 60,
				Summary: "Wir speichern den Text und den Zeitpunkt. Mehr fragen wir nicht.",
				Source: "Unter unseren Beiträgen können Sie kommentieren. Ein Name, eine E-Mail-Adresse oder ein Konto gehören nicht dazu.\n\n" +
					"* Ihr Text und der Zeitpunkt sind öffentlich.\n* Ihre IP-Adresse liegt verschlüsselt an einem anderen Ort und wird nach 90 Tagen unlesbar.\n" +
					"* Öffnen können sie nur zwei Personen gemeinsam, und nur, wenn jemand rechtlich gegen einen Kommentar vorgeht.\n\n" +
					"Sie können Ihren Kommentar jederzeit löschen. Die Adresse, die Sie nach dem Senden sehen, ist Ihr Schlüssel dafür.",
			},
			comments: []remark{
				{text: "Gut erklärt. Was passiert, wenn ich die Adresse verliere?", approved: true},
				{text: "Hier gibt es günstige Kredite: http://kredit.example http://kredit2.example http://kredit3.example"},
			},
		},
		{
			of: betreiber, by: "f.winter", day: 2,
			draft: blog.Draft{
				Title: "Wartung im November", Comments: false, Moderated: true, CloseDays: 0,
				Summary: "An einem Sonntagabend ist die Poststelle kurz nicht erreichbar.",
				Source:  "Wir erneuern die Server. Den genauen Zeitpunkt lesen Sie oben auf jeder Seite.\n\n| Dienst | Ausfall |\n|---|---|\n| Nachricht schreiben | zwei Stunden |\n| Antwort abholen | zwei Stunden |\n| Diese Website | keiner |",
			},
		},
		{
			of: gemeinde, by: "s.nowak", day: 4,
			draft: blog.Draft{
				Title: "Der Dorfladen öffnet wieder", Comments: true, Moderated: true, CloseDays: 30,
				Summary: "Ab Montag gibt es morgens wieder Brötchen.",
				Source:  "Nach dem Umbau öffnet der Dorfladen am **Montag um 7 Uhr**. Die Poststelle im Laden nimmt auch Päckchen an.",
			},
			comments: []remark{{text: "Darauf haben wir lange gewartet.", approved: true}},
		},
	}
}

// news publishes the posts and lets people comment.
func (s *seeding) news() (out []scene) {
	for _, e := range entries() {
		at := daysAgo(s.Now, e.day, 9)
		out = append(out, scene{at: at, run: func(ctx context.Context) error {
			if err := s.publish(ctx, e, at); err != nil {
				return fmt.Errorf("%q: %w", e.draft.Title, err)
			}
			return nil
		}})
	}
	return out
}

func (s *seeding) publish(ctx context.Context, e entry, at time.Time) error {
	t, err := s.tenant(e.of)
	if err != nil {
		return err
	}
	who, err := s.as(ctx, e.of, e.by, at)
	if err != nil {
		return err
	}
	id, err := s.Blog.Create(ctx, who, e.draft)
	if err == nil && e.picture != "" {
		err = s.illustrate(ctx, who, e, id)
	}
	if err == nil {
		err = s.Blog.Publish(ctx, who, id)
	}
	if err != nil {
		return err
	}
	before := ""
	for i, c := range e.comments {
		s.SetClock(at.Add(time.Duration(i+1) * 5 * time.Minute))
		in := blog.Submission{Body: c.text, From: netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + i)})}
		if c.answer {
			in.Parent = before
		}
		got, err := s.Blog.Comment(ctx, t, e.draft.Address(), in)
		if err == nil && c.approved {
			_, err = s.Blog.Approve(ctx, who, got.ID)
		}
		if err != nil {
			return err
		}
		before = got.ID
	}
	return nil
}

func (s *seeding) illustrate(ctx context.Context, who account.Actor, e entry, id string) error {
	name, err := s.Blog.AddPicture(ctx, who, id, e.picture, bytes.NewReader(s.picture()))
	if err != nil {
		return err
	}
	e.draft.Source = "![" + e.picture + "](bild:" + name + ")\n\n" + e.draft.Source
	return s.Blog.Save(ctx, who, id, 1, e.draft)
}

// landscape draws hills, a sun and a town hall, as PNG.
func landscape(w, h int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	hills := []struct {
		base, high, wide float64
		c                color.RGBA
	}{
		{0.62, 0.10, 260, color.RGBA{0xa8, 0xc8, 0xa0, 255}}, {0.74, 0.08, 170, color.RGBA{0x7f, 0xad, 0x7c, 255}}, {0.86, 0.05, 120, color.RGBA{0x4f, 0x86, 0x5b, 255}},
	}
	for x := range w {
		for y := range h {
			fy := float64(y) / float64(h)
			c := color.RGBA{uint8(0xc4 + 40*fy), uint8(0xdd + 20*fy), 0xf2, 255}
			if dx, dy := float64(x)-0.78*float64(w), float64(y)-0.26*float64(h); math.Hypot(dx, dy) < float64(h)/8 {
				c = color.RGBA{0xf6, 0xc9, 0x5c, 255}
			}
			for i, hill := range hills {
				if fy > hill.base+hill.high*math.Sin(float64(x)/hill.wide+float64(i)*1.7) {
					c = hill.c
				}
			}
			img.SetRGBA(x, y, c)
		}
	}
	fill := func(x0, y0, x1, y1 int, c color.RGBA) {
		for x := x0; x < x1; x++ {
			for y := y0; y < y1; y++ {
				img.SetRGBA(x, y, c)
			}
		}
	}
	wall, roof, dark := color.RGBA{0xf2, 0xe6, 0xd2, 255}, color.RGBA{0xa5, 0x4b, 0x3a, 255}, color.RGBA{0x4a, 0x3b, 0x32, 255}
	left, top := w/4, h/2
	for i := range 70 {
		fill(left+i, top-i, left+200-i, top-i+1, roof)
	}
	fill(left+10, top, left+190, top+150, wall)
	fill(left+80, top-110, left+120, top-40, wall)
	for i := range 20 {
		fill(left+80+i, top-110-i*2, left+120-i, top-108-i*2, roof)
	}
	for i := range 4 {
		fill(left+28+i*40, top+25, left+50+i*40, top+60, dark)
	}
	fill(left+86, top+90, left+114, top+150, dark)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}
