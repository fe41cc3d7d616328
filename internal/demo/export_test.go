package demo

import "poststelle/internal/mailbox"

// Letters are all letters of the stories.
func Letters() []mailbox.Letter {
	var out []mailbox.Letter
	for _, s := range stories() {
		out = append(out, s.letter)
	}
	return out
}

// Files are all files that the stories send.
func Files() []mailbox.File {
	var out []mailbox.File
	for _, s := range stories() {
		out = append(out, s.letter.Files...)
		for _, a := range s.then {
			out = append(out, a.files...)
		}
	}
	return out
}
