package newsletter

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/markdown"
	"poststelle/internal/tenant"
)

// leavePath is where the link of an issue leads, before its word.
const leavePath = "/newsletter/abmelden/"

// leaveWord stands in the subject of a mail that unsubscribes.
const leaveWord = "abmelden"

// incomplete is the error of an issue that lacks what every issue needs. It is
// a fault of the program or of the settings, never of the editor's words.
func incomplete() error {
	return &fault.Error{Kind: fault.Conflict, Key: "newsletter.error.incomplete"}
}

// sender is the address an issue comes from.
func (s *Service) sender(set Settings) string {
	if set.Sender != "" {
		return set.Sender
	}
	a := s.MailFrom
	if i := strings.LastIndexByte(a, '<'); i >= 0 {
		a = strings.TrimSuffix(a[i+1:], ">")
	}
	return a
}

// Sender returns the address that a tenant has set for its issues, "" for the
// operator's.
func (s *Service) Sender(ctx context.Context, of tenant.ID) (string, error) {
	t, err := s.of(of)
	if err != nil {
		return "", err
	}
	set, err := s.settings(ctx, t)
	return set.Sender, err
}

// signer is what signs mail of a tenant from a sender; nil for nothing.
func (s *Service) signer(ctx context.Context, t *tenant.Tenant, from string) *mail.DKIM {
	if s.DKIM == nil {
		return nil
	}
	return s.DKIM(ctx, t.ID, from)
}

