package mailbox_test

import "testing"

func TestFixture(t *testing.T) {
	p := newPost(t)
	p.settle()
	p.restart()
	p.browser().Get("/gibtesnicht").Want(404)
}
