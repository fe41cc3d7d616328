package notice

import (
	"context"
	"strings"

	"poststelle/internal/i18n"
	"poststelle/internal/personal"
)

// norms are the legal grounds in words.
var norms = map[personal.Norm]string{
	personal.Art6a:    "notice.norm.art6a",
	personal.Art6b:    "notice.norm.art6b",
	personal.Art6c:    "notice.norm.art6c",
	personal.Art6d:    "notice.norm.art6d",
	personal.Art6e:    "notice.norm.art6e",
	personal.Art6f:    "notice.norm.art6f",
	personal.Art9a:    "notice.norm.art9a",
	personal.Art9g:    "notice.norm.art9g",
	personal.LDSG4:    "notice.norm.ldsg4",
	personal.LDSG15:   "notice.norm.ldsg15",
	personal.TDDDG25a: "notice.norm.tdddg25a",
	personal.TDDDG25b: "notice.norm.tdddg25b",
}

// basis names the norms of a store in a profile.
func basis(ctx context.Context, b personal.Basis, p personal.Profile) string {
	var words []string
	for _, norm := range b.Of(p) {
		words = append(words, i18n.T(ctx, norms[norm]))
	}
	return strings.Join(words, ", ")
}

// categories are the kinds of data in words, in the order in which they are
// named.
var categories = []struct {
	category personal.Category
	key      string
}{
	{personal.Identity, "notice.data.identity"},
	{personal.Contact, "notice.data.contact"},
	{personal.Content, "notice.data.content"},
	{personal.Identifier, "notice.data.identifier"},
	{personal.Behaviour, "notice.data.behaviour"},
	{personal.Technical, "notice.data.technical"},
	{personal.Credential, "notice.data.credential"},
	{personal.Evidence, "notice.data.evidence"},
	{personal.Employment, "notice.data.employment"},
}

// data names categories.
func data(ctx context.Context, has map[personal.Category]bool) []string {
	var out []string
	for _, c := range categories {
		if has[c.category] {
			out = append(out, i18n.T(ctx, c.key))
		}
	}
	return out
}

// logFields are the fields of the access log in words, in the order of the
// model notice (A12 to A20).
var logFields = []struct{ field, key string }{
	{"file", "notice.log.file"},
	{"time", "notice.log.time"},
	{"bytes", "notice.log.bytes"},
	{"success", "notice.log.success"},
	{"browser", "notice.log.browser"},
	{"os", "notice.log.os"},
	{"referrer", "notice.log.referrer"},
	{"provider", "notice.log.provider"},
	{"ip", "notice.log.ip"},
}

// rights are the rights of data subjects in the order in which they are named.
// The right to object stands apart (Art. 21(4) GDPR).
var rights = []struct {
	right personal.Right
	key   string
}{
	{personal.Access, "notice.right.access"},
	{personal.Rectification, "notice.right.rectification"},
	{personal.ErasureRight, "notice.right.erasure"},
	{personal.Restriction, "notice.right.restriction"},
	{personal.Portability, "notice.right.portability"},
	{personal.WithdrawConsent, "notice.right.withdraw"},
}

// body is a public body that people may turn to. Names and addresses change:
// look them up again when one of these texts is touched.
type body struct {
	key     string // i18n key of its name
	address string
	site    string
}

var (
	// supervisor is the authority of Art. 77 GDPR for public and private bodies
	// in Baden-Württemberg.
	supervisor = body{"notice.body.supervisor", "Heilbronner Straße 35, 70191 Stuttgart", "https://www.baden-wuerttemberg.datenschutz.de"}
	// arbitration is the body of § 10b L-BGG.
	arbitration = body{"notice.body.arbitration", "Else-Josenhans-Straße 6, 70173 Stuttgart", "https://barrierefreiheit-bw.de"}
)

func (b body) facts(ctx context.Context) block {
	return block{facts: []fact{
		{i18n.T(ctx, "notice.contact.name"), []string{i18n.T(ctx, b.key)}},
		{i18n.T(ctx, "notice.contact.post"), []string{b.address}},
	}}
}
