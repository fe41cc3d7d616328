package blog_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"poststelle/internal/blog"
	"poststelle/internal/db"
)

// BenchmarkComment measures a comment from the form to the durable commit, with the sealed address, at many callers.
func BenchmarkComment(b *testing.B) {
	s := newSite(b)
	s.post("Frei")
	t := s.tenant("betreiber")
	var n atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k := n.Add(1)
			from := netip.AddrFrom4([4]byte{byte(20 + k>>16), byte(k >> 8), byte(k), 1})
			in := blog.Submission{Body: fmt.Sprintf("Kommentar Nummer %d", k), Form: s.Blog.NewForm("frei"), From: from}
			if _, err := s.Blog.Comment(b.Context(), t, "frei", in); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPage measures the page of a post with its layout, at numbers of comments that are public.
func BenchmarkPage(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSite(b)
			path, id := s.post("Viele")
			s.fill(id, n)
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = operator
			b.ResetTimer()
			for b.Loop() {
				w := httptest.NewRecorder()
				s.Router.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// fill writes public comments straight into the table.
func (s *site) fill(post string, n int) {
	s.t.Helper()
	at := s.Now()
	for from := 0; from < n; from += 5000 {
		s.must(s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
			for i := from; i < min(n, from+5000); i++ {
				_, err := tx.Exec(s.t.Context(), `
insert into blog_comments (id, tenant_id, post_id, parent_id, body, state, score, flags, token, ground, statement, created_at, decided_at)
values ($1, 'betreiber', $2, '', $3, 'published', 0, '', $4, '', '', $5, 0)`,
					fmt.Sprintf("C%09d", i), post, "Das finde ich gut, weil es den Weg zum Amt erspart. Siehe https://www.example.org/"+fmt.Sprint(i),
					fmt.Appendf(nil, "%032d", i), db.Millis(at.Add(time.Duration(i)*time.Second)))
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
