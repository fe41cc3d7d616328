package mailbox

import (
	"fmt"
	"net/http"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/web"
)

// UnheardRoutes registers pages that store the letter, or the next letter, of a
// session as sending it does, and lose the answer: the outcome is unknown.
func (s *Service) UnheardRoutes(rt *web.Router) {
	unheard := fmt.Errorf("answer lost: %w", fault.Unavailable)
	must := func(err error) error {
		if err != nil {
			return fmt.Errorf("not stored: %w", err)
		}
		return unheard
	}
	rt.Handle("POST /probe/brief", func(_ http.ResponseWriter, r *http.Request) error {
		t, err := s.tenantOf(r)
		if err != nil {
			return err
		}
		_, err = sending(web.SessionOf(r), r.URL.Query().Get("e"), func(d draft) error {
			_, _, err := s.send(r.Context(), t, d.letter(r.Context(), t), letterKeys{Token: seal.Token(d.Token), Thread: d.Thread, Message: d.Message, K: d.key()})
			return must(err)
		}, nil)
		return err
	})
	rt.Handle("POST /probe/antwort", func(_ http.ResponseWriter, r *http.Request) error {
		t, err := s.tenantOf(r)
		if err != nil {
			return err
		}
		c, err := collectedOf(r)
		if err != nil {
			return err
		}
		_, err = sending(web.SessionOf(r), c.Draft, func(d draft) error {
			return must(s.writeAgain(r.Context(), t.ID, c, d, d.Values["body"]))
		}, nil)
		return err
	})
}
