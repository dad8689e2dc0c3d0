package sdk_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	sdk "github.com/xuangate/xuangate/sdk/go"
)

// Files as a real node on the reference chat server keeps them: what breaks on the way is in files_test.go.
func TestFilesOnNode(t *testing.T) {
	url, stop := gateway()
	defer stop()
	alice, bob, carol := signIn(url, "alice"), signIn(url, "bob"), signIn(url, "carol")
	defer alice.Close()
	defer bob.Close()
	defer carol.Close()
	team, err := alice.CreateGroup(t.Context(), "周报", "5")
	require.NoError(t, err)
	content := make([]byte, 3<<20)
	_, _ = rand.Read(content)

	for _, size := range []int64{int64(len(content)), -1} {
		var told []int64
		up, err := alice.Upload(t.Context(), team, `周"报.bin`, bytes.NewReader(content), size, func(done, total int64) {
			require.Equal(t, size, total)
			told = append(told, done)
		})
		require.NoError(t, err)
		require.EqualValues(t, len(content), up.Size)
		require.EqualValues(t, sdk.File, up.Type)
		require.IsIncreasing(t, told)
		require.EqualValues(t, len(content), told[len(told)-1])

		_, err = alice.Send(t.Context(), sdk.Draft{ConversationId: team, Type: model.MsgType(up.Type), Content: up.Content})
		require.NoError(t, err)
		messages, err := bob.LastMessages(t.Context(), team)
		require.NoError(t, err)
		file := messages[len(messages)-1].File
		require.NotNil(t, file, "a message about a file has it")

		var got bytes.Buffer
		last := int64(0)
		down, err := bob.Download(t.Context(), file.Id, &got, func(done, total int64) {
			require.Greater(t, done, last)
			require.EqualValues(t, len(content), total)
			last = done
		})
		require.NoError(t, err)
		require.Equal(t, content, got.Bytes())
		require.EqualValues(t, len(content), last)
		require.Equal(t, up.Name, down.Name)
		require.EqualValues(t, len(content), down.Size)

		_, err = carol.Download(t.Context(), file.Id, io.Discard, nil)
		require.ErrorIs(t, err, sdk.ErrNotFound, "who is no member knows of no file")
	}
	_, err = carol.Upload(t.Context(), team, "x", bytes.NewReader(content[:10]), 10, nil)
	require.ErrorIs(t, err, sdk.ErrNotFound)
	_, err = alice.Upload(t.Context(), team, "x", bytes.NewReader(content[:10]), 20, nil)
	require.Error(t, err, "fewer bytes than promised")
}
