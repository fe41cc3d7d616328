package mailbox

import "context"

// TakeIn runs the intake queue once, for tests that do it by hand.
func (s *Service) TakeIn(ctx context.Context) (int, error) { return s.takeIn(ctx) }
