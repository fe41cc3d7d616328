package accesslog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// Format is the form of an export.
type Format string

const (
	// JSON is one object per line with the nine fields in the order of
	// Fields.
	JSON Format = "json"
	// Combined is the Combined Log Format, which statistics programs read.
	// It has no place for the provider; method and protocol are constants,
	// and the User-Agent is made from the coarse types, with versions 0.
	Combined Format = "combined"
)

// OpenBoxes opens the boxes of a day's segments, each with its associated
// data, and returns their keys in the same order. It returns fault.NotFound
// when the key of that day has been destroyed. The vault does this, and
// audits it.
type OpenBoxes func(day string, boxes, ads [][]byte) ([]seal.Key, error)

// Span is what to export: a tenant and a span of time.
type Span struct {
	Tenant string
	// From is the first instant, To the first one after the span.
	From, To time.Time
}

// Report says what an export found besides records.
type Report struct {
	Records, Segments int
	// Unfinished are segments without their final frame: still being
	// written, or left by a crash.
	Unfinished []string
	// Cut are segments that end inside a frame or a header, as a crash leaves
	// them. Everything before the cut was exported.
	Cut []string
	// Gone are days whose key has been destroyed.
	Gone []string
}

// Export writes the records of a tenant to w, in the order of time. It reads
// below dir, where another process may be writing. A segment that was changed
// ends it with ErrForged; what was already written to w is genuine.
func Export(ctx context.Context, dir string, open OpenBoxes, span Span, format Format, w io.Writer) (Report, error) {
	var rep Report
	if format != JSON && format != Combined {
		return rep, fault.With(fault.Invalid, "")
	}
	if !tenantForm(span.Tenant) {
		return rep, fmt.Errorf("accesslog: export: tenant: %w", fault.Invalid)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return rep, fmt.Errorf("accesslog: export: %w", err)
	}
	defer root.Close()
	days, err := subdirs(root, span.Tenant)
	if errors.Is(err, os.ErrNotExist) {
		return rep, nil
	}
	if err != nil {
		return rep, fmt.Errorf("accesslog: export: %w", err)
	}
	// A request that began before midnight is recorded the day after, and
	// records may wait in memory for a while.
	first, last := span.From.UTC().Format(dayForm), span.To.UTC().AddDate(0, 0, 2).Format(dayForm)
	out := bufio.NewWriterSize(w, 64<<10)
	for _, day := range days {
		if _, err := time.Parse(dayForm, day); err != nil || day < first || day > last {
			continue
		}
		if err := exportDay(ctx, root, open, span, day, format, out, &rep); err != nil {
			return rep, errors.Join(fmt.Errorf("accesslog: export %s: %w", day, err), out.Flush())
		}
	}
	return rep, out.Flush()
}

func exportDay(ctx context.Context, root *os.Root, open OpenBoxes, span Span, day string, format Format, out *bufio.Writer, rep *Report) error {
	f, err := root.Open(span.Tenant + "/" + day)
	if err != nil {
		return err
	}
	files, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	var all []*source
	defer func() {
		for _, s := range all {
			s.f.Close()
		}
	}()
	var boxes, ads [][]byte
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), ".seg")
		if !ok {
			continue
		}
		s, err := openSegment(root, span.Tenant, day, name)
		if errors.Is(err, errEmpty) {
			rep.Cut = append(rep.Cut, span.Tenant+"/"+day+"/"+name)
			continue
		}
		if err != nil {
			return err
		}
		all, boxes, ads = append(all, s), append(boxes, s.box), append(ads, s.ad)
	}
	if len(all) == 0 {
		return nil
	}
	keys, err := open(day, boxes, ads)
	if errors.Is(err, fault.NotFound) {
		rep.Gone = append(rep.Gone, day)
		return nil
	}
	if err != nil {
		return err
	}
	if len(keys) != len(all) {
		return fmt.Errorf("%d keys for %d segments", len(keys), len(all))
	}
	for i, s := range all {
		if s.aead, err = newAEAD(keys[i]); err != nil {
			return err
		}
		if err := s.next(); err != nil {
			return err
		}
	}
	rep.Segments += len(all)
	var line []byte
	for {
		var best *source
		for _, s := range all {
			if s.ok && (best == nil || s.head.Time.Before(best.head.Time)) {
				best = s
			}
		}
		if best == nil {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if e := best.head; !e.Time.Before(span.From) && e.Time.Before(span.To) {
			line = line[:0]
			if format == JSON {
				line = e.appendJSON(line)
			} else {
				line = e.appendCombined(line)
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
			rep.Records++
		}
		if err := best.next(); err != nil {
			return err
		}
	}
	for _, s := range all {
		switch {
		case s.cut:
			rep.Cut = append(rep.Cut, s.name)
		case !s.ended:
			rep.Unfinished = append(rep.Unfinished, s.name)
		}
	}
	return nil
}
