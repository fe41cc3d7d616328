package proof_test

import (
	"fmt"
	"net/smtp"
	"sync"
	"sync/atomic"
	"testing"
)

// postOne sends one mail as a mail server does and reports whether it was told
// that the mail is stored.
func postOne(addr string, n int) bool {
	c, err := smtp.Dial(addr)
	if err != nil {
		return false
	}
	defer c.Close()
	if c.Mail("p@post.example") != nil || c.Rcpt("rathaus@musterstadt.example") != nil {
		return false
	}
	w, err := c.Data()
	if err != nil {
		return false
	}
	_, err = fmt.Fprintf(w, "From: p@post.example\r\nSubject: Brief %d\r\nMessage-ID: <%d@post.example>\r\n\r\nText %d\r\n", n, n, n)
	return err == nil && w.Close() == nil
}

// TestMail_Killed kills the program while mail comes in. What it said 250 to is
// there, and what is sent again, answered before or not, is there once.
func TestMail_Killed(t *testing.T) {
	h := newHouseNow(t)
	h.exec(`update tenant_tenants set email = 'rathaus@musterstadt.example' where id = 'musterstadt'`)
	h.exec(`update tenant_revision set revision = revision + 1 where id = 1`)
	h.close()
	stored := map[int]bool{}
	const rounds, each = 4, 40
	for round := range rounds {
		c := h.spawn(0)
		var mu sync.Mutex
		var done atomic.Int64
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := w; i < each; i += 4 {
					n := round*each + i
					if postOne(c.mail, n) {
						mu.Lock()
						stored[n] = true
						mu.Unlock()
						done.Add(1)
					}
				}
			})
		}
		eventually(t, "some mail is stored", func() bool { return done.Load() > int64(5+round*7) })
		c.kill()
		wg.Wait()
	}
	if len(stored) == rounds*each {
		t.Fatal("nothing was cut off: the test kills too late")
	}
	c := h.spawn(0)
	for n := range rounds * each {
		if !postOne(c.mail, n) {
			t.Fatalf("mail %d is refused when it is sent again", n)
		}
	}
	c.kill()
	h.open()
	if n := h.count(`select count(*) from mailbox_threads`); n != rounds*each {
		t.Errorf("%d letters of %d mails, %d of them acknowledged before", n, rounds*each, len(stored))
	}
	if letters, files := h.count(`select count(*) from mailbox_threads`), h.count(`select count(*) from mailbox_files`); letters != files {
		t.Errorf("%d letters with %d originals", letters, files)
	}
}
