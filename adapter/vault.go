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

// Secrets keep what is kept of users, sealed, as long as a token of theirs lives: what they sign in with, and what they chose to be seen as. Functions may be used from any goroutine.
type Secrets struct {
	Keep   func(ctx context.Context, u legacy.UserID, sealed []byte) error
	Kept   func(ctx context.Context, u legacy.UserID) (sealed []byte, err error) // nil for none
	Forget func(ctx context.Context, u legacy.UserID) error
}

// vault seals what is kept of users with AES-256-GCM. Nothing else in the process holds a user's password.
type vault struct {
	aead    cipher.AEAD
	secrets Secrets
	turns   *lanes // one change of what is kept of a user at a time
}

// credentials are an account and the MD5 of its password, as the server wants them.
type credentials struct {
	Account  string `json:"account"`
	Password string `json:"password"`
}

// kept is what is kept of a user: credentials where he signs in to the server himself, and what he chose to be seen as, if not online.
type kept struct {
	credentials
	Status string `json:"status,omitempty"`
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
	return &vault{aead: aead, secrets: secrets, turns: newLanes()}, err
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
	return v.change(ctx, u, func(k *kept) { k.credentials = c })
}

// change changes what is kept of a user.
func (v *vault) change(ctx context.Context, u legacy.UserID, change func(*kept)) error {
	leave, err := v.turns.enter(ctx, u.String())
	if err != nil {
		return err
	}
	defer leave()
	k, err := v.open(ctx, u)
	if err != nil {
		return err
	}
	change(&k)
	plain, err := json.Marshal(k)
	if err != nil {
		return err
	}
	nonce := make([]byte, v.aead.NonceSize())
	rand.Read(nonce)
	return v.secrets.Keep(ctx, u, v.aead.Seal(nonce, nonce, plain, []byte(u.String())))
}

// get opens a user's credentials, or returns errNoCredentials.
func (v *vault) get(ctx context.Context, u legacy.UserID) (credentials, error) {
	k, err := v.open(ctx, u)
	if err == nil && k.Account == "" {
		err = errNoCredentials
	}
	return k.credentials, err
}

// open opens what is kept of a user: nothing where it was sealed under another secret_key.
func (v *vault) open(ctx context.Context, u legacy.UserID) (k kept, err error) {
	sealed, err := v.secrets.Kept(ctx, u)
	if err != nil {
		return k, fmt.Errorf("look for what is kept of a user: %w", err)
	}
	n := v.aead.NonceSize()
	if len(sealed) < n {
		return k, nil
	}
	plain, err := v.aead.Open(nil, sealed[:n], sealed[n:], []byte(u.String()))
	if err != nil {
		return k, nil
	}
	return k, json.Unmarshal(plain, &k)
}

func (v *vault) forget(ctx context.Context, u legacy.UserID) error { return v.secrets.Forget(ctx, u) }
