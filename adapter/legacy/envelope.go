package legacy

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeySize is the length in bytes of a legacy AES key: 32 ASCII characters, used as they are.
const KeySize = 32

// ErrEnvelope says that bytes are not an envelope made with the key at hand: of a wrong length, or wrongly padded.
var ErrEnvelope = errors.New("not a legacy envelope, or made with another key")

// Key is the shared AES-256 key of one legacy server. It is a secret: String redacts it.
// A Key is immutable and may be used from any goroutine.
type Key struct {
	block cipher.Block
	iv    []byte
}

// NewKey makes a Key from the 32 characters in the server's configuration (xxd.conf, the token of serverInfo).
func NewKey(s string) (Key, error) {
	if len(s) != KeySize {
		return Key{}, fmt.Errorf("legacy key has %d characters, want %d", len(s), KeySize)
	}
	block, err := aes.NewCipher([]byte(s))
	if err != nil {
		return Key{}, err
	}
	return Key{block: block, iv: []byte(s[:aes.BlockSize])}, nil
}

func (Key) String() string { return "[redacted]" }

// Seal encrypts a JSON text the legacy way: AES-256-CBC, PKCS#5 padding, and the key's first 16 bytes as IV for every
// message. There is no authentication code, so a sealed text proves nothing about who made it.
func (k Key) Seal(plain []byte) []byte {
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, len(plain)+pad)
	copy(out, plain)
	for i := len(plain); i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(k.block, k.iv).CryptBlocks(out, out)
	return out
}

// Open undoes Seal. It returns ErrEnvelope for anything that is no such text; a wrong key is noticed by its padding in
// all but one of 256 cases, so the JSON inside must be checked as well.
func (k Key) Open(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, ErrEnvelope
	}
	out := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(k.block, k.iv).CryptBlocks(out, sealed)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, ErrEnvelope
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, ErrEnvelope
		}
	}
	return out[:len(out)-pad], nil
}
