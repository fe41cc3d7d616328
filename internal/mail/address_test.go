package mail_test

import (
	"errors"
	"strings"
	"testing"

	"poststelle/internal/fault"
	"poststelle/internal/mail"
)

func TestParseAddress(t *testing.T) {
	l64, label63 := strings.Repeat("l", 64), strings.Repeat("d", 63)
	const empty, long, eai, invalid = "mail.address.empty", "mail.address.long", "mail.address.eai", "mail.address.invalid"
	for _, tc := range []struct{ in, want, key string }{
		{"a@b.de", "a@b.de", ""},
		{"  Erika.Muster+x@Example.ORG\r\n", "Erika.Muster+x@example.org", ""},
		{"o'neil_{x}@mail.example.org", "o'neil_{x}@mail.example.org", ""},
		{"x@bücher.example", "x@xn--bcher-kva.example", ""},
		{"x@BÜCHER.Example", "x@xn--bcher-kva.example", ""},
		{"x@xn--bcher-kva.example", "x@xn--bcher-kva.example", ""},
		{"x@straße.example", "x@xn--strae-oqa.example", ""},
		{"x@例え.example", "x@xn--r8jz45g.example", ""},
		{l64 + "@b.de", l64 + "@b.de", ""},
		{"a@" + label63 + ".de", "a@" + label63 + ".de", ""},
		{"", "", empty}, {" \t", "", empty},
		{l64 + "l@b.de", "", long},
		{"a@" + strings.Repeat(label63+".", 4) + "de", "", long},
		{strings.Repeat("x", 320) + "@b.de", "", long},
		{"müller@b.de", "", eai}, {"用户@例え.example", "", eai},
		{"a", "", invalid}, {"a@", "", invalid}, {"@b.de", "", invalid}, {"a@b", "", invalid},
		{"a@b@c.de", "", invalid}, {"a@b.de.", "", invalid}, {"a@.b.de", "", invalid}, {"a@b..de", "", invalid},
		{".a@b.de", "", invalid}, {"a.@b.de", "", invalid}, {"a..b@c.de", "", invalid},
		{`"a b"@c.de`, "", invalid}, {`"a@b"@c.de`, "", invalid}, {`a\b@c.de`, "", invalid},
		{"a(comment)@c.de", "", invalid}, {"a@c.de (x)", "", invalid}, {"A <a@c.de>", "", invalid}, {"<a@c.de>", "", invalid},
		{"a@[127.0.0.1]", "", invalid}, {"a@127.0.0.1", "", invalid}, {"a@[IPv6:::1]", "", invalid},
		{"a@c.de,b@c.de", "", invalid}, {"a@c.de;b@c.de", "", invalid}, {"a@c.de\r\nRCPT TO:<b@c.de>", "", invalid},
		{"a\r\n@c.de", "", invalid}, {"a\x00@c.de", "", invalid}, {"a@c\x00.de", "", invalid}, {"a\x7f@c.de", "", invalid},
		{"a b@c.de", "", invalid}, {"a@c d.de", "", invalid}, {"a%c.de@relay.de", "", invalid}, {"c!a@relay.de", "", invalid},
		{"a@-b.de", "", invalid}, {"a@b-.de", "", invalid}, {"a@b_c.de", "", invalid},
		{"a@b\u200b.de", "", invalid}, {"a@b\u00ad.de", "", invalid}, {"a@\u202ebc.de", "", invalid}, {"a@c.\xff", "", invalid}, {"\xffa@c.de", "", invalid},
		{"a@xn--a.de", "", invalid}, {"a@" + label63 + "d.de", "", invalid},
	} {
		got, err := mail.ParseAddress("email", tc.in)
		if tc.key == "" {
			if err != nil || string(got) != tc.want {
				t.Errorf("ParseAddress(%q) = %q, %v, want %q", tc.in, got, err, tc.want)
			}
			continue
		}
		f := fault.FieldsOf(err)
		if got != "" || !errors.Is(err, fault.Invalid) || len(f) != 1 || f[0].Name != "email" || f[0].Key != tc.key {
			t.Errorf("ParseAddress(%q) = %q, %v, want %s", tc.in, got, err, tc.key)
		}
		if err != nil && len(tc.in) > 3 && strings.Contains(err.Error(), tc.in) {
			t.Errorf("error repeats the address %q", tc.in)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"a@b.de", "ä@ö.de", `"a"@b.de`, "a@[1.2.3.4]", "a@b.de\r\n", "a@xn--bcher-kva.de", "a@b。de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := mail.ParseAddress("f", s)
		if err != nil {
			if a != "" || len(fault.FieldsOf(err)) != 1 {
				t.Fatalf("ParseAddress(%q) = %q, %v", s, a, err)
			}
			return
		}
		if len(a) > 254 || strings.Count(string(a), "@") != 1 {
			t.Fatalf("ParseAddress(%q) = %q", s, a)
		}
		for i := range len(a) {
			if a[i] <= ' ' || a[i] > '~' || strings.IndexByte(`"(),:;<>[\]!%`, a[i]) >= 0 {
				t.Fatalf("ParseAddress(%q) = %q", s, a)
			}
		}
		if again, err := mail.ParseAddress("f", string(a)); err != nil || again != a {
			t.Fatalf("ParseAddress(%q) is not stable: %q, %v", a, again, err)
		}
	})
}
