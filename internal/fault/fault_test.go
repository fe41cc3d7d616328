package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"poststelle/internal/fault"
)

func TestKind_IsAnError(t *testing.T) {
	err := fmt.Errorf("mailbox: reply to %s: %w", "abc", fault.NotFound)
	if !errors.Is(err, fault.NotFound) {
		t.Errorf("errors.Is(%v, NotFound) = false", err)
	}
	if errors.Is(err, fault.Denied) {
		t.Errorf("errors.Is(%v, Denied) = true", err)
	}
	if got, want := err.Error(), "mailbox: reply to abc: not found"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestKindOf(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"foreign error", io.EOF, fault.Internal},
		{"nil", nil, fault.Internal},
		{"bare kind", fault.Conflict, fault.Conflict},
		{"wrapped kind", fmt.Errorf("a: %w", fmt.Errorf("b: %w", fault.TooLarge)), fault.TooLarge},
		{"error with sentence", fault.With(fault.TooMany, "web.error.wait"), fault.TooMany},
		{"outermost wins", &fault.Error{Kind: fault.Denied, Err: fault.NotFound}, fault.Denied},
		{"joined", errors.Join(io.EOF, fmt.Errorf("x: %w", fault.Invalid)), fault.Invalid},
		{"two verbs", fmt.Errorf("%w: %w", fault.Unavailable, io.EOF), fault.Unavailable},
	} {
		if got := fault.KindOf(tc.err); got != tc.want {
			t.Errorf("%s: KindOf(%v) = %v, want %v", tc.name, tc.err, got, tc.want)
		}
	}
}

func TestKind_NamesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for k := fault.Internal; k <= fault.TooMany; k++ {
		if seen[k.Error()] || k.Error() == "" {
			t.Errorf("kind %d has no name of its own: %q", k, k.Error())
		}
		seen[k.Error()] = true
	}
	if got := fault.Kind(200).Error(); got != "fault.Kind(200)" {
		t.Errorf("Kind(200) = %q", got)
	}
}

func TestFields(t *testing.T) {
	if err := fault.Fields(); err != nil {
		t.Errorf("Fields() = %v, want nil", err)
	}
	err := fmt.Errorf("mailbox: send: %w", fault.Fields(
		fault.Field{Name: "text", Key: "mailbox.send.text-missing"},
		fault.Field{Name: "email", Key: "mailbox.send.email-form", Args: []any{"value", "secret@example.org"}},
	))
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("errors.Is(%v, Invalid) = false", err)
	}
	got := fault.FieldsOf(err)
	if len(got) != 2 || got[0].Name != "text" || got[1].Name != "email" {
		t.Errorf("FieldsOf() = %v", got)
	}
	if strings.Contains(err.Error(), "secret@example.org") {
		t.Errorf("the text for the log repeats what was typed: %q", err)
	}
	if f := fault.FieldsOf(io.EOF); f != nil {
		t.Errorf("FieldsOf(io.EOF) = %v, want nil", f)
	}
}

func TestError_KeepsCause(t *testing.T) {
	err := error(&fault.Error{Kind: fault.Unavailable, Key: "vault.gone", Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, fault.Unavailable) {
		t.Errorf("cause or kind lost in %v", err)
	}
	e, ok := errors.AsType[*fault.Error](fmt.Errorf("x: %w", err))
	if !ok || e.Key != "vault.gone" {
		t.Errorf("AsType() = %v, %v", e, ok)
	}
}
