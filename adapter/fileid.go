package adapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// fileKey signs the ids of files. An id carries all that the server finds the file by, and the chat whose members may have
// it; the server itself gives any file to any user. So an id that we did not make must not pass.
type fileKey [sha256.Size]byte

const (
	fileIDVersion = 1
	fileIDSum     = 16 // bytes of the HMAC that an id carries
)

// A file id is base64url of: version, length of the chat's gid, gid, file's number and time, name, HMAC over all of them.
// Numbers are varints, so the parts cannot be taken for one another.
func (k fileKey) format(chat legacy.ChatGID, f legacy.File) model.FileId {
	b := append([]byte{fileIDVersion, byte(len(chat))}, chat...)
	b = binary.AppendVarint(b, f.ID)
	b = binary.AppendVarint(b, f.Time)
	b = append(b, f.Name...)
	return base64.RawURLEncoding.EncodeToString(append(b, k.sum(b)...))
}

func (k fileKey) sum(b []byte) []byte {
	h := hmac.New(sha256.New, k[:])
	h.Write(b)
	return h.Sum(nil)[:fileIDSum]
}

// parse reads an id; ok is false for what format did not write with this key.
func (k fileKey) parse(id model.FileId) (chat legacy.ChatGID, f legacy.File, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || len(b) < fileIDSum {
		return "", f, false
	}
	b, sum := b[:len(b)-fileIDSum], b[len(b)-fileIDSum:]
	if !hmac.Equal(sum, k.sum(b)) || len(b) < 2 || b[0] != fileIDVersion || len(b) < 2+int(b[1]) {
		return "", f, false
	}
	chat, b = legacy.ChatGID(b[2:2+b[1]]), b[2+b[1]:]
	var n, m int
	f.ID, n = binary.Varint(b)
	if n <= 0 {
		return "", f, false
	}
	f.Time, m = binary.Varint(b[n:])
	if m <= 0 {
		return "", f, false
	}
	f.Name = string(b[n+m:])
	return chat, f, true
}
