package web

import (
	"fmt"
	"slices"
	"strings"
)

// Rule says who may use a route, and keeps everybody else out. It is declared
// where the route is registered, so that no handler can forget it.
type Rule struct {
	// Name is how the list of routes shows the rule: "public", "staff: admin".
	Name string
	// Module is the part of the website that the route belongs to, "" if every
	// site has it. At a site without it (Config.Has) the route is none: everybody
	// is told what an unknown path is told, before any guard or session is asked.
	Module string
	// Guard lets through who may use the route and answers everybody else; nil
	// lets everybody through.
	Guard func(Handler) Handler
}

// Public is the rule of a route for everybody.
func Public() Rule { return Rule{Name: "public"} }

// Of returns the same rule for routes of a module.
func (r Rule) Of(module string) Rule {
	r.Module = module
	return r
}

// Under gives a route its rule, or another one than its Group.
func Under(r Rule) Option { return func(rt *route) { rt.rule = r } }

// Group registers routes that have the same rule.
type Group struct {
	rt   *Router
	rule Rule
}

// For returns a group whose routes have the rule.
func (rt *Router) For(r Rule) *Group { return &Group{rt, r} }

// Handle registers a route of the group, as Router.Handle does.
func (g *Group) Handle(pattern string, h Handler, opts ...Option) {
	g.rt.Handle(pattern, h, append([]Option{Under(g.rule)}, opts...)...)
}

// Rules returns the name of each route's rule by its pattern, "" for a route
// without one.
func (rt *Router) Rules() map[string]string {
	out := make(map[string]string, len(rt.rules))
	for pattern, name := range rt.rules {
		out[pattern] = name
	}
	return out
}

// Modules returns the module of each route that has one, by its pattern.
func (rt *Router) Modules() map[string]string {
	out := make(map[string]string, len(rt.modules))
	for pattern, module := range rt.modules {
		out[pattern] = module
	}
	return out
}

// has reports whether the route exists at a site.
func (rt *Router) has(site Site, m *route) bool {
	return m.rule.Module == "" || rt.cfg.Has != nil && rt.cfg.Has(site, m.rule.Module)
}

// CheckRules is an error when a route has no rule: then it must not be served.
func (rt *Router) CheckRules() error {
	var bare []string
	for pattern, name := range rt.rules {
		if name == "" {
			bare = append(bare, pattern)
		}
	}
	if len(bare) == 0 {
		return nil
	}
	slices.Sort(bare)
	return fmt.Errorf("web: routes without a rule of access: %s", strings.Join(bare, ", "))
}
