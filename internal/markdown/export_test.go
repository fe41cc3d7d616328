package markdown

// Sanitize is the policy that HTML ends with.
func Sanitize(html string) string { return letter().policy.Sanitize(html) }

// Sanitize is the policy that the HTML of an article ends with.
func (a Article) Sanitize(html string) string { return a.style.policy.Sanitize(html) }

// Kept is how many bytes an article keeps.
func (a Article) Kept() (n int) {
	for _, html := range a.cache.kept {
		n += len(html)
	}
	return n
}
