// Package load measures: it fills a database with realistic letters (Fill) and
// drives a running server over HTTP (Run), and reports figures that a person
// can read and a program can compare.
//
// Subscribe fills a newsletter, and the scenario Newsletter has the server send
// to a sink in this process, which looks at each message.
//
// Fill writes letters the ordinary way, sealed, journalled and taken in by the
// vault; what it leaves is an installation like any other, only full. Run
// behaves as browsers do, without scripts: it reads forms from pages, keeps
// cookies, follows redirects. It speaks to this machine only, stops by itself,
// and measures nothing but what the scenario names: drafts are prepared and
// sign-ins done before the clock starts.
//
// Client and server share the processors unless they are kept apart, so the
// figures are those of a machine that does both.
package load

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Report is what a run has measured. Durations are of single operations, in
// milliseconds, failed ones left out.
type Report struct {
	Scenario string `json:"scenario"`
	Clients  int    `json:"clients"`
	Done     int    `json:"done"`
	Errors   int    `json:"errors"`
	// Rows is how many letters a page of the inbox listed; 0 for other
	// scenarios.
	Rows    int     `json:"rows,omitempty"`
	Seconds float64 `json:"seconds"`
	// Rate is successful operations a second.
	Rate float64 `json:"rate"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
	// FirstError is the first thing that went wrong, if anything did.
	FirstError string `json:"first_error,omitempty"`
	// Server is nil when the process is not known.
	Server *Process `json:"server,omitempty"`
}

// Process is what /proc says of the server: memory in bytes before the clock
// started and at its highest, and processor seconds used meanwhile. Anonymous
// memory is heap and stacks, without files mapped into memory.
type Process struct {
	RSSBefore       int64   `json:"rss_before"`
	RSSPeak         int64   `json:"rss_peak"`
	AnonymousBefore int64   `json:"anonymous_before"`
	AnonymousPeak   int64   `json:"anonymous_peak"`
	CPUSeconds      float64 `json:"cpu_seconds"`
	// PerCPUSecond is successful operations a processor second of the server.
	PerCPUSecond float64 `json:"per_cpu_second"`
	// Idle and Stolen are shares (0 to 1) of the whole machine's processor time
	// meanwhile: what nobody used, and what the host of a virtual machine gave
	// to others though it was asked for. Figures taken with much of it stolen
	// say little.
	Idle   float64 `json:"idle"`
	Stolen float64 `json:"stolen"`
}

// WriteText writes the report for a person.
func (r Report) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, `%s: %d done, %d errors in %.2f s with %d clients
  rate  %.0f/s
`, r.Scenario, r.Done, r.Errors, r.Seconds, r.Clients, r.Rate)
	if err == nil && r.Max > 0 { // a newsletter is one operation
		_, err = fmt.Fprintf(w, "  p50   %.2f ms\n  p90   %.2f ms\n  p99   %.2f ms\n  max   %.2f ms\n", r.P50, r.P90, r.P99, r.Max)
	}
	if err == nil && r.Rows > 0 {
		_, err = fmt.Fprintf(w, "  rows  %d on a page\n", r.Rows)
	}
	if err == nil && r.FirstError != "" {
		_, err = fmt.Fprintf(w, "  first error: %s\n", r.FirstError)
	}
	if p := r.Server; err == nil && p != nil {
		_, err = fmt.Fprintf(w, "  server: RSS %.1f -> %.1f MB at most, anonymous %.1f -> %.1f MB, %.2f CPU s, %.0f per CPU s\n",
			mega(p.RSSBefore), mega(p.RSSPeak), mega(p.AnonymousBefore), mega(p.AnonymousPeak), p.CPUSeconds, p.PerCPUSecond)
		if err == nil {
			_, err = fmt.Fprintf(w, "  machine: %.0f %% idle, %.0f %% stolen by its host\n", 100*p.Idle, 100*p.Stolen)
		}
	}
	return err
}

// WriteJSON writes the report as one line.
func (r Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

func mega(n int64) float64 { return float64(n) / (1 << 20) }

// summarise puts the durations of successful operations into the report.
func (r *Report) summarise(took []time.Duration, wall time.Duration) {
	slices.Sort(took)
	r.Done = len(took)
	r.Seconds = wall.Seconds()
	if wall > 0 {
		r.Rate = float64(len(took)) / wall.Seconds()
	}
	r.P50, r.P90, r.P99, r.Max = quantile(took, 0.5), quantile(took, 0.9), quantile(took, 0.99), quantile(took, 1)
}

// quantile returns the smallest duration that is not exceeded by the share q of
// all (nearest rank), in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(q*float64(len(sorted))+0.9999999) - 1
	return float64(sorted[min(max(rank, 0), len(sorted)-1)].Microseconds()) / 1000
}
