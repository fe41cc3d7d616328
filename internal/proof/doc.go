// Package proof holds the proofs of what Poststelle promises: tests that drive
// the assembled program over HTTP and then look at what is left on its disks,
// in its logs, in its mail and in the database's own dump.
//
//	marker     nothing typed or uploaded stands anywhere in the clear
//	restore    a deleted letter stays closed when old copies are put back
//	forgery    rows and files that were swapped, cut or changed are refused
//	kill       kill -9 at any moment loses and doubles nothing acknowledged
//	residue    an unsent form leaves nothing behind when its session ends
//	fault      a store that is away or full never makes a false "sent"
//	newsmail   a newsletter by real SMTP, from sign-up to unsubscribing by mail
//	accesslog  nine fields for each request and no value of a request
//
// Every proof runs on SQLite and, with POSTSTELLE_TEST_PG set (dev/pg), on
// PostgreSQL, and has a sabotage beside it that plants the fault it looks for
// and expects to find it. POSTSTELLE_PROOF_ROUNDS sets how often the server is
// killed, 100 times by default, five with -short.
//
// The package has no code of its own.
package proof
