package tenant

import (
	"time"

	"poststelle/internal/i18n"
)

// WorkingDays returns the end of the nth working day after from, as a date in
// Baden-Württemberg: the day itself is not counted, Saturdays, Sundays and
// public holidays are skipped (Regulation (EEC, Euratom) No 1182/71, Art. 3;
// holidays by the Feiertagsgesetz BW). The result is midnight at the start of
// that day in Europe/Berlin, in UTC.
func WorkingDays(from time.Time, n int) time.Time {
	day := StartOfDay(from)
	for n > 0 {
		day = day.AddDate(0, 0, 1)
		if !Holiday(day) {
			n--
		}
	}
	return day.UTC()
}

// Holiday reports whether the calendar day of t, in t's own zone, is a
// Saturday, a Sunday or a public holiday in Baden-Württemberg.
func Holiday(t time.Time) bool {
	if wd := t.Weekday(); wd == time.Saturday || wd == time.Sunday {
		return true
	}
	switch month, day := t.Month(), t.Day(); {
	case month == time.January && (day == 1 || day == 6),
		month == time.May && day == 1,
		month == time.October && day == 3,
		month == time.November && day == 1,
		month == time.December && (day == 25 || day == 26):
		return true
	}
	// Good Friday, Easter Monday, Ascension, Whit Monday, Corpus Christi.
	easter := easterSunday(t.Year(), t.Location())
	for _, offset := range [...]int{-2, 1, 39, 50, 60} {
		if d := easter.AddDate(0, 0, offset); d.Month() == t.Month() && d.Day() == t.Day() {
			return true
		}
	}
	return false
}

// easterSunday computes the Gregorian Easter by the anonymous (Meeus/Jones/
// Butcher) algorithm.
func easterSunday(year int, zone *time.Location) time.Time {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	month := (h + l - 7*m + 114) / 31
	day := (h+l-7*m+114)%31 + 1
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone)
}

// StartOfDay returns when the day of t began in Germany.
func StartOfDay(t time.Time) time.Time {
	y, m, d := t.In(i18n.Zone()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, i18n.Zone())
}
