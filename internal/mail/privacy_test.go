package mail_test

import (
	"testing"

	"poststelle/internal/mail"
)

func TestPersonal(t *testing.T) {
	if err := mail.Personal().Validate(); err != nil {
		t.Error(err)
	}
}
