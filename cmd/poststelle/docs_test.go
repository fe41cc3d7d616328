package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"poststelle/internal/app"
)

// help runs "help COMMAND" and returns what it prints.
func help(t *testing.T, command string) string {
	t.Helper()
	var out, errs bytes.Buffer
	args := append([]string{"help"}, strings.Fields(command)...)
	if code := app.Run(context.Background(), args, app.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != 0 || errs.Len() > 0 {
		t.Fatalf("poststelle %s: exit %d, %s", strings.Join(args, " "), code, errs.String())
	}
	return out.String()
}

// commands are all that "help" lists.
func commands(t *testing.T) []string {
	t.Helper()
	_, list, ok := strings.Cut(help(t, ""), "Commands:\n")
	if !ok {
		t.Fatal("help lists no commands")
	}
	var out []string
	for line := range strings.Lines(list) {
		name, ok := strings.CutPrefix(line, "  ")
		if !ok {
			break // the blank line after the list
		}
		if strings.HasPrefix(name, " ") {
			continue // the line above goes on
		}
		name, _, _ = strings.Cut(strings.TrimSpace(name), "  ")
		out = append(out, name)
	}
	return out
}

// TestHelp holds that every command explains itself with examples that it takes.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	all := commands(t)
	if len(all) < 18 {
		t.Fatalf("help lists only %v", all)
	}
	for _, c := range all {
		text := help(t, c)
		if !strings.Contains(text, "Example") || !strings.Contains(text, "poststelle "+c) {
			t.Errorf("help of %q has no example:\n%s", c, text)
		}
		if !strings.Contains(text, "Usage: poststelle "+c) {
			t.Errorf("help of %q has no usage", c)
		}
	}
}

const reference = "../../docs/cli.md"

// TestReference compares docs/cli.md with what the program says of itself.
func TestReference(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var b strings.Builder
	b.WriteString(`# Command line

Written by ` + "`dev/golden`" + ` from what the program prints; do not edit.

Errors go to standard error. Exit code 0: done; 1: failed; 2: wrong use. Commands speak to the server that has the data
directory open, through a socket that only its owner can reach, and open the files themselves when none runs.

`)
	block := func(text string) { b.WriteString("```text\n" + strings.TrimSpace(text) + "\n```\n\n") }
	block(help(t, ""))
	for _, c := range commands(t) {
		b.WriteString("## poststelle " + c + "\n\n")
		block(help(t, c))
	}
	want := strings.TrimRight(b.String(), "\n") + "\n"
	if *update {
		must(t, os.WriteFile(filepath.FromSlash(reference), []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(filepath.FromSlash(reference))
	must(t, err)
	if string(got) != want {
		t.Error("docs/cli.md is not what the program says of itself; run dev/golden cmd/poststelle and read the difference")
	}
}
