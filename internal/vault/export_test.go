package vault

import (
	"context"

	"poststelle/internal/db"
	"poststelle/internal/seal"
)

// DB is the store, for tests that tamper with rows as somebody with the file would.
func (v *Vault) DB() *db.DB { return v.db }

// CollectWork is what a look-up by code cost.
func (v *Vault) CollectWork(ctx context.Context, tenant string, lookup []byte) (found bool, queries, rows, bytes int, err error) {
	err = v.db.View(ctx, func(tx *db.Tx) error {
		_, ok, w, err := collect(ctx, tx, tenant, lookupHash(tenant, lookup))
		found, queries, rows, bytes = ok, w.queries, w.rows, w.bytes
		return err
	})
	return found, queries, rows, bytes, err
}

// HoldArgon takes both argon2 slots; give returns them.
func (v *Vault) HoldArgon() (give func()) {
	v.argon <- struct{}{}
	v.argon <- struct{}{}
	return func() { <-v.argon; <-v.argon }
}

// Queued is how many sign-ins hold or await a slot.
func (v *Vault) Queued() int { return int(v.queued.Load()) }

// TOTPAt is the code of a step; the tests check it against RFC 6238.
var TOTPAt = totpAt

// DecodeBox is the parser of box plaintexts, for the fuzz test.
func DecodeBox(p []byte) (re []byte, ok bool) {
	k, first, ok := decodeBox(p)
	if !ok {
		return nil, false
	}
	re, err := Letter{K: k, First: first}.encode()
	return re, err == nil
}

// Spent is what all calls so far have cost: argon2, reading and writing transactions.
func (v *Vault) Spent() (hashes, reads, writes int64) {
	return v.spent.hashes.Load(), v.spent.reads.Load(), v.spent.writes.Load()
}

// BoxParts is the parser of box plaintexts, for the vectors.
func BoxParts(p []byte) (k seal.Key, first *First, ok bool) { return decodeBox(p) }

// AD is the associated data of a wrap, made as the package makes it.
func AD(what string, f []string) string {
	switch what {
	case "M":
		return mailboxAD(f[0], f[1])
	case "evidence":
		return string(evidenceAD(f[0], f[1]))
	case "T":
		return threadAD(f[0], f[1], f[2])
	case "code":
		return codeAD(f[0], f[1])
	case "K":
		return messageAD(f[0], f[1], f[2])
	case "A":
		return accountAD(f[0])
	case "A-T":
		return accountThreadAD(f[0], f[1], f[2])
	case "A-draft":
		return draftAD(f[0], f[1])
	}
	return ""
}

// BadPassword, CommonPasswords and InLines are the rules of passwords.
var (
	BadPassword     = badPassword
	CommonPasswords = commonPasswords
	InLines         = inLines
)
