package seal_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"poststelle/internal/seal"
)

func BenchmarkWriter(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 20, 20 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k, plain := seal.NewKey(), text(n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				w, err := seal.NewWriter(io.Discard, k, testPlace)
				if err != nil {
					b.Fatal(err)
				}
				w.Write(plain)
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 20, 20 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := seal.NewKey()
			sealed := seal.Seal(k, testPlace, text(n))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.Copy(io.Discard, seal.NewReader(bytes.NewReader(sealed), k, testPlace)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrap(b *testing.B) {
	kek, k := seal.NewKey(), seal.NewKey()
	for b.Loop() {
		if _, err := seal.Unwrap(kek, seal.Wrap(kek, k, "x"), "x"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBox(b *testing.B) {
	p, err := seal.NewPair()
	if err != nil {
		b.Fatal(err)
	}
	public, plain := p.Public(), make([]byte, 160)
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			public.SealBox(plain, nil)
		}
	})
	box, _ := public.SealBox(plain, nil)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			p.OpenBox(box, nil)
		}
	})
}
