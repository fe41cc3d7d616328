package mailbox

// AcceptedKind is the check of an upload's kind.
func AcceptedKind(name string, head []byte, accepted []string) (string, bool) {
	return acceptedKind(name, head, accepted)
}
