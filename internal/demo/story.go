package demo

import (
	"time"

	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
)

// story is a letter and what became of it.
type story struct {
	of     tenant.ID
	day    int           // calendar days before now
	hour   float64       // on that day in Berlin; 8.25 is a quarter past eight
	ago    time.Duration // instead of day and hour
	letter mailbox.Letter
	then   []act
	// account says that the registered citizen wrote it.
	account bool
}

// deed is what somebody does with a letter.
type deed uint8

const (
	answers deed = iota
	notes
	takes
	gives
	reads
	forwards
	closes
	continues
	withdraws
	begins
	looks
)

// act is a deed with its time: days working days after the one before, at hour
// in Berlin. Who is a login; empty is the person who wrote the letter.
type act struct {
	does  deed
	who   string
	days  int
	hour  float64
	text  string
	to    string
	tell  bool
	last  bool // the answer closes the thread
	files []mailbox.File
}

// written returns when the letter was sent.
func (st story) written(now time.Time) time.Time {
	if st.ago != 0 {
		return now.Add(-st.ago)
	}
	return daysAgo(now, st.day, st.hour)
}

// when returns the time of an act after what happened at before; never the same
// minute.
func (a act) when(before time.Time) time.Time {
	day := before
	if a.days > 0 {
		day = tenant.WorkingDays(before, a.days)
	}
	at := clock(tenant.StartOfDay(day), a.hour)
	if !at.After(before) {
		return before.Add(4 * time.Minute)
	}
	return at
}

func clock(midnight time.Time, hour float64) time.Time {
	return midnight.Add(time.Duration(hour * float64(time.Hour))).UTC()
}

// daysAgo returns an hour of the day that many days before now.
func daysAgo(now time.Time, days int, hour float64) time.Time {
	return clock(tenant.StartOfDay(now).AddDate(0, 0, -days), hour)
}

// The acts as the stories write them.

func answer(who string, days int, hour float64, text string, files ...mailbox.File) act {
	return act{does: answers, who: who, days: days, hour: hour, text: text, files: files}
}

func lastAnswer(who string, days int, hour float64, text string, files ...mailbox.File) act {
	return act{does: answers, who: who, days: days, hour: hour, text: text, files: files, last: true}
}

func note(who string, days int, hour float64, text string) act {
	return act{does: notes, who: who, days: days, hour: hour, text: text}
}

func take(who string, days int, hour float64) act {
	return act{does: takes, who: who, days: days, hour: hour}
}

func give(who, to string, days int, hour float64) act {
	return act{does: gives, who: who, to: to, days: days, hour: hour}
}

func read(who string, days int, hour float64) act {
	return act{does: reads, who: who, days: days, hour: hour}
}

func forward(who, to string, days int, hour float64, reason string, tell bool) act {
	return act{does: forwards, who: who, to: to, days: days, hour: hour, text: reason, tell: tell}
}

func closing(who string, days int, hour float64) act {
	return act{does: closes, who: who, days: days, hour: hour}
}

func again(days int, hour float64, text string, files ...mailbox.File) act {
	return act{does: continues, days: days, hour: hour, text: text, files: files}
}

func withdraw(days int, hour float64) act {
	return act{does: withdraws, days: days, hour: hour}
}

// begin is a message that the office writes first.
func begin(who string, days int, hour float64, subject, text string, files ...mailbox.File) act {
	return act{does: begins, who: who, days: days, hour: hour, to: subject, text: text, files: files}
}

// look marks the letter as read in the mailbox of its writer.
func look(days int, hour float64) act { return act{does: looks, days: days, hour: hour} }

// stories are all letters, tenant by tenant.
func stories() []story {
	var all []story
	for _, list := range [][]story{citizensOffice(), roads(), building(), townOffices(), village(), villageOffices(), operatorLetters()} {
		all = append(all, list...)
	}
	return all
}
