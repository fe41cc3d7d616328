package markdown

import (
	"crypto/sha256"
	"sync"
)

// cache keeps results by the hash of their source, so that a page that is read a
// thousand times is made once. When it is full it begins anew: the texts of a
// website are few.
type cache struct {
	mu   sync.Mutex
	size int // bytes of what is kept
	most int
	kept map[[32]byte]string
}

// cacheSize bounds the memory of one style.
const cacheSize = 8 << 20

func newCache() *cache { return &cache{most: cacheSize, kept: map[[32]byte]string{}} }

func (c *cache) get(source string, render func(string) (string, error)) (string, error) {
	key := sha256.Sum256([]byte(source))
	c.mu.Lock()
	html, ok := c.kept[key]
	c.mu.Unlock()
	if ok {
		return html, nil
	}
	html, err := render(source)
	if err != nil || len(html) > c.most/4 {
		return html, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size+len(html) > c.most {
		clear(c.kept)
		c.size = 0
	}
	if _, again := c.kept[key]; !again {
		c.size += len(html)
	}
	c.kept[key] = html
	return html, nil
}
