package mailbox

import "poststelle/internal/web"

func (s *Service) staffRoutes(*web.Router) {}
