package seal

// Must lets a test see that impossible errors end in a panic.
func Must(n int, err error) int { return must(n, err) }
