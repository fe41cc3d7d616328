package db_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
)

// childEnv carries the URL of the database to the child.
const childEnv = "POSTSTELLE_TEST_KILL"

// TestUpdate_SurvivesKill starts this test binary as a child, which writes
// from many goroutines and prints each id that Update acknowledged. The child
// is killed in the middle of it; what it printed must be there.
func TestUpdate_SurvivesKill(t *testing.T) {
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Config{URL: url})
	if err := d.Migrate(t.Context(), letters()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 500 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // says "killed"
	if len(acknowledged) < 500 {
		t.Fatalf("the child acknowledged only %d rows", len(acknowledged))
	}

	d = dbtest.Open(t, db.Config{URL: url})
	there := map[string]bool{}
	for _, id := range ids(t, d) {
		there[id] = true
	}
	for _, id := range acknowledged {
		if !there[id] {
			t.Errorf("row %s was acknowledged and is lost", id)
		}
	}
	put(t, d, "after", "new")
}

// child writes until it is killed.
func child(url string) {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{URL: url})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for range 16 {
		wg.Go(func() {
			for {
				id := rand.Text()
				if err := d.Update(ctx, func(tx *db.Tx) error {
					_, err := tx.Exec(ctx, insertLetter, id, "berg", "new", false, make([]byte, 600), db.Millis(tx.Now))
					return err
				}); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				_, err := fmt.Println(id) // one write, not buffered
				mu.Unlock()
				if err != nil {
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
}
