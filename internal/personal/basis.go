package personal

// Norm is one legal ground on which data may be processed.
type Norm string

// The legal grounds. National rules stand beside the letter of Art. 6 that
// they fill in.
const (
	// Art6a: consent.
	Art6a Norm = "Art. 6(1)(a)"
	// Art6b: contract or steps before one.
	Art6b Norm = "Art. 6(1)(b)"
	// Art6c: a legal obligation of the controller.
	Art6c Norm = "Art. 6(1)(c)"
	// Art6d: vital interests.
	Art6d Norm = "Art. 6(1)(d)"
	// Art6e: a task in the public interest.
	Art6e Norm = "Art. 6(1)(e)"
	// Art6f: legitimate interests; never for an authority in its tasks.
	Art6f Norm = "Art. 6(1)(f)"
	// Art9a: explicit consent for special categories.
	Art9a Norm = "Art. 9(2)(a)"
	// Art9g: substantial public interest on the basis of law.
	Art9g Norm = "Art. 9(2)(g)"
	// LDSG4: § 4 LDSG BW, the general clause of Baden-Württemberg for tasks
	// of a public body.
	LDSG4 Norm = "§ 4 LDSG BW"
	// LDSG15: § 15 LDSG BW, data of employees of public bodies.
	LDSG15 Norm = "§ 15 LDSG BW"
	// TDDDG25a: § 25(1) TDDDG, storing in the device after consent.
	TDDDG25a Norm = "§ 25(1) TDDDG"
	// TDDDG25b: § 25(2) TDDDG, storing in the device because strictly needed.
	TDDDG25b Norm = "§ 25(2) TDDDG"
)

// ground reports whether n alone can carry processing, that is whether it is a
// letter of Art. 6(1).
func (n Norm) ground() bool {
	switch n {
	case Art6a, Art6b, Art6c, Art6d, Art6e, Art6f:
		return true
	}
	return false
}

// known reports whether n is one of the norms above.
func (n Norm) known() bool {
	switch n {
	case Art9a, Art9g, LDSG4, LDSG15, TDDDG25a, TDDDG25b:
		return true
	}
	return n.ground()
}

// Basis is the legal ground per profile. Each profile names exactly one letter
// of Art. 6(1), first, and any number of further norms after it.
type Basis map[Profile][]Norm

// Same is the basis that does not differ between the profiles.
func Same(norms ...Norm) Basis {
	b := Basis{}
	for _, p := range Profiles() {
		b[p] = norms
	}
	return b
}

// Of returns the norms of a profile.
func (b Basis) Of(p Profile) []Norm { return b[p] }

// Right is one of the rights of Arts. 15 to 22.
type Right string

// The rights which the matrix shows.
const (
	Access          Right = "Art. 15"
	Rectification   Right = "Art. 16"
	ErasureRight    Right = "Art. 17"
	Restriction     Right = "Art. 18"
	Portability     Right = "Art. 20"
	Objection       Right = "Art. 21"
	WithdrawConsent Right = "Art. 7(3)"
)

// Rights returns the rights that go with the basis in a profile: portability
// only with consent or contract (Art. 20(1)(a)), objection only with a public
// task or legitimate interests (Art. 21(1)), withdrawal only with consent.
func (b Basis) Rights(p Profile) []Right {
	rights := []Right{Access, Rectification, ErasureRight, Restriction}
	norms := b[p]
	if len(norms) == 0 {
		return rights
	}
	switch norms[0] {
	case Art6a:
		rights = append(rights, Portability, WithdrawConsent)
	case Art6b:
		rights = append(rights, Portability)
	case Art6e, Art6f:
		rights = append(rights, Objection)
	}
	return rights
}
