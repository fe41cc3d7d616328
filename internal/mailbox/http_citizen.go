package mailbox

import "poststelle/internal/web"

func (s *Service) citizenRoutes(*web.Router) {}
