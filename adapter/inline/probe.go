package inline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
)

// probeAccount is what a check of the settings signs in as, that this chat server calls us.
const probeAccount = "xuangate-check"

// secretOf proves who asks to whoever has the backend's key, and so to each node.
func secretOf(key legacy.Key, what string) string {
	sum := sha256.Sum256(key.Seal([]byte(what)))
	return hex.EncodeToString(sum[:16])
}

// Probe asks an xxd to let our check in, which only a gateway with the same backend key does: it returns nil where the xxd's
// backend is one.
func Probe(ctx context.Context, at Site, key legacy.Key) error {
	server, err := xxd.New(at.XXD)
	if err != nil {
		return err
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return server.Verify(ctx, probeAccount, secretOf(key, probeAccount))
}
