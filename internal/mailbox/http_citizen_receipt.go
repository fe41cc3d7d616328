package mailbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

func (s *Service) getReceipt(w http.ResponseWriter, r *http.Request) error {
	return s.renderReceipt(w, r, http.StatusOK, receiptCheckView{})
}

// postReceipt checks a receipt that somebody pastes, and perhaps the text that
// belongs to it. Nothing of either is stored; the answer is the page itself.
func (s *Service) postReceipt(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	v := receiptCheckView{Receipt: form.Get("receipt"), Text: form.Get("text")}
	if wrong := fieldErrors(fault.FieldsOf(err)); len(wrong) > 0 {
		v.Errors = wrong.summary(r)
		return s.renderReceipt(w, r, http.StatusUnprocessableEntity, v)
	}
	if strings.TrimSpace(v.Receipt) == "" {
		v.Errors = []ui.FieldError{{ID: "receipt", Text: i18n.T(r.Context(), "mailbox.receipt.error.empty")}}
		return s.renderReceipt(w, r, http.StatusUnprocessableEntity, v)
	}
	rec, err := s.checkReceipt(v.Receipt)
	switch {
	case errors.Is(err, seal.ErrReceipt):
		v.Errors = []ui.FieldError{{ID: "receipt", Text: i18n.T(r.Context(), "mailbox.receipt.error.form")}}
		return s.renderReceipt(w, r, http.StatusUnprocessableEntity, v)
	case errors.Is(err, seal.ErrAuthority), errors.Is(err, fault.NotFound):
		v.Verdict, v.Reason = verdictFalse, i18n.T(r.Context(), "mailbox.receipt.reason.authority")
	case err != nil:
		v.Verdict, v.Reason = verdictFalse, i18n.T(r.Context(), "mailbox.receipt.reason.signature")
	default:
		v.Verdict = verdictTrue
		v.Facts = receiptFacts(r.Context(), rec)
		v.compareText(rec)
	}
	return s.renderReceipt(w, r, http.StatusOK, v)
}

func (s *Service) renderReceipt(w http.ResponseWriter, r *http.Request, status int, v receiptCheckView) error {
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "mailbox.receipt.check.title"), Body: receiptCheckPage(v), Errors: len(v.Errors), FocusH1: v.Verdict != "",
	})
}

// checkReceipt verifies a receipt against the key of the authority that it
// names, as the vault has certified it to this server; a key that the receipt
// itself brings counts for nothing.
func (s *Service) checkReceipt(text string) (seal.Receipt, error) {
	p, err := seal.ParseReceipt(text)
	if err != nil {
		return seal.Receipt{}, err
	}
	if _, ok := s.Directory.ByID(tenant.ID(p.Tenant)); !ok {
		return seal.Receipt{}, fmt.Errorf("mailbox: receipt of %s: %w", p.Tenant, fault.NotFound)
	}
	key, err := s.Deputy.AuthorityKey(p.Tenant)
	if err != nil {
		return seal.Receipt{}, err
	}
	return p.Receipt, p.Verify(key)
}

const (
	verdictTrue  = "echt"
	verdictFalse = "falsch"
)

// receiptCheckView is the page that checks receipts.
type receiptCheckView struct {
	Receipt, Text string
	Errors        []ui.FieldError
	Verdict       string // "" before anything was checked
	Reason        string
	Facts         []ui.Line
	TextMatches   bool
	TextGiven     bool
}

// error returns the sentence at a field.
func (v receiptCheckView) error(field string) string {
	for _, e := range v.Errors {
		if e.ID == field {
			return e.Text
		}
	}
	return ""
}

// compareText hashes the pasted text as the assistant would have stored it.
func (v *receiptCheckView) compareText(rec seal.Receipt) {
	text := strings.TrimSpace(v.Text)
	if text == "" {
		return
	}
	v.TextGiven = true
	v.TextMatches = sha256.Sum256([]byte(text)) == rec.Text
}

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
