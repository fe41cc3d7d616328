package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

const (
	storeName = "vault.db"
	rootName  = "root.key"
	lockName  = "vault.lock"
)

// rootKeys are the keys derived from the root key, one per use. The root key itself is forgotten after Open.
type rootKeys struct {
	mailbox seal.Key // wraps M
	rows    seal.Key // seals everything else: signing keys, day keys, verifiers, addresses
	login   seal.Key // HMAC by which a login is found
	audit   seal.Key // HMAC of the audit chain
	account seal.Key // wraps A, the key of a citizen's account
	mail    seal.Key // HMAC by which an account is found
	links   seal.Key // HMAC of the links in mails
	module  seal.Key // wraps the keys of the website's modules
	check   seal.Key
}

func derive(root seal.Key) rootKeys {
	return rootKeys{
		mailbox: root.Derive("vault/mailbox/1"),
		rows:    root.Derive("vault/rows/1"),
		login:   root.Derive("vault/login/1"),
		audit:   root.Derive("vault/audit/1"),
		account: root.Derive("vault/account/1"),
		mail:    root.Derive("vault/mail/1"),
		links:   root.Derive("vault/links/1"),
		module:  root.Derive("vault/module/1"),
		check:   root.Derive("vault/check/1"),
	}
}

// seal encrypts a value of a row. The associated data names table, tenant and row, so a value moved to another row opens nowhere.
func (k rootKeys) seal(plain []byte, ad ...string) []byte {
	aead, err := newAEAD(k.rows)
	if err != nil {
		panic("vault: AES-256-GCM is missing: " + err.Error())
	}
	return aead.Seal(nil, nil, plain, []byte(canonical(ad...)))
}

func (k rootKeys) open(sealed []byte, ad ...string) ([]byte, error) {
	aead, err := newAEAD(k.rows)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, []byte(canonical(ad...)))
	if err != nil {
		return nil, fmt.Errorf("vault: sealed value of %s does not open: %w", ad[0], err)
	}
	return plain, nil
}

func newAEAD(k seal.Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func mac(k seal.Key, data string) []byte {
	h := hmac.New(sha256.New, k[:])
	io.WriteString(h, data)
	return h.Sum(nil)
}

// loadRoot reads the root key of dir. It creates one only when there is no store yet: a store without its key must never get a
// second key, which would make every stored key unreadable for good.
func loadRoot(dir string) (seal.Key, error) {
	var key seal.Key
	path, store := filepath.Join(dir, rootName), filepath.Join(dir, storeName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(store); err == nil {
			return key, refuse("the key store %s exists, but its root key %s is missing; put the root key back, a new one cannot open this store", storeName, rootName)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return key, fmt.Errorf("vault: look for %s: %w", storeName, err)
		}
		return createRoot(dir)
	}
	if err != nil {
		return key, fmt.Errorf("vault: read %s: %w", rootName, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return key, fmt.Errorf("vault: read %s: %w", rootName, err)
	}
	if !info.Mode().IsRegular() {
		return key, refuse("%s is not a regular file", rootName)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return key, refuse("%s may be read by others (mode %04o); it must be 0600", rootName, perm)
	}
	raw := make([]byte, keySize+1)
	n, err := io.ReadFull(f, raw)
	if !errors.Is(err, io.ErrUnexpectedEOF) || n != keySize {
		return key, refuse("%s does not hold exactly %d bytes", rootName, keySize)
	}
	copy(key[:], raw)
	clear(raw)
	return key, nil
}

func createRoot(dir string) (seal.Key, error) {
	var key seal.Key
	rand.Read(key[:])
	tmp := filepath.Join(dir, rootName+".new")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("vault: create %s: %w", rootName, err)
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return key, fmt.Errorf("vault: create %s: %w", rootName, err)
	}
	_, err = f.Write(key[:])
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, rootName))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return key, fmt.Errorf("vault: create %s: %w", rootName, err)
	}
	return key, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockDir keeps a second process, or a second Vault in this one, from opening the same store: grants, slow-downs and queues are
// in memory and would not be shared.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("vault: lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, refuse("the key store is already open in another process")
	}
	return f, nil
}

// checkRoot compares the root key with the store: the check value is sealed under it on first open.
func checkRoot(ctx context.Context, d *db.DB, k rootKeys) error {
	return d.Update(ctx, func(tx *db.Tx) error {
		want := mac(k.check, "poststelle/vault/root-check/1")
		got, err := getMeta(ctx, tx, "root_check")
		if errors.Is(err, fault.NotFound) {
			return putMeta(ctx, tx, "root_check", want)
		}
		if err != nil {
			return err
		}
		if !hmac.Equal(got, want) {
			return refuse("%s does not belong to this %s: the check value differs", rootName, storeName)
		}
		return nil
	})
}

// Refusal is why Open will not start, in a sentence for the person at the console.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return "vault: " + r.Reason }

func refuse(format string, args ...any) error { return &Refusal{Reason: fmt.Sprintf(format, args...)} }
