package markdown

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// Show draws the text as clean HTML. It is the only place where its markup
// passes templ's escaping, and takes nothing but the result of HTML.
func Show(source string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		clean, err := HTML(source)
		if err != nil {
			return err
		}
		return templ.Raw(clean).Render(ctx, w)
	})
}
