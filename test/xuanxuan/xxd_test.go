package xuanxuan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestXXD(t *testing.T) {
	_, x := newSite(t, Options{}, XXDOptions{})
	alice := signInto(t, x, "alice")
	bob := signInto(t, x, "bob")
	require.EqualValues(t, 5, alice.expect("login").object()["id"])
	alice.call("create", "g", "G", "group", []any{4, 5}, 0, false)
	alice.expect("create")
	bob.expect("create")
	alice.call("ping")
	alice.expect("ping")
	alice.leave()
	bob.expect("logout")
	bob.hearsNothing()
	require.NoError(t, x.Close())
	bob.dropped()
}