// mailbox puts the name of a newsletter before the address it comes from.
func mailbox(name, address string) string {
	return `"` + strings.NewReplacer(`"`, "", `\`, "").Replace(name) + `" <` + address + ">"
}

// page is the address of a page of the tenant in a language.
func (s *Service) page(t *tenant.Tenant, lang, path string) string {
	if lang != i18n.Reference {
		path = "/" + lang + path
	}
	return s.BaseURL(t) + path
}

// series makes an issue ready for sending in the languages of its readers, and
// refuses one that lacks the way out.
func (s *Service) series(ctx context.Context, t *tenant.Tenant, i Issue) (map[string]*mail.Template, error) {
	set, err := s.settings(ctx, t)
	if err != nil {
		return nil, err
	}
	from, at := s.sender(set), i.Started
	if at.IsZero() {
		at = s.DB.Now()
	}
	signer := s.signer(ctx, t, from)
	out := map[string]*mail.Template{}
	for _, lang := range []string{"de", "en"} {
		m, err := s.write(i18n.In(ctx, lang), t, set, i)
		if err != nil {
			return nil, err
		}
		m.From, m.At, m.DKIM = mailbox(set.name(i.Lang), from), at, signer
		if set.Sender != "" {
			m.Envelope = from
		}
		if s.tampering != nil {
			s.tampering(&m)
		}
		if err := complete(m, s.page(t, lang, leavePath), i); err != nil {
			return nil, err
		}
		if out[lang], err = mail.NewTemplate(m); err != nil {
			return nil, fmt.Errorf("newsletter: issue %s: %w", i.ID, err)
		}
	}
	return out, nil
}

// write puts an issue into a mail: the editor's words, and below them in the
// language of ctx why the reader gets it and how it ends.
func (s *Service) write(ctx context.Context, t *tenant.Tenant, set Settings, i Issue) (mail.Series, error) {
	lang := i18n.Lang(ctx)
	leave := s.page(t, lang, leavePath) + mail.Slot
	why := i18n.T(ctx, "newsletter.footer.why", "title", set.name(lang), "authority", t.Name)
	text := i.Subject + "\n\n" + markdown.Text(i.Body) + "\n-- \n" + why + "\n" + i18n.T(ctx, "newsletter.footer.sender", "sender", senderLine(t)) + "\n" +
		i18n.T(ctx, "newsletter.footer.privacy", "link", s.page(t, lang, "/datenschutz")) + "\n\n" +
		i18n.T(ctx, "newsletter.footer.leave") + "\n" + leave + "\n"
	var page bytes.Buffer
	v := issueMail{Lang: i.Lang, FooterLang: lang, Subject: i.Subject, Source: i.Body, Why: why, Sender: senderLine(t), Privacy: s.page(t, lang, "/datenschutz"), Leave: leave}
	if err := mailPage(v).Render(ctx, &page); err != nil {
		return mail.Series{}, fmt.Errorf("newsletter: issue %s: %w", i.ID, err)
	}
	m := mail.Series{Subject: i.Subject, Text: text, HTML: page.String(), Headers: []mail.Header{
		{Name: "List-Id", Value: listID(t)},
		{Name: "List-Unsubscribe", Value: "<" + leave + ">"},
		{Name: "List-Unsubscribe-Post", Value: "List-Unsubscribe=One-Click"},
	}}
	if way := mailto(t); way != "" {
		m.Headers[1].Value += ", <" + way + ">"
	}
	if t.Address.Email != "" {
		m.Headers = append(m.Headers, mail.Header{Name: "Reply-To", Value: t.Address.Email})
	}
	return m, nil
}

func senderLine(t *tenant.Tenant) string {
	return strings.Join(slices.DeleteFunc([]string{t.Name, t.Address.Line(), t.Address.Email}, func(s string) bool { return s == "" }), " · ")
}

// listID is the identifier of the list (RFC 2919).
func listID(t *tenant.Tenant) string { return "<newsletter." + t.Hosts[0] + ">" }

// leaveBox is the local part of the address that unsubscribes, where a tenant has
// published one.
const leaveBox = "unsub"

// mailto is the way by which a mail unsubscribes, "" for none. The word in the
// address says who; where the tenant has no address for this alone, the word
// stands in the subject of a mail to its contact address.
func mailto(t *tenant.Tenant) string {
	for _, address := range t.Published() {
		if domain, ok := strings.CutPrefix(address, leaveBox+"@"); ok {
			return "mailto:" + leaveBox + "+" + mail.Slot + "@" + domain + "?subject=" + leaveWord
		}
	}
	if t.Address.Email == "" {
		return ""
	}
	return "mailto:" + t.Address.Email + "?subject=" + leaveWord + "%20" + mail.Slot
}

// complete refuses an issue without the way out, or with anything that could
// count who reads it. It looks at what would be sent, not at how it was made.
func complete(m mail.Series, leave string, i Issue) error {
	fields := map[string]string{}
	for _, h := range m.Headers {
		fields[strings.ToLower(h.Name)] = h.Value
	}
	leave += mail.Slot
	ways := strings.Split(fields["list-unsubscribe"], ", ")
	tail := m.Text[max(0, len(m.Text)-400):]
	switch {
	case ways[0] != "<"+leave+">" || len(ways) != 2 || !strings.HasPrefix(ways[1], "<mailto:") || !strings.Contains(ways[1], mail.Slot),
		fields["list-unsubscribe-post"] != "List-Unsubscribe=One-Click",
		!strings.HasPrefix(fields["list-id"], "<") || !strings.Contains(fields["list-id"], "."),
		!strings.Contains(tail, leave):
		return incomplete()
	}
	written, err := markdown.HTML(i.Body)
	if err != nil {
		return err
	}
	mine, _, err := links(written)
	if err != nil {
		return err
	}
	all, loads, err := links(m.HTML)
	if err != nil || loads || len(all) < 2 || all[len(all)-1] != leave {
		return incomplete()
	}
	// Between the subject and the footer stand the links that were written, unchanged.
	if !slices.Equal(all[:len(all)-2], mine) {
		return incomplete()
	}
	if u, err := url.Parse(all[len(all)-2]); err != nil || u.RawQuery != "" {
		return incomplete()
	}
	return nil
}

// links returns where the links of a document lead, in order, and whether it
// would fetch anything by itself.
func links(doc string) (all []string, loads bool, err error) {
	root, err := html.Parse(strings.NewReader(doc))
	if err != nil {
		return nil, false, err
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "img", "link", "script", "iframe", "object", "embed", "video", "audio", "source", "picture", "svg", "form", "base", "bgsound":
			loads = true
		}
		for _, a := range n.Attr {
			switch {
			case n.Data == "a" && a.Key == "href":
				all = append(all, a.Val)
			case a.Key == "src" || a.Key == "background" || a.Key == "srcset" || a.Key == "poster" || a.Key == "ping" || strings.Contains(a.Val, "url("):
				loads = true
			}
		}
	}
	return all, loads, nil
}
