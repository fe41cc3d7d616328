package arch_test

import (
	"os"
	"testing"

	"poststelle/internal/db/dbtest"
)

// TestEngine keeps a run that was promised PostgreSQL from being a second run on SQLite. dev/test asks the server itself
// too: it counts the databases that the tests made there.
func TestEngine(t *testing.T) {
	want := "sqlite"
	if os.Getenv(dbtest.Env) != "" {
		want = "postgres"
	}
	if got := dbtest.New(t).Engine(); got != want {
		t.Errorf("dbtest.New() runs on %s, want %s", got, want)
	}
}
