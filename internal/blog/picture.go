package blog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

// Bounds of a picture: bytes of the upload, pixels before it is decoded (so that
// a small file cannot fill the memory), and the longer side of what is kept.
const (
	maxPictureBytes  = 12 << 20
	maxPicturePixels = 40_000_000
	maxPictureSide   = 1600
	maxPictures      = 50 // of one post
	maxAlt           = 300
)

// picture is a picture of a post. Name is made from its content, so that browsers
// may keep it for ever.
type picture struct {
	Name, Post, Alt, Kind string
	Width, Height         int
	Created               time.Time
}

// AddPicture takes a picture into a post. It is decoded, turned as its camera
// says, made smaller where it is large, and encoded anew: no metadata stays.
// JPEG and PNG are taken. Errors are at the fields "bild" and "alt".
func (s *Service) AddPicture(ctx context.Context, who account.Actor, post, alt string, from io.Reader) (string, error) {
	alt = strings.TrimSpace(alt)
	var f []fault.Field
	if alt == "" {
		f = append(f, fault.Field{Name: "alt", Key: "blog.error.alt"})
	} else if utf8.RuneCountInString(alt) > maxAlt {
		f = append(f, fault.Field{Name: "alt", Key: "blog.error.long", Args: []any{"max", maxAlt}})
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxPictureBytes+1))
	if err != nil {
		return "", fmt.Errorf("blog: picture: %w", err)
	}
	data, p, key := encodeAnew(raw)
	if key != "" {
		f = append(f, fault.Field{Name: "bild", Key: key})
	}
	if err := fault.Fields(f...); err != nil {
		return "", err
	}
	p.Post, p.Alt = post, alt
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		if _, err := selectPost(ctx, tx, who.Tenant, post); err != nil {
			return err
		}
		all, err := selectPictures(ctx, tx, who.Tenant, post)
		if err != nil {
			return err
		}
		if len(all) >= maxPictures {
			return fault.Fields(fault.Field{Name: "bild", Key: "blog.error.pictures", Args: []any{"max", maxPictures}})
		}
		if err := insertPicture(ctx, tx, who.Tenant, p, data); err != nil {
			return err
		}
		return record(ctx, tx, who, "picture.added", post)
	})
	if err != nil {
		return "", fmt.Errorf("blog: picture: %w", err)
	}
	return p.Name, nil
}

func (s *Service) removePicture(ctx context.Context, who account.Actor, post, name string) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := deletePicture(ctx, tx, who.Tenant, post, name); err != nil {
			return err
		}
		return record(ctx, tx, who, "picture.removed", post)
	})
	if err != nil {
		return fmt.Errorf("blog: remove picture: %w", err)
	}
	return nil
}

// file returns a picture and whether its post is public; one that is not only to
// whom staff confirms, which is asked for no other.
func (s *Service) file(ctx context.Context, of tenant.ID, name string, staff func() bool) (kind string, data []byte, public bool, err error) {
	var state postState
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		kind, state, data, err = selectPicture(ctx, tx, of, name)
		return err
	})
	if err == nil && state != published && !staff() {
		err = fault.NotFound
	}
	if err != nil {
		return "", nil, false, fmt.Errorf("blog: picture: %w", err)
	}
	return kind, data, state == published, nil
}

// encodeAnew returns a picture without anything but its pixels. key names what is
// wrong with it.
func encodeAnew(raw []byte) (data []byte, p picture, key string) {
	if len(raw) == 0 {
		return nil, p, "blog.error.picture"
	}
	if len(raw) > maxPictureBytes {
		return nil, p, "blog.error.picturesize"
	}
	cfg, kind, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || kind != "jpeg" && kind != "png" {
		return nil, p, "blog.error.picturekind"
	}
	if cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxPicturePixels/cfg.Height {
		return nil, p, "blog.error.picturesize"
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, p, "blog.error.picturekind"
	}
	img = shrink(img)
	if kind == "jpeg" {
		img = turn(img, orientation(raw))
	}
	var out bytes.Buffer
	ending := "jpg"
	if kind == "png" {
		ending, err = "png", png.Encode(&out, img)
	} else {
		err = jpeg.Encode(&out, img, &jpeg.Options{Quality: 82})
	}
	if err != nil {
		return nil, p, "blog.error.picturekind"
	}
	sum := sha256.Sum256(out.Bytes())
	b := img.Bounds()
	return out.Bytes(), picture{Name: hex.EncodeToString(sum[:16]) + "." + ending, Kind: "image/" + kind, Width: b.Dx(), Height: b.Dy()}, ""
}

// orientation reads how a camera was held from the Exif block of a JPEG (tag
// 0x0112, 1 to 8); 1 when nothing says otherwise.
func orientation(raw []byte) int {
	for at := 2; at+4 <= len(raw) && raw[at] == 0xff; {
		marker, n := raw[at+1], int(binary.BigEndian.Uint16(raw[at+2:]))
		if marker == 0xda || n < 2 || at+2+n > len(raw) {
			return 1
		}
		if body := raw[at+4 : at+2+n]; marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return exifOrientation(body[6:])
		}
		at += 2 + n
	}
	return 1
}

func exifOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	n := int64(order.Uint16(b[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > int64(len(b)) {
			return 1
		}
		if order.Uint16(b[e:]) == 0x0112 {
			if v := int(order.Uint16(b[e+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}

// turn puts a picture upright.
func turn(img image.Image, orientation int) image.Image {
	if orientation == 1 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	outW, outH := w, h
	if orientation >= 5 {
		outW, outH = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, outW, outH))
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch orientation {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			out.Set(tx, ty, img.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return out
}

// shrink makes a picture as small as the page needs it, by averaging.
func shrink(img image.Image) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	side := max(w, h)
	flat := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(flat, flat.Bounds(), img, b.Min, draw.Src)
	if side <= maxPictureSide {
		return flat
	}
	nw, nh := max(1, w*maxPictureSide/side), max(1, h*maxPictureSide/side)
	out := image.NewRGBA(image.Rect(0, 0, nw, nh))
	for y := range nh {
		y0, y1 := y*h/nh, max(y*h/nh+1, (y+1)*h/nh)
		for x := range nw {
			x0, x1 := x*w/nw, max(x*w/nw+1, (x+1)*w/nw)
			var sum [4]int
			for sy := y0; sy < y1; sy++ {
				row := flat.Pix[sy*flat.Stride+4*x0 : sy*flat.Stride+4*x1]
				for i, v := range row {
					sum[i&3] += int(v)
				}
			}
			n := (x1 - x0) * (y1 - y0)
			at := y*out.Stride + 4*x
			for i := range sum {
				out.Pix[at+i] = uint8(sum[i] / n)
			}
		}
	}
	return out
}
