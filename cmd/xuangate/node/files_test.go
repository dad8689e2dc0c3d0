package node_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
)

// uploads sends a file to a node.
func (n *running) uploads(t *testing.T, token, group string, content []byte) (up model.UploadedFile) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("conversation_id", group))
	file, err := form.CreateFormFile("file", "报告.txt")
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.api+"/upload_file", &body)
	require.NoError(t, err)
	req.Header = bearer(token)
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var a answer
	require.NoError(t, json.NewDecoder(res.Body).Decode(&a))
	return must[model.UploadedFile](t, a)
}

// downloads gets a part of a file from a node.
func (n *running) downloads(t *testing.T, token, id, span string, status int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.api+"/files/"+id, nil)
	require.NoError(t, err)
	req.Header = bearer(token)
	if span != "" {
		req.Header.Set("Range", span)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, status, res.StatusCode)
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(got)
}

// TestFilesOfNodes has a file go up at one node and come down at another, by users whose connections stand at one or at the other.
func TestFilesOfNodes(t *testing.T) {
	for mode, config := range map[string]func(t *testing.T) node.Config{
		"xxb": func(t *testing.T) node.Config {
			c := before(backend(t))
			c.Files.Dir = t.TempDir()
			return c
		},
		"xxd": func(t *testing.T) node.Config { return beside(front(t, backend(t))) },
		"v1":  func(t *testing.T) node.Config { _, c := old(t); return c },
	} {
		t.Run(mode, func(t *testing.T) {
			r, c := redisd.Start(t), config(t)
			a, b := near(t, r, c), near(t, r, c)
			alice, bob, carol := a.signIn(t, "alice"), b.signIn(t, "bob"), a.signIn(t, "carol")
			group := a.group(t, alice, "5")
			stream := b.listen(t, bob)
			next(t, stream, "id")
			content := bytes.Repeat([]byte("0123456789"), 50_000)
			for _, way := range [][2]*running{{a, b}, {b, a}} {
				up := way[0].uploads(t, alice, group, content)
				sent := must[model.SentMsg](t, post(t, way[1].api+"/send_msg", bearer(alice), map[string]any{"conversation_id": group, "type": up.Type, "content": up.Content}))
				var heard model.MsgData
				require.NoError(t, json.Unmarshal([]byte(next(t, stream, "data")), &heard))
				require.Equal(t, sent.MsgID, heard.MsgId)
				require.Equal(t, string(content), way[1].downloads(t, bob, heard.File.Id, "", http.StatusOK))
				require.Equal(t, "34567", way[0].downloads(t, bob, heard.File.Id, "bytes=499993-499997", http.StatusPartialContent))
				way[1].downloads(t, carol, heard.File.Id, "", http.StatusNotFound)
			}
		})
	}
}
