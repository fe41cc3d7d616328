package markdown

// Sanitize is the policy that HTML ends with.
func Sanitize(html string) string { return policy().Sanitize(html) }
