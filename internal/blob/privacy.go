package blob

import "poststelle/internal/personal"

// Personal declares the references and the objects. Both go with the message
// they belong to: its domain releases them when it erases or expires it. The
// objects hold ciphertext only.
func Personal() personal.Declaration {
	basis := personal.Same(personal.Art6e, personal.LDSG4)
	return personal.Declaration{
		Domain: "blob",
		Stores: []personal.Store{{
			Kind:      personal.Table,
			Name:      "blob_refs",
			Activity:  "blob.privacy.activity",
			Purpose:   "blob.privacy.purpose.refs",
			Basis:     basis,
			Subjects:  []personal.Subject{{Role: personal.Citizen}},
			Personal:  []personal.Column{{Name: "owner", Category: personal.Identifier}},
			Neutral:   []string{"id", "tenant", "size", "created_at"},
			Locator:   personal.ByCode,
			Retention: personal.Retention{Criterion: "blob.privacy.retention", ReviewEvery: reviewEvery},
			Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Delete}},
		}, {
			Kind:     personal.Blob,
			Name:     "objects",
			Activity: "blob.privacy.activity",
			Purpose:  "blob.privacy.purpose.objects",
			Basis:    basis,
			Subjects: []personal.Subject{{Role: personal.Citizen}},
			Sealed: []personal.Part{{
				Name: "file", Category: personal.Content, Special: personal.SpecialPossible, Third: true,
			}},
			Locator:   personal.ByCode,
			Retention: personal.Retention{With: "blob_refs"},
			Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Shred}},
			Export:    []personal.Column{{Name: "file", Category: personal.Content, Special: personal.SpecialPossible, Third: true}},
		}},
	}
}
