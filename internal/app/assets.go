package app

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"testing/fstest"

	"poststelle/internal/web"
	"poststelle/internal/web/assets"
)

// openAssets prepares the files of the interface. The stylesheet refers to the
// fonts by plain names; it is rewritten to the hashed names under which they
// are served, so that all of them may be kept for ever.
func openAssets() (*web.Assets, error) {
	if err := assets.Check(); err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	for _, name := range assets.Names() {
		data, err := assets.Read(name)
		if err != nil {
			return nil, err
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	plain, err := web.NewAssets(files)
	if err != nil {
		return nil, err
	}
	const sheet = "poststelle.css"
	css, err := fs.ReadFile(files, sheet)
	if err != nil {
		return nil, err
	}
	for _, name := range assets.References(css) {
		if _, ok := files[name]; !ok {
			return nil, fmt.Errorf("app: stylesheet asks for %s, which is no asset", name)
		}
		from, to := []byte(`url("`+name+`")`), []byte(`url("`+path.Base(plain.Href(name))+`")`)
		css = bytes.ReplaceAll(css, from, to)
	}
	files[sheet] = &fstest.MapFile{Data: css}
	return web.NewAssets(files)
}
