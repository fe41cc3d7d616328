package mailbox

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// rawHTML shows the Markdown of an answer. It is the only place of this package
// where markup passes templ's escaping, and takes nothing but the result of
// renderHTML, which bluemonday has cleaned: text, lists, tables, emphasis,
// links.
func rawHTML(source string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		clean, err := renderHTML(source)
		if err != nil {
			return err
		}
		return templ.Raw(clean).Render(ctx, w)
	})
}
