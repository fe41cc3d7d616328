package jobs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/jobs"
)

const childEnv = "POSTSTELLE_TEST_JOBS_CHILD"

// TestMain makes this binary also the process that TestCrash kills.
func TestMain(m *testing.M) {
	if url := os.Getenv(childEnv); url != "" {
		child(url)
		return
	}
	os.Exit(m.Run())
}

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// run starts q and returns a function that ends it and waits.
func run(t testing.TB, q *jobs.Queue) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// receive waits for a value with a bound that only a broken queue meets.
func receive[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestRun_StartsAtOnce(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	ignore := goleak.IgnoreCurrent()
	q := jobs.New(jobs.Config{DB: d, Poll: time.Hour, Workers: 1})
	ran := make(chan string, 10)
	q.Handle("first", func(ctx context.Context, j jobs.Job) error {
		ran <- j.Kind
		return d.Update(ctx, func(tx *db.Tx) error { return q.Enqueue(ctx, tx, "second", j.Ref) })
	})
	q.Handle("second", func(_ context.Context, j jobs.Job) error { ran <- j.Kind; return nil })
	stop := run(t, q)
	for range 3 { // also when it has been idle
		enqueue(t, d, q, "first", "x")
		if a, b := receive(t, ran, "a job"), receive(t, ran, "its follow-up"); a != "first" || b != "second" {
			t.Errorf("ran %s, %s", a, b)
		}
	}
	stop()
	if d.Engine() == "sqlite" { // the PostgreSQL driver keeps connections of its own
		if err := goleak.Find(ignore); err != nil {
			t.Error(err)
		}
	}
}

func TestRun_SlowJobHoldsNobody(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	q := jobs.New(jobs.Config{DB: d, Workers: 2})
	release := make(chan struct{})
	started, quick := make(chan struct{}, 1), make(chan struct{}, 50)
	q.Handle("slow", func(context.Context, jobs.Job) error { started <- struct{}{}; <-release; return nil })
	q.Handle("quick", func(context.Context, jobs.Job) error { quick <- struct{}{}; return nil })
	stop := run(t, q)
	enqueue(t, d, q, "slow", "")
	receive(t, started, "the slow job")
	for range 50 {
		enqueue(t, d, q, "quick", "")
	}
	for range 50 {
		receive(t, quick, "a quick job beside a slow one")
	}
	close(release)
	stop()
	if n := rows(t, d, "ready"); n != 0 {
		t.Errorf("%d jobs left", n)
	}
}

func TestRun_ThreeQueuesNoDuplicate(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	const total = 300
	var mu sync.Mutex
	seen := map[string]int{}
	done := make(chan struct{}, 2*total)
	var queues []*jobs.Queue
	for range 3 {
		q := jobs.New(jobs.Config{DB: d, Workers: 4, Poll: 10 * time.Millisecond})
		q.Handle("k", func(_ context.Context, j jobs.Job) error {
			mu.Lock()
			seen[j.Ref]++
			mu.Unlock()
			done <- struct{}{}
			return nil
		})
		queues = append(queues, q)
	}
	var stops []func()
	for _, q := range queues {
		stops = append(stops, run(t, q))
	}
	for i := range total {
		enqueue(t, d, queues[i%3], "k", fmt.Sprint(i))
	}
	for range total {
		receive(t, done, "a job")
	}
	for _, stop := range stops {
		stop()
	}
	if n := rows(t, d, "ready"); n != 0 || len(seen) != total {
		t.Errorf("%d jobs left, %d seen", n, len(seen))
	}
	for ref, n := range seen {
		if n != 1 {
			t.Errorf("job %s ran %d times", ref, n)
		}
	}
}

func TestLease_ExpiresAndFencesOff(t *testing.T) {
	for name, end := range map[string]error{"success": nil, "failure": errors.New("late"), "fatal": jobs.Fatal(errors.New("late"))} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			d := dbtest.NewAt(t, c.Now, jobs.Migrations())
			var log strings.Builder
			// A lease of an hour is never renewed within this test.
			stuck := jobs.New(jobs.Config{DB: d, Lease: time.Hour, Log: textLog(&log)})
			started, release := make(chan int, 1), make(chan struct{})
			stuck.Handle("k", func(_ context.Context, j jobs.Job) error { started <- j.Attempt; <-release; return end }, jobs.MaxAttempts(1))
			stop := run(t, stuck)
			enqueue(t, d, stuck, "k", "id")
			if n := receive(t, started, "the first attempt"); n != 1 {
				t.Errorf("attempt %d", n)
			}

			other := newQueue(d)
			var second []int
			other.Handle("k", func(_ context.Context, j jobs.Job) error {
				second = append(second, j.Attempt)
				return errors.New("again")
			})
			c.advance(time.Hour - time.Second)
			if n := runDue(t, other); n != 0 {
				t.Error("the job was taken within the lease")
			}
			c.advance(2 * time.Second)
			if n, _ := other.RunDue(t.Context()); n != 1 || fmt.Sprint(second) != "[2]" {
				t.Errorf("after the lease: %d jobs, attempts %v", n, second)
			}
			// Now the first worker comes back: the job is no longer its own.
			close(release)
			stop()
			if !strings.Contains(log.String(), "job finished after its lease") {
				t.Errorf("the late worker was not fenced off: %s", log.String())
			}
			if r, dead := rows(t, d, "ready"), rows(t, d, "dead"); r != 1 || dead != 0 {
				t.Errorf("%d waiting and %d dead, want 1 and 0", r, dead)
			}
		})
	}
}

