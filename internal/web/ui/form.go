package ui

import (
	"strings"

	"github.com/a-h/templ"
)

// FormSpec describes a form element. Method is POST unless Get is set.
type FormSpec struct {
	ID, Action string
	Get        bool
	Multipart  bool
	Label      string            // accessible name, for forms that are landmarks of their own
	Search     bool              // role="search"
	Compact    bool              // small controls, for filter bars
	Hidden     map[string]string // hidden fields, for example the idempotency key
	Plain      bool              // no spacing between children (tool bars, tables)
	Default    bool              // a help, remove or bulk button stands before the button that Enter should press
}

// HelpText is an openable help text. ID is unique in the installation ([a-z0-9_-]); it names the kept state.
type HelpText struct {
	ID, Title string
	Text      string          // one paragraph; or
	Body      templ.Component // anything
	// Open is the state when the reader has kept none.
	Open bool
	// Keep offers the button that keeps the state; only inside a form whose handler calls HelpChoice.
	Keep bool
}

// Input describes a single-line field. ID is Name unless set.
type Input struct {
	ID, Name, Label, Hint, Value, Error string
	Type                                string // "text" unless set: email, password, tel, search, date, …
	Autocomplete                        string // "off" unless set
	InputMode                           string
	Max                                 int  // characters; shows no counter
	Optional                            bool // marks the label; fields are required otherwise
	Narrow                              bool // at most 20rem wide
	Code                                bool // monospace, no spell check: codes and keys
	Help                                *HelpText
	Attrs                               templ.Attributes // extra attributes, for example aria-keyshortcuts
}

// Area describes a text area. With Max set the number of characters is shown and counted while typing.
type Area struct {
	ID, Name, Label, Hint, Value, Error string
	Rows, Max                           int
	Optional                            bool
	Help                                *HelpText
	Attrs                               templ.Attributes
}

// Option is a choice of a select, radio group or checkbox group.
type Option struct {
	Value, Label, Hint string
	Selected           bool
	Disabled           bool
	Attrs              templ.Attributes
}

// Choice describes a select, a radio group or a group of checkboxes.
type Choice struct {
	ID, Name, Label, Hint, Error string
	Options                      []Option
	Value                        string // selects the option with this value, besides Option.Selected
	Optional                     bool
	Empty                        string // select: text of a first option with empty value
	Heading                      bool   // radios, checkboxes: the legend is the h1 of the page
	Boxed                        bool   // radios, checkboxes: each choice in a frame with its hint below
	Help                         *HelpText
	Attrs                        templ.Attributes
}

// Check describes one checkbox.
type Check struct {
	ID, Name, Value, Label, Hint, Error string // Value is "ja" unless set
	Checked                             bool
}

// UploadSpec describes a file field. Limits is the sentence on kinds, sizes and numbers; it becomes the hint.
type UploadSpec struct {
	ID, Name, Label, Limits, Error string
	Accept                         string
	Multiple                       bool
	Optional                       bool
	Button                         string // label of a submit button beside the field ("Dateien hochladen"); "" for none
	ButtonName, ButtonValue        string
}

// FieldError is one line of an error summary: the sentence and the id of the field it leads to (for radios the first).
type FieldError struct{ ID, Text string }

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// ids joins the ids of the describing elements that exist: pairs of "is it there" text and id suffix.
func ids(id string, pairs ...string) string {
	var b []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "" {
			b = append(b, id+"-"+pairs[i+1])
		}
	}
	return strings.Join(b, " ")
}

func class(base string, mods ...any) string {
	for i := 0; i+1 < len(mods); i += 2 {
		if on, _ := mods[i].(bool); on {
			base += " " + mods[i+1].(string)
		}
	}
	return base
}
