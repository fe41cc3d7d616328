package i18n

import (
	"context"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zone must be there on a machine without zone files
)

// zone is the time every page shows: that of Germany.
var zone = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err) // the zone is part of the binary
	}
	return loc
})

// Zone returns the time zone of all dates and times shown, Europe/Berlin.
func Zone() *time.Location { return zone() }

func german(ctx context.Context) bool { return strings.HasPrefix(Lang(ctx), "de") }

// Date writes the day of t: 26.11.2026, 26 November 2026.
func Date(ctx context.Context, t time.Time) string {
	t = t.In(zone())
	if german(ctx) {
		return t.Format("02.01.2006")
	}
	return DateLong(ctx, t)
}

// DateLong writes the day with the name of the month: 26. November 2026,
// 26 November 2026.
func DateLong(ctx context.Context, t time.Time) string {
	t = t.In(zone())
	return T(ctx, "i18n.date.long", "day", strconv.Itoa(t.Day()),
		"month", T(ctx, "i18n.month."+strconv.Itoa(int(t.Month()))), "year", strconv.Itoa(t.Year()))
}

// Weekday names the day of the week of t.
func Weekday(ctx context.Context, t time.Time) string {
	return T(ctx, "i18n.weekday."+strconv.Itoa(int(t.In(zone()).Weekday())))
}

// Time writes the time of day: 9:12 Uhr, 9:12 am.
func Time(ctx context.Context, t time.Time) string {
	t = t.In(zone())
	if german(ctx) {
		return T(ctx, "i18n.time", "clock", t.Format("15:04")[boolInt(t.Hour() < 10):])
	}
	return T(ctx, "i18n.time", "clock", t.Format("3:04 pm"))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// DateTime writes day and time: 26.11.2026, 9:12 Uhr.
func DateTime(ctx context.Context, t time.Time) string {
	return T(ctx, "i18n.datetime", "date", Date(ctx, t), "time", Time(ctx, t))
}

// DayShort writes the day of t as seen from now: "heute, 9:12 Uhr",
// "gestern, 9:12 Uhr", otherwise the date alone. Show it within
// <time datetime> (ISO), because it grows old.
func DayShort(ctx context.Context, t, now time.Time) string {
	switch Days(now, t) {
	case 0:
		return T(ctx, "i18n.day.today", "time", Time(ctx, t))
	case -1:
		return T(ctx, "i18n.day.yesterday", "time", Time(ctx, t))
	}
	return Date(ctx, t)
}

// Days counts the calendar days in Germany from one time to another; negative
// when to is earlier. The change to summer time does not disturb it.
func Days(from, to time.Time) int {
	day := func(t time.Time) time.Time {
		y, m, d := t.In(zone()).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(day(to).Sub(day(from)) / (24 * time.Hour))
}

// ISO writes t for the datetime attribute of <time>.
func ISO(t time.Time) string { return t.In(zone()).Format(time.RFC3339) }

// Number writes n with the thousands separator of the language: 1.234, 1,234.
func Number(ctx context.Context, n int64) string { return from(ctx).number(n) }

// Decimal writes f with the given number of digits after the decimal sign.
func Decimal(ctx context.Context, f float64, digits int) string {
	return from(ctx).decimal(strconv.FormatFloat(f, 'f', digits, 64))
}

func (l *Localizer) number(n int64) string { return l.decimal(strconv.FormatInt(n, 10)) }

// decimal turns a number written by strconv into that of the language.
func (l *Localizer) decimal(s string) string {
	group, point := ",", "."
	if strings.HasPrefix(l.name, "de") {
		group, point = ".", ","
	}
	sign := ""
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		sign, s = "−", rest
	}
	whole, fraction, _ := strings.Cut(s, ".")
	var b strings.Builder
	b.WriteString(sign)
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(group)
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString(point + fraction)
	}
	return b.String()
}

// Size writes a number of bytes: 12 Byte, 340 KB, 1,2 MB. A KB has 1024 bytes,
// as in the file managers people compare it with.
func Size(ctx context.Context, bytes int64) string {
	l := from(ctx)
	if bytes < 1024 {
		return l.T("i18n.size.byte", "n", bytes)
	}
	f, unit := float64(bytes)/1024, 0
	units := [...]string{"KB", "MB", "GB", "TB"}
	for f >= 1023.5 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	digits := 0
	if f < 10 && unit > 0 && math.Round(f*10) != math.Round(f)*10 {
		digits = 1
	}
	// A space that does not break keeps figure and unit on one line.
	return l.decimal(strconv.FormatFloat(f, 'f', digits, 64)) + "\u00a0" + units[unit]
}