func TestLease_RenewedWhileRunning(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := jobs.New(jobs.Config{DB: d, Lease: 30 * time.Millisecond, Poll: time.Hour})
	started, release := make(chan struct{}, 9), make(chan struct{})
	q.Handle("k", func(context.Context, jobs.Job) error { started <- struct{}{}; <-release; return nil })
	stop := run(t, q)
	enqueue(t, d, q, "k", "id")
	receive(t, started, "the job")
	until := func() (ms int64) {
		if err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `select run_at from jobs`).Scan(&ms)
		}); err != nil {
			t.Fatal(err)
		}
		return ms
	}
	for range 3 {
		c.advance(20 * time.Millisecond)
		want := db.Millis(c.Now().Add(30 * time.Millisecond))
		eventually(t, "the lease to be renewed", func() bool { return until() == want })
	}
	close(release)
	stop()
	if n := len(started); n != 0 {
		t.Errorf("the job ran %d times more", n)
	}
}

func TestLease_LostCancelsHandler(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	q := jobs.New(jobs.Config{DB: d, Lease: 30 * time.Millisecond, Poll: time.Hour})
	started, cancelled := make(chan struct{}, 9), make(chan struct{}, 9)
	q.Handle("k", func(ctx context.Context, _ jobs.Job) error {
		started <- struct{}{}
		<-ctx.Done()
		cancelled <- struct{}{}
		return ctx.Err()
	})
	run(t, q)
	enqueue(t, d, q, "k", "id")
	receive(t, started, "the job")
	if err := d.Update(t.Context(), func(tx *db.Tx) error { // as another node would
		_, err := tx.Exec(t.Context(), `update jobs set attempt = attempt + 1, run_at = run_at + 9999999`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	receive(t, cancelled, "the handler to be cancelled")
}

func TestTimeout(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	q := jobs.New(jobs.Config{DB: d})
	q.Handle("k", func(ctx context.Context, _ jobs.Job) error { <-ctx.Done(); return ctx.Err() },
		jobs.Timeout(time.Millisecond), jobs.MaxAttempts(1))
	run(t, q)
	enqueue(t, d, q, "k", "id")
	eventually(t, "the dead letter", func() bool { return rows(t, d, "dead") == 1 })
	if dead, err := q.Dead(t.Context()); err != nil || dead[0].Code != "timeout" {
		t.Errorf("Dead() = %v, %v", dead, err)
	}
}

func TestRun_Drains(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	q := jobs.New(jobs.Config{DB: d})
	started, release := make(chan struct{}), make(chan struct{})
	q.Handle("k", func(ctx context.Context, _ jobs.Job) error {
		started <- struct{}{}
		<-release
		return ctx.Err() // not cancelled: it may finish
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	enqueue(t, d, q, "k", "id")
	receive(t, started, "the job")
	cancel()
	enqueue(t, d, q, "k", "next")
	select {
	case <-done:
		t.Error("Run() returned while a job ran")
	case <-started:
		t.Error("a job was started during the drain")
	default:
	}
	close(release)
	if err := receive(t, done, "Run to return"); err != nil {
		t.Errorf("Run() = %v", err)
	}
	if n := rows(t, d, "ready"); n != 1 {
		t.Errorf("%d jobs left, want the one that was not started", n)
	}
}

func TestRun_DrainCutsOff(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := jobs.New(jobs.Config{DB: d, Drain: time.Millisecond})
	started := make(chan struct{}, 1)
	q.Handle("k", func(ctx context.Context, _ jobs.Job) error { started <- struct{}{}; <-ctx.Done(); return ctx.Err() }, jobs.MaxAttempts(1))
	stop := run(t, q)
	enqueue(t, d, q, "k", "id")
	receive(t, started, "the job")
	stop()
	// Given back for another node at once, and not counted as its failure.
	b, err := q.Backlog(t.Context())
	if err != nil || b.Due != 1 || b.Dead != 0 {
		t.Errorf("Backlog() = %+v, %v", b, err)
	}
}

// child claims the job and waits to be killed.
func child(url string) {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{URL: url, Now: newClock().Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	q := jobs.New(jobs.Config{DB: d})
	q.Handle("k", func(context.Context, jobs.Job) error {
		fmt.Println("working")
		select {}
	})
	fmt.Println(q.Run(ctx))
}

func TestCrash_ReturnsTheJob(t *testing.T) {
	c := newClock()
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Config{URL: url, Now: c.Now})
	if err := d.Migrate(t.Context(), jobs.Migrations()); err != nil {
		t.Fatal(err)
	}
	q := newQueue(d)
	var attempts []int
	q.Handle("k", func(_ context.Context, j jobs.Job) error { attempts = append(attempts, j.Attempt); return nil })
	enqueue(t, d, q, "k", "id")

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "working\n" {
		t.Fatalf("child: %q, %v", line, err)
	}
	if n := runDue(t, q); n != 0 {
		t.Error("the job was taken from a living process")
	}
	if err := cmd.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	cmd.Wait()
	c.advance(time.Minute + time.Millisecond)
	if n := runDue(t, q); n != 1 || fmt.Sprint(attempts) != "[2]" {
		t.Errorf("after the crash: %d jobs, attempts %v", n, attempts)
	}
}

func TestCrash_LoopIsGivenUp(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := newQueue(d)
	q.Handle("k", func(context.Context, jobs.Job) error {
		t.Error("the job ran a fourth time")
		return nil
	}, jobs.MaxAttempts(3))
	enqueue(t, d, q, "k", "id")
	if err := d.Update(t.Context(), func(tx *db.Tx) error { // three workers died of it
		_, err := tx.Exec(t.Context(), `update jobs set attempt = 3`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	q.RunDue(t.Context())
	if dead, err := q.Dead(t.Context()); err != nil || len(dead) != 1 || dead[0].Code != "abandoned" {
		t.Errorf("Dead() = %+v, %v", dead, err)
	}
}

// BenchmarkRun works off 2,000 jobs with three queues of eight workers.
func BenchmarkRun(b *testing.B) {
	const total = 2000
	for b.Loop() {
		b.StopTimer()
		d := dbtest.New(b, jobs.Migrations())
		done := make(chan struct{}, total)
		var queues []*jobs.Queue
		for range 3 {
			q := jobs.New(jobs.Config{DB: d, Workers: 8, Poll: 10 * time.Millisecond})
			q.Handle("k", func(context.Context, jobs.Job) error { done <- struct{}{}; return nil })
			queues = append(queues, q)
		}
		if err := d.Update(b.Context(), func(tx *db.Tx) error {
			for i := range total {
				if err := queues[0].Enqueue(b.Context(), tx, "k", fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		var stops []func()
		for _, q := range queues {
			stops = append(stops, run(b, q))
		}
		for range total {
			receive(b, done, "a job")
		}
		for _, stop := range stops {
			stop()
		}
		b.StopTimer()
		if n := rows(b, d, "ready"); n != 0 {
			b.Fatalf("%d jobs left", n)
		}
		b.StartTimer()
	}
	b.ReportMetric(total*float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}
