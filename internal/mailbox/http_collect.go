package mailbox

import "poststelle/internal/web"

func (s *Service) collectRoutes(*web.Router) {}
