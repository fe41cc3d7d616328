package blog

import (
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
)

// Personal declares the blog. Of a comment there is its text and its time
// (B22–B23), and apart from it the sealed address (B24–B27); posts are the
// authority's own words, with the person who published them.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "blog",
		Module: string(tenant.Blog),
		Stores: []personal.Store{posts(), pictureStore(), comments(), evidenceStore(), imports(), cases(), memory()},
	}
}

// basis: the model notice names legitimate interests for the evidence (B26);
// they are not open to an authority in its tasks, so the strict profile names
// the task.
func basis() personal.Basis {
	return personal.Basis{
		personal.Vorlage: {personal.Art6f},
		personal.Streng:  {personal.Art6e, personal.LDSG4},
	}
}

func posts() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "blog_posts", Activity: "blog.privacy.desk", Purpose: "blog.privacy.posts",
		Basis:     personal.Same(personal.Art6e, personal.LDSG15),
		Subjects:  []personal.Subject{{Role: personal.Staff, Where: "tenant_id = $1 and author = $2"}},
		Personal:  []personal.Column{{Name: "author", Category: personal.Employment}},
		Neutral:   []string{"id", "tenant_id", "slug", "title", "summary", "source", "state", "comments", "moderated", "close_days", "publish_at", "published_at", "changed_at", "version"},
		Locator:   personal.ByID,
		Retention: personal.Retention{HumanDecides: "blog.privacy.posts_retention"},
		Erase:     []personal.Erasure{{Role: personal.Staff, Act: personal.Blank, Columns: []string{"author"}}},
	}
}

func pictureStore() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "blog_pictures", Activity: "blog.privacy.desk", Purpose: "blog.privacy.pictures",
		Neutral: []string{"name", "tenant_id", "post_id", "alt", "kind", "width", "height", "data", "created_at"},
	}
}

func comments() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "blog_comments", Activity: "blog.privacy.activity", Purpose: "blog.privacy.comments", Basis: basis(),
		Subjects: []personal.Subject{{Role: personal.Visitor, Where: "tenant_id = $1 and id = $2"}},
		Personal: []personal.Column{
			{Name: "body", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
			{Name: "created_at", Category: personal.Behaviour},
			{Name: "token", Category: personal.Credential},
		},
		Neutral:   []string{"id", "tenant_id", "post_id", "parent_id", "state", "score", "flags", "ground", "statement", "decided_at"},
		Locator:   personal.ByCode,
		Retention: personal.Retention{HumanDecides: "blog.privacy.comments_retention"},
		Erase:     []personal.Erasure{{Role: personal.Visitor, Act: personal.Delete}},
		Export:    []personal.Column{{Name: "body", Category: personal.Content}, {Name: "created_at", Category: personal.Behaviour}},
	}
}

func evidenceStore() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "blog_evidence", Activity: "blog.privacy.activity", Purpose: "blog.privacy.evidence", Basis: basis(),
		Subjects:  []personal.Subject{{Role: personal.Visitor, Where: "tenant_id = $1 and comment_id = $2"}},
		Personal:  []personal.Column{{Name: "comment_id", Category: personal.Identifier}, {Name: "box", Category: personal.Technical}, {Name: "created_at", Category: personal.Behaviour}},
		Sealed:    []personal.Part{{Name: "address", Category: personal.Technical}},
		Neutral:   []string{"tenant_id", "day"},
		Locator:   personal.ByCode,
		Retention: personal.Retention{Start: "created_at", Period: EvidencePeriod},
		Erase:     []personal.Erasure{{Role: personal.Visitor, Act: personal.Keep, Reason: "blog.privacy.keep_evidence"}},
	}
}

// imports hold no person: an id is a hash of a number in another program's export.
func imports() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "blog_imports", Activity: "blog.privacy.desk", Purpose: "blog.privacy.imports",
		Neutral: []string{"id", "tenant_id", "post_id", "created_at"},
	}
}

func cases() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "blog_cases", Activity: "blog.privacy.reports", Purpose: "blog.privacy.cases",
		Basis:    personal.Same(personal.Art6c),
		Subjects: []personal.Subject{{Role: personal.Visitor, Where: "tenant_id = $1 and id = $2"}, {Role: personal.Staff, Where: "tenant_id = $1 and decided_by = $2"}},
		Personal: []personal.Column{
			{Name: "body", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
			{Name: "created_at", Category: personal.Behaviour},
			{Name: "token", Category: personal.Credential},
			{Name: "decided_by", Category: personal.Employment},
		},
		Sealed:    []personal.Part{{Name: "body", Category: personal.Content, Special: personal.SpecialPossible, Third: true}},
		Neutral:   []string{"id", "tenant_id", "comment_id", "post_id", "kind", "ground", "state", "decision", "statement", "decided_at"},
		Locator:   personal.ByCode,
		Retention: personal.Retention{Start: "decided_at", Period: appealPeriod},
		Erase: []personal.Erasure{
			{Role: personal.Visitor, Act: personal.Keep, Reason: "blog.privacy.keep_cases"},
			{Role: personal.Staff, Act: personal.Keep, Reason: "blog.privacy.keep_cases"},
		},
		Export: []personal.Column{{Name: "body", Category: personal.Content}, {Name: "created_at", Category: personal.Behaviour}},
	}
}

// memory is what bounds the number of comments: networks and hashes of texts,
// forgotten within the hour and with the process.
func memory() personal.Store {
	return personal.Store{
		Kind: personal.Memory, Name: "blog_rates", Activity: "blog.privacy.activity", Purpose: "blog.privacy.rates", Basis: basis(),
		Subjects:  []personal.Subject{{Role: personal.Visitor}},
		Personal:  []personal.Column{{Name: "network", Category: personal.Technical}, {Name: "text_hash", Category: personal.Behaviour}},
		Locator:   personal.None,
		Retention: personal.Retention{Session: true},
		Erase:     []personal.Erasure{{Role: personal.Visitor, Act: personal.Delete}},
	}
}
