package adapter

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Secrets keep what users sign in with, sealed, as long as a token of theirs lives. Functions may be used from any goroutine.
type Secrets struct {
	Keep   func(ctx context.Context, u legacy.UserID, sealed []byte) error
	Kept   func(ctx context.Context, u legacy.UserID) (sealed []byte, err error) // nil for none
	Forget func(ctx context.Context, u legacy.UserID) error
}

// vault seals credentials with AES-256-GCM. Nothing else in the process holds a user's password.
type vault struct {
	aead    cipher.AEAD
	secrets Secrets
}

// credentials are an account and the MD5 of its password, as the server wants them.
type credentials struct {
	Account  string `json:"account"`
	Password string `json:"password"`
}

// errNoCredentials says that nothing is kept for a user, or nothing that this key opens.
var errNoCredentials = errors.New("no credentials are kept")

// newVault takes the operator's secret, of any length. Without one it makes its own: what is sealed is then lost with the
// process, and users sign in again.
func newVault(secret string, secrets Secrets) (*vault, error) {
	key := derive(secret, "credentials")
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &vault{aead: aead, secrets: secrets}, err
}

// derive makes a key for one purpose of the operator's secret, or one at random where there is none.
func derive(secret, purpose string) (key [sha256.Size]byte) {
	if secret == "" {
		rand.Read(key[:]) // never fails: it ends the process instead
		return key
	}
	return sha256.Sum256([]byte("xuangate " + purpose + "\x00" + secret))
}

// keep seals credentials for one user; for another they do not open.
func (v *vault) keep(ctx context.Context, u legacy.UserID, c credentials) error {
	plain, err := json.Marshal(c)
	if err != nil {
		return err
	}
	nonce := make([]byte, v.aead.NonceSize())
	rand.Read(nonce)
	return v.secrets.Keep(ctx, u, v.aead.Seal(nonce, nonce, plain, []byte(u.String())))
}

// get opens what is kept for a user, or returns errNoCredentials.
func (v *vault) get(ctx context.Context, u legacy.UserID) (c credentials, err error) {
	sealed, err := v.secrets.Kept(ctx, u)
	if err != nil {
		return c, fmt.Errorf("look for credentials: %w", err)
	}
	n := v.aead.NonceSize()
	if len(sealed) < n {
		return c, errNoCredentials
	}
	plain, err := v.aead.Open(nil, sealed[:n], sealed[n:], []byte(u.String()))
	if err != nil {
		return c, errNoCredentials // sealed under another secret_key
	}
	return c, json.Unmarshal(plain, &c)
}

func (v *vault) forget(ctx context.Context, u legacy.UserID) error { return v.secrets.Forget(ctx, u) }
