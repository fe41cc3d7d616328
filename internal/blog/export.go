package blog

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"poststelle/internal/tenant"
)

// exportVersion names the form of an export.
const exportVersion = "poststelle-blog/1"

// exportedPost is a post in an export. Comments are what is public of them.
type exportedPost struct {
	Address   string          `json:"address"`
	Title     string          `json:"title"`
	Summary   string          `json:"summary,omitempty"`
	Text      string          `json:"text"` // Markdown
	State     postState       `json:"state"`
	Open      bool            `json:"open"` // to comments, until they close
	Moderated bool            `json:"moderated"`
	CloseDays int             `json:"close_days,omitempty"`
	Published *time.Time      `json:"published,omitempty"`
	Changed   time.Time       `json:"changed"`
	Comments  []publicComment `json:"comments"`
}

// Export writes the posts of a tenant with their comments as JSON:
// {"format": "poststelle-blog/1", "posts": […]}. Of a comment there is what is
// public: content, time and what answers it; never an address, a token or an id.
// Comments that wait or were rejected are not in it. Pictures are named in the
// texts. It returns how many posts and comments were written.
func (s *Service) Export(ctx context.Context, of tenant.ID, to io.Writer) (posts, comments int, err error) {
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, "{\"format\":%q,\"posts\":[", exportVersion) // errors come with Flush
	for after := (cursor{}); ; {
		list, more, err := s.all(ctx, of, after, postsPerPage)
		if err != nil {
			return posts, comments, err
		}
		for _, p := range list {
			e, n, err := s.exported(ctx, of, p)
			if err != nil {
				return posts, comments, err
			}
			raw, err := json.Marshal(e)
			if err != nil {
				return posts, comments, fmt.Errorf("blog: export: %w", err)
			}
			if posts > 0 {
				_ = out.WriteByte(',')
			}
			_ = out.WriteByte('\n')
			if _, err := out.Write(raw); err != nil {
				return posts, comments, fmt.Errorf("blog: export: %w", err)
			}
			posts, comments = posts+1, comments+n
		}
		if !more {
			break
		}
		last := list[len(list)-1]
		after = cursor{last.Changed, last.ID}
	}
	_, _ = out.WriteString("\n]}\n")
	if err := out.Flush(); err != nil {
		return posts, comments, fmt.Errorf("blog: export: %w", err)
	}
	return posts, comments, nil
}

func (s *Service) exported(ctx context.Context, of tenant.ID, p post) (e exportedPost, n int, err error) {
	e = exportedPost{
		Address: p.Slug, Title: p.Title, Summary: p.Summary, Text: p.Source, State: p.State, Open: p.Comments, Moderated: p.Moderated,
		CloseDays: p.CloseDays, Changed: p.Changed, Comments: []publicComment{},
	}
	if !p.Published.IsZero() {
		e.Published = &p.Published
	}
	for after := (cursor{}); ; {
		list, more, err := s.thread(ctx, of, p.ID, after, commentsPerPage, maxForeign)
		if err != nil {
			return e, n, err
		}
		for _, c := range list {
			e.Comments = append(e.Comments, publicOf(c))
			n += 1 + len(c.Answers)
		}
		if !more {
			return e, n, nil
		}
		last := list[len(list)-1]
		after = cursor{last.Created, last.ID}
	}
}
