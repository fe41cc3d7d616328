// Package arch holds no code of the program: its tests keep the rules that a compiler does not.
//
//   - imports_test.go: which package may import which (the map there is the diagram of ARCHITECTURE.md), which outside
//     packages have one owner (SQL drivers, SMTP, ciphers), and what nobody may import.
//   - source_test.go: rules over the syntax tree: the clock, init and package variables, handlers without transactions,
//     SQL without string building, markup only through templ, documented names, short files.
//   - deps_test.go: every outside module in the program is listed in testdata/deps.txt and has its row in
//     docs/adr/0002-dependencies.md.
//   - census_test.go: every column of the live schema is declared as personal or neutral, and every declared column
//     exists, on SQLite and on PostgreSQL.
//   - engine_test.go: a run that was promised PostgreSQL really speaks to it.
//
// Each rule has a planted breach beside it: a small input that must be reported, so that a rule that has stopped
// looking is found. A rule is loosened here, with a reason, in the commit that needs it, never by a comment in the code
// that breaks it. Golden files are written anew by dev/golden.
package arch
