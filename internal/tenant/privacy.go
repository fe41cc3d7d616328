package tenant

import "poststelle/internal/personal"

// Personal declares the tables of this package. None holds data about a person:
// contact data is that of the authority.
func Personal() personal.Declaration {
	table := func(name string, columns ...string) personal.Store {
		return personal.Store{
			Kind: personal.Table, Name: name, Activity: "tenant.privacy.activity", Purpose: "tenant.privacy.purpose", Neutral: columns,
		}
	}
	return personal.Declaration{Domain: "tenant", Stores: []personal.Store{
		table("tenant_tenants", "id", "kind", "profile", "name", "ars", "street", "postcode", "place", "phone", "email", "modules", "position", "created_at"),
		table("tenant_hosts", "host", "tenant_id", "position"),
		table("tenant_mail", "address", "tenant_id"),
		table("tenant_networks", "tenant_id", "prefix"),
		table("tenant_departments", "tenant_id", "id", "name", "name_en", "position"),
		table("tenant_mailboxes", "tenant_id", "id", "department_id", "name", "name_en", "duties", "duties_en", "reply_days",
			"file_kinds", "max_file", "max_message", "max_files", "email_reply", "sender_required", "fallback", "position",
			"retention_days", "retention_since", "members_only"),
		table("tenant_topics", "tenant_id", "mailbox_id", "id", "name", "name_en", "position"),
		table("tenant_banners", "id", "tenant_id", "kind", "title", "title_en", "text", "text_en", "starts_at", "ends_at"),
		table("tenant_revision", "id", "revision"),
	}}
}
