package i18n_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"poststelle/internal/i18n"
)

func catalog(t testing.TB, files map[string]string) *i18n.Catalog {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(data)}
	}
	c, err := i18n.LoadFS(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestT(t *testing.T) {
	c := catalog(t, map[string]string{
		"de/a.json": `{"a.plain":"Zurück","a.to":"An {office}, {n} Blatt","a.count":{"one":"{n} Nachricht","other":"{n} Nachrichten"},"a.who":{"one":"{name} hat eine Datei","other":"{name} hat {n} Dateien"}}`,
		"en/a.json": `{"a.plain":"Back","a.to":"{n} sheets to {office}","a.count":{"one":"{n} message","other":"{n} messages"},"a.who":{"one":"{name} has one file","other":"{name} has {n} files"}}`,
	})
	for _, tc := range []struct {
		lang, key string
		args      []any
		want      string
	}{
		{"de", "a.plain", nil, "Zurück"},
		{"en", "a.plain", nil, "Back"},
		{"xx", "a.plain", nil, "Zurück"},
		{"de", "a.to", []any{"office", "Bürgeramt", "n", 3}, "An Bürgeramt, 3 Blatt"},
		{"en", "a.to", []any{"office", "Bürgeramt", "n", 1234}, "1,234 sheets to Bürgeramt"},
		{"de", "a.count", []any{"n", 1}, "1 Nachricht"},
		{"de", "a.count", []any{"n", 0}, "0 Nachrichten"},
		{"de", "a.count", []any{"n", int64(1000001)}, "1.000.001 Nachrichten"},
		{"en", "a.count", []any{"n", -1}, "−1 message"},
		{"de", "a.who", []any{"name", "{n} <b>", "n", 2}, "{n} <b> hat 2 Dateien"},
		{"de", "a.to", []any{"office", "X"}, "An X, ⟦{n}⟧ Blatt"},
		{"de", "a.nothing", nil, "⟦a.nothing⟧"},
		{"en", "a.nothing", nil, "⟦a.nothing⟧"},
	} {
		ctx := i18n.With(context.Background(), c.Localizer(tc.lang))
		if got := i18n.T(ctx, tc.key, tc.args...); got != tc.want {
			t.Errorf("%s: T(%s, %v) = %q, want %q", tc.lang, tc.key, tc.args, got, tc.want)
		}
	}
	if got := i18n.Lang(context.Background()); got != "de" {
		t.Errorf("Lang() without localizer = %q, want de", got)
	}
}

// A half translated variety must not be offered, and must never answer with
// its other half; this breaks each variety in one way.
func TestLoad_VarietyIsCompleteOrAbsent(t *testing.T) {
	c := catalog(t, map[string]string{
		"de/a.json":        `{"a.x":"X {p}","a.y":{"one":"{n}","other":"{n}"}}`,
		"en/a.json":        `{"a.x":"X {p}","a.y":{"one":"{n}","other":"{n}"}}`,
		"de-leicht/a.json": `{"a.x":"X {p}"}`,
		"fr/a.json":        `{"a.x":"X {q}","a.y":{"one":"{n}","other":"{n}"}}`,
		"nl/a.json":        `{"a.x":"X {p}","a.y":{"one":"{n}","other":"{n}"},"a.z":"Z"}`,
		"it/a.json":        `{"a.x":"X {p}","a.y":"{n}"}`,
	})
	if got, want := c.Languages(), []string{"de", "en"}; !slices.Equal(got, want) {
		t.Errorf("Languages() = %v, want %v", got, want)
	}
	for _, lang := range []string{"de-leicht", "fr", "nl", "it"} {
		if len(c.Problems(lang)) != 1 {
			t.Errorf("Problems(%s) = %v, want one", lang, c.Problems(lang))
		}
		if got := c.Localizer(lang).Lang(); got != "de" {
			t.Errorf("Localizer(%s) speaks %s", lang, got)
		}
	}
}

func TestLoad_RefusesMistakes(t *testing.T) {
	for _, data := range []string{
		`{"a.x":""}`, `{"a.x":"{open"}`, `{"a.x":"close}"}`, `{"a.x":"{Name}"}`, `{"a.x":"{}"}`,
		`{"a.x":{"one":"1"}}`, `{"a.x":{"single":"1","other":"2"}}`, `{"a.x":3}`, `[]`,
	} {
		if _, err := i18n.LoadFS(fstest.MapFS{"de/a.json": {Data: []byte(data)}}); err == nil {
			t.Errorf("LoadFS accepts %s", data)
		}
	}
	if _, err := i18n.LoadFS(fstest.MapFS{"en/a.json": {Data: []byte(`{"a.x":"X"}`)}}); err == nil {
		t.Error("LoadFS accepts a catalogue without German")
	}
}

func TestFormats(t *testing.T) {
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	de := i18n.With(context.Background(), c.Localizer("de"))
	en := i18n.With(context.Background(), c.Localizer("en"))
	at := time.Date(2026, 11, 26, 8, 12, 0, 0, time.UTC) // 9:12 in Berlin
	for _, tc := range []struct{ got, want string }{
		{i18n.Date(de, at), "26.11.2026"},
		{i18n.Date(en, at), "26 November 2026"},
		{i18n.DateLong(de, at), "26. November 2026"},
		{i18n.Weekday(de, at), "Donnerstag"},
		{i18n.Weekday(en, at), "Thursday"},
		{i18n.Time(de, at), "9:12 Uhr"},
		{i18n.Time(de, at.Add(12*time.Hour)), "21:12 Uhr"},
		{i18n.Time(de, at.Add(-9*time.Hour)), "0:12 Uhr"},
		{i18n.Time(en, at), "9:12 am"},
		{i18n.Time(en, at.Add(12*time.Hour)), "9:12 pm"},
		{i18n.DateTime(de, at), "26.11.2026, 9:12 Uhr"},
		{i18n.DateTime(en, at), "26 November 2026, 9:12 am"},
		{i18n.DayShort(de, at, at.Add(time.Hour)), "heute, 9:12 Uhr"},
		{i18n.DayShort(de, at, at.Add(16*time.Hour)), "gestern, 9:12 Uhr"},
		{i18n.DayShort(en, at, at.Add(16*time.Hour)), "yesterday, 9:12 am"},
		{i18n.DayShort(de, at, at.Add(48*time.Hour)), "26.11.2026"},
		{i18n.DayShort(de, at, at.Add(-24*time.Hour)), "26.11.2026"},
		{i18n.ISO(at), "2026-11-26T09:12:00+01:00"},
		{i18n.Size(de, 0), "0 Byte"},
		{i18n.Size(en, 1), "1 byte"},
		{i18n.Size(de, 1023), "1.023 Byte"},
		{i18n.Size(de, 1024), "1\u00a0KB"},
		{i18n.Size(de, 348_000), "340\u00a0KB"},
		{i18n.Size(de, 1_258_291), "1,2\u00a0MB"},
		{i18n.Size(en, 1_258_291), "1.2\u00a0MB"},
		{i18n.Size(de, 20<<20), "20\u00a0MB"},
		{i18n.Size(de, 1<<20-1), "1\u00a0MB"},
		{i18n.Size(de, 3<<30), "3\u00a0GB"},
		{i18n.Number(de, 1234567), "1.234.567"},
		{i18n.Number(en, -1234), "−1,234"},
		{i18n.Number(de, 999), "999"},
		{i18n.Decimal(de, 3.14159, 2), "3,14"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func TestDays_SummerTime(t *testing.T) {
	before := time.Date(2026, 3, 28, 23, 30, 0, 0, i18n.Zone())
	after := time.Date(2026, 3, 30, 0, 10, 0, 0, i18n.Zone()) // the day between has 23 hours
	if got := i18n.Days(before, after); got != 2 {
		t.Errorf("Days() = %d, want 2", got)
	}
	if got := i18n.Days(after, before); got != -2 {
		t.Errorf("Days() = %d, want -2", got)
	}
}

// A page asks for a hundred sentences; a plain one must cost under a
// microsecond. The bound is generous enough for a busy machine.
func TestT_IsCheap(t *testing.T) {
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx := i18n.With(context.Background(), c.Localizer("en"))
	if n := testing.AllocsPerRun(100, func() { i18n.T(ctx, "web.error.404.title") }); n != 0 {
		t.Errorf("T of a plain key allocates %v times", n)
	}
}

func BenchmarkT_Plain(b *testing.B) {
	c, _ := i18n.Load()
	ctx := i18n.With(context.Background(), c.Localizer("en"))
	for b.Loop() {
		i18n.T(ctx, "web.error.404.title")
	}
}

func BenchmarkT_Plural(b *testing.B) {
	c, _ := i18n.Load()
	ctx := i18n.With(context.Background(), c.Localizer("en"))
	for b.Loop() {
		i18n.T(ctx, "i18n.size.byte", "n", 12)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(`{"a.x":"X {p}","a.y":{"one":"{n}","other":"{n}"}}`)
	f.Add(`{"a.x":"{{}}"}`)
	f.Fuzz(func(t *testing.T, data string) {
		c, err := i18n.LoadFS(fstest.MapFS{"de/a.json": {Data: []byte(data)}})
		if err != nil {
			return
		}
		for _, key := range c.Keys() {
			if got := c.Localizer("de").T(key, "n", 1); strings.Contains(got, i18n.MarkOpen+key+i18n.MarkClose) && !strings.Contains(data, i18n.MarkOpen) {
				t.Errorf("key %q of the catalogue is not found", key)
			}
		}
	})
}
