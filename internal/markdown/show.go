package markdown

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// Show draws the text as clean HTML.
func Show(source string) templ.Component { return show(func() (string, error) { return HTML(source) }) }

// Show draws the text as clean HTML.
func (a Article) Show(source string) templ.Component {
	return show(func() (string, error) { return a.HTML(source) })
}

// show is the only place where markup passes templ's escaping, and takes nothing
// but the result of HTML.
func show(html func() (string, error)) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		clean, err := html()
		if err != nil {
			return err
		}
		return templ.Raw(clean).Render(ctx, w)
	})
}
