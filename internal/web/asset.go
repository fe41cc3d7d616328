package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/andybalholm/brotli"

	"poststelle/internal/fault"
)

// Assets serves style sheets, scripts, fonts and pictures of the program under
// names that hold a hash of the content, so that browsers may keep them for ever.
type Assets struct {
	byName map[string]*asset
	hrefs  map[string]string
}

type asset struct {
	name   string
	hash   string
	typ    string
	plain  []byte
	gzip   atomic.Pointer[[]byte]
	brotli atomic.Pointer[[]byte]
}

// assetTypes are the media types by extension; the machine's own table is not
// asked, because it differs between machines.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".ico": "image/x-icon",
	".woff2": "font/woff2", ".woff": "font/woff", ".txt": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".pdf": "application/pdf", ".webmanifest": "application/manifest+json",
}

// NewAssets reads all files of fsys, directories included; files whose name
// begins with a dot are left out. It does not compress: see Compress.
func NewAssets(fsys fs.FS) (*Assets, error) {
	a := &Assets{byName: map[string]*asset{}, hrefs: map[string]string{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		f := &asset{name: name, hash: hex.EncodeToString(sum[:8]), plain: data, typ: assetTypes[path.Ext(name)]}
		if f.typ == "" {
			f.typ = "application/octet-stream"
		}
		ext := path.Ext(name)
		a.byName[name] = f
		a.hrefs[name] = "/assets/" + strings.TrimSuffix(name, ext) + "." + f.hash + ext
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: assets: %w", err)
	}
	return a, nil
}

// Href returns the address of a file: "poststelle.css" becomes
// "/assets/poststelle.<hash>.css". A file that does not exist gets its plain
// address, which answers 404.
func (a *Assets) Href(name string) string {
	if h, ok := a.hrefs[name]; ok {
		return h
	}
	return "/assets/" + name
}

// Names returns the names of all files, for tests; the order is not defined.
func (a *Assets) Names() []string {
	out := make([]string, 0, len(a.byName))
	for n := range a.byName {
		out = append(out, n)
	}
	return out
}

// Compress makes the compressed forms, as small as they get, and returns when
// done or when ctx ends. The app runs it beside the server: until a form is
// there, the plain one is served.
func (a *Assets) Compress(ctx context.Context) error {
	for _, f := range a.byName {
		if ctx.Err() != nil {
			return nil
		}
		if !compressible(f.typ) || len(f.plain) < 512 {
			continue
		}
		var g bytes.Buffer
		gw, _ := gzip.NewWriterLevel(&g, gzip.BestCompression)
		_, _ = gw.Write(f.plain)
		if err := gw.Close(); err != nil {
			return fmt.Errorf("web: compress %s: %w", f.name, err)
		}
		store(&f.gzip, g.Bytes(), len(f.plain))
		var b bytes.Buffer
		bw := brotli.NewWriterLevel(&b, brotli.BestCompression)
		_, _ = bw.Write(f.plain)
		if err := bw.Close(); err != nil {
			return fmt.Errorf("web: compress %s: %w", f.name, err)
		}
		store(&f.brotli, b.Bytes(), len(f.plain))
	}
	return nil
}

func store(p *atomic.Pointer[[]byte], b []byte, plain int) {
	if len(b) < plain {
		p.Store(&b)
	}
}

func compressible(typ string) bool {
	base, _, _ := mime.ParseMediaType(typ)
	return strings.HasPrefix(base, "text/") || strings.HasSuffix(base, "+xml") || strings.HasSuffix(base, "json")
}

// find splits the hash off a requested name. Style sheets name fonts without a
// hash, and during a change of version a page may ask with an older one; both
// get the file, but not for ever.
func (a *Assets) find(requested string) (f *asset, exact bool) {
	if f := a.byName[requested]; f != nil {
		return f, false
	}
	ext := path.Ext(requested)
	stem := strings.TrimSuffix(requested, ext)
	i := strings.LastIndexByte(stem, '.')
	if i < 0 || len(stem)-i-1 != 16 {
		return nil, false
	}
	f = a.byName[stem[:i]+ext]
	return f, f != nil && f.hash == stem[i+1:]
}

func (a *Assets) get(w http.ResponseWriter, r *http.Request) error {
	f, exact := a.find(r.PathValue("file"))
	if f == nil {
		return fmt.Errorf("web: asset: %w", fault.NotFound)
	}
	body, encoding := f.plain, ""
	accept := r.Header.Get("Accept-Encoding")
	if b := f.brotli.Load(); b != nil && accepts(accept, "br") {
		body, encoding = *b, "br"
	} else if g := f.gzip.Load(); g != nil && accepts(accept, "gzip") {
		body, encoding = *g, "gzip"
	}
	h := w.Header()
	if compressible(f.typ) {
		h.Set("Vary", "Accept-Encoding")
	}
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if !exact {
		h.Set("Cache-Control", "public, max-age=600")
	}
	etag := `"` + f.hash + encoding + `"`
	h.Set("ETag", etag)
	if match := r.Header.Get("If-None-Match"); match != "" && strings.Contains(match, etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", f.typ)
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
	return nil
}

// accepts reports whether an Accept-Encoding header (RFC 9110, 12.5.3) allows a
// coding.
func accepts(header, coding string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if !found {
			return true
		}
		v, err := strconv.ParseFloat(q, 64)
		return err == nil && v > 0
	}
	return false
}
