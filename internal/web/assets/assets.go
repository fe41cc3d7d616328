// Package assets holds the files the interface is made of: our own stylesheet, scripts and mark, which are in git, and
// what dev/assets lays into dist from npm by lock file, which is not (KERN-UX, Fira Sans, the icon sprite).
//
// A binary built without dist compiles and its tests run, but the server must not start: call Check first.
//
// Names are flat ("kern.min.css", "poststelle.css", "icons.svg"); no file of dist has the name of one of ours. The
// addresses inside poststelle.css are such names too, relative to the stylesheet. FS hands everything to web.NewAssets
// and turns these addresses into the hashed ones that package web serves, so that the preloaded font and the font of
// the stylesheet are one file and are kept for ever.
//
// # Fonts
//
// kern.min.css asks for the family "Fira Sans" and declares no faces. poststelle.css declares them: weights 400, 500
// and 600, upright, each as the subsets latin and latin-ext with unicode-range, so that a German page loads about 24 KB
// a weight and a Turkish or Polish name fetches its subset when it is shown. KERN's own faces (129 KB each) are never
// copied.
package assets

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed all:dist poststelle.css basis.mjs kommentar.mjs passkey.mjs tasten.mjs favicon.svg
var files embed.FS

// fetched are the files dev/assets provides. Each must be there for a page to look and work as it should.
func fetched() []string {
	return []string{
		"fira-sans-latin-400-normal.woff2", "fira-sans-latin-500-normal.woff2", "fira-sans-latin-600-normal.woff2",
		"fira-sans-latin-ext-400-normal.woff2", "fira-sans-latin-ext-500-normal.woff2", "fira-sans-latin-ext-600-normal.woff2",
		"icons.svg", "kern.min.css",
		"licenses/fira-sans-OFL-1.1.txt", "licenses/kern-ux-EUPL-1.2.md", "licenses/material-symbols-Apache-2.0.txt",
	}
}

func own() []string {
	return []string{"basis.mjs", "favicon.svg", "kommentar.mjs", "passkey.mjs", "poststelle.css", "tasten.mjs"}
}

// Check says whether everything is embedded. The error names the missing files and the command that fetches them.
func Check() error { return CheckFS(files) }

// CheckFS is Check for a folder laid out like this package, with dist in it.
func CheckFS(fsys fs.FS) error {
	var missing []string
	for _, name := range fetched() {
		if info, err := fs.Stat(fsys, "dist/"+name); err != nil || info.Size() == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("assets: missing %s: run ./dev/assets, then build again", strings.Join(missing, ", "))
	}
	return nil
}

// Names lists every file that pages may ask for, sorted; those of dist only as far as they are there. The licence texts
// belong to it: they are published beside what they license.
func Names() []string {
	names := own()
	for _, name := range fetched() {
		if _, err := fs.Stat(files, "dist/"+name); err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Read returns the file of that name. An unknown name is fs.ErrNotExist.
func Read(name string) ([]byte, error) {
	if slices.Contains(own(), name) {
		return files.ReadFile(name)
	}
	if !slices.Contains(fetched(), name) {
		return nil, fmt.Errorf("assets: %s: %w", name, fs.ErrNotExist)
	}
	data, err := files.ReadFile("dist/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("assets: %s: run ./dev/assets: %w", name, err)
	}
	return data, err
}

// FS gives all files under their names, the references of poststelle.css in hashed form: "a.woff2" as "a.<hash>.woff2",
// the first 8 bytes of SHA-256 in hex, which is how web.Assets names a file.
func FS() (fs.FS, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf) // a read-only file system in memory, nothing more
	for _, name := range Names() {
		data, err := Read(name)
		if err != nil {
			return nil, err
		}
		if name == "poststelle.css" {
			data = hashed(data)
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, fmt.Errorf("assets: %s: %w", name, err)
		}
		if _, err := f.Write(data); err != nil {
			return nil, fmt.Errorf("assets: %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	return zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
}

// hashed leaves references to files that are not there as they are.
func hashed(css []byte) []byte {
	for _, name := range References(css) {
		data, err := Read(name)
		if err != nil {
			continue
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(name)
		to := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
		css = bytes.ReplaceAll(css, []byte(`url("`+name+`")`), []byte(`url("`+to+`")`))
	}
	return css
}

// References lists the names of files that a stylesheet of this package refers to with url("name").
func References(css []byte) []string {
	var names []string
	for _, m := range regexp.MustCompile(`url\("([a-z0-9.-]+)"\)`).FindAllSubmatch(css, -1) {
		if name := string(m[1]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
