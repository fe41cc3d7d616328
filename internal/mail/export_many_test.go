package mail

// Stepwise makes s treat every relay as one without pipelining.
func (s *SMTP) Stepwise() { s.stepwise = true }
