package node_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/claims"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// An upload is one that goes on for as long as the test likes.
type upload struct {
	form *multipart.Writer
	body *io.PipeWriter
	file io.Writer
	done chan error
}

// uploading begins an upload at a node and returns once the node reads it.
func (n *running) uploading(t *testing.T, token, group string) *upload {
	t.Helper()
	out, in := io.Pipe()
	u := &upload{form: multipart.NewWriter(in), body: in, done: make(chan error, 1)}
	reads := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reads) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.api+"/upload_file", out)
	require.NoError(t, err)
	req.Header = bearer(token)
	req.Header.Set("Content-Type", u.form.FormDataContentType())
	req.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: patience}}
	go func() {
		res, err := client.Do(req)
		if err == nil {
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				err = errors.New(res.Status)
			}
		}
		client.CloseIdleConnections()
		u.done <- err
	}()
	<-reads
	require.NoError(t, u.form.WriteField("conversation_id", group))
	u.file, err = u.form.CreateFormFile("file", "report.txt")
	require.NoError(t, err)
	_, err = io.WriteString(u.file, "the first half, ")
	require.NoError(t, err)
	return u
}

func (u *upload) finish(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(u.file, "and the second")
	require.NoError(t, errors.Join(err, u.form.Close(), u.body.Close()))
	require.NoError(t, <-u.done)
}

// speaks has a desktop client say something.
func speaks(t *testing.T, desk *xxd.Conn, user legacy.UserID, group, content string) {
	t.Helper()
	r, err := desk.Call(t.Context(), legacy.Chat(user, "message", []legacy.DraftRow{{
		GID: legacy.MessageGID("desk-" + content), CGID: legacy.ChatGID(group), User: user, Type: "normal", ContentType: "text", Content: content,
	}}))
	require.NoError(t, err)
	require.Equal(t, legacy.Success, r.Result)
}

var contents = regexp.MustCompile(`"Content":"([^"]*)"`)

// hears reads a stream until something is said, or to its end, and returns all that was, and the position of the last of it.
func hears(stream *bufio.Scanner, last string) (heard []string, at string) {
	for stream.Scan() {
		if id, ok := strings.CutPrefix(stream.Text(), "id: "); ok {
			at = id
		}
		if found := contents.FindStringSubmatch(stream.Text()); found != nil {
			if heard = append(heard, found[1]); found[1] == last {
				break
			}
		}
	}
	return heard, at
}

// logs waits until a node has said something.
func (r *record) logs(t *testing.T, text string) {
	t.Helper()
	redisd.Until(t, text, func(context.Context) error {
		if !strings.Contains(r.String(), text) {
			return errors.New("not yet")
		}
		return nil
	})
}

func linkedNow(session string) string { return `msg="signed in at the chat server" session=` + session }

// TestHandOver ends a node that alice is linked at, who listens nowhere, bob, who listens there, and carol, who uploads a file meanwhile.
// A desktop client speaks all the time, of whom only their own links hear.
func TestHandOver(t *testing.T) {
	r := redisd.Start(t)
	x := front(t, backend(t))
	said := &record{}
	a, _ := linked(t, r, x, func(c *node.Config) { c.Drain = 30 * time.Second })
	alice, bob, carol := a.signIn(t, "alice"), a.signIn(t, "bob"), a.signIn(t, "carol")
	group := a.group(t, alice, "5", "6", "7")
	desk := newDesk(t, x, "dave")
	defer desk.Close()
	b, _ := linked(t, r, x, func(c *node.Config) { c.LogTo = said })

	must[model.User](t, post(t, a.api+"/set_status", bearer(alice), map[string]any{"status": "away"}))
	speak := func(content string) { speaks(t, desk, 7, group, content) }
	stream := a.listen(t, bob)
	next(t, stream, "id")
	speak("before")
	heard, at := hears(stream, "before")
	file := a.uploading(t, carol, group)
	a.end()
	speak("while it ends")
	more, later := hears(stream, "")
	gone := time.Now()
	speak("between the two")
	said.logs(t, linkedNow("5"))
	t.Logf("bob was without a link for %s at most", time.Since(gone).Round(time.Millisecond))
	said.logs(t, linkedNow("4"))
	seen := must[model.Users](t, post(t, b.api+"/get_users", bearer(bob), map[string]any{"sessions": []string{"4"}}))
	require.Equal(t, "away", seen.Users[0].Status, "as she chose")
	speak("linked elsewhere")

	// All the while the call under way is carried out where it came to.
	select {
	case <-a.ended:
		t.Fatal("the node ended with a call under way")
	default:
	}
	require.NotContains(t, said.String(), linkedNow("6"))
	file.finish(t)
	require.NoError(t, <-a.ended)
	said.logs(t, linkedNow("6"))
	speak("after")

	if later != "" {
		at = later
	}
	rest, _ := hears(b.resume(t, bob, at), "after")
	require.Equal(t, []string{"before", "while it ends", "between the two", "linked elsewhere", "after"}, append(append(heard, more...), rest...))
}

// TestInnerOfNodes has an internal system ask for what takes links that stand at different nodes: the operator's and those of members.
func TestInnerOfNodes(t *testing.T) {
	r := redisd.Start(t)
	x := front(t, backend(t))
	a, _ := linked(t, r, x, nil)
	b, _ := linked(t, r, x, nil)
	c, _ := linked(t, r, x, nil)
	inner := http.Header{"X-Inner-Key": {innerKey}}
	must[model.ConversationRef](t, post(t, a.inner+"/inner/create_conversation", inner, map[string]any{"conversation_type": 0, "name": "of the operator", "sessions": []string{"1", "3"}}))
	alice := b.signIn(t, "alice")
	bob := c.signIn(t, "bob")
	group := b.group(t, alice, "5")
	stream := c.listen(t, bob)
	next(t, stream, "id")
	for i, n := range []*running{a, b, c} {
		speak := func(body map[string]any) {
			t.Helper()
			body["conversation_id"], body["type"] = group, 1
			must[model.SentMsg](t, post(t, n.inner+"/inner/send_msg", inner, body))
			require.Contains(t, next(t, stream, "data"), fmt.Sprintf("%q:%q", "Content", body["content"]))
		}
		speak(map[string]any{"content": fmt.Sprint("the operator ", i)})
		speak(map[string]any{"content": fmt.Sprint("alice ", i), "session": "4", "client_msg_id": fmt.Sprint(i)})
		must[any](t, post(t, n.inner+"/inner/join_conversation", inner, map[string]any{"conversation_id": group, "sessions": []string{"6"}}))
		who := must[model.ConversationMembers](t, post(t, n.inner+"/inner/get_conversation_members", inner, map[string]any{"conversation_id": group}))
		require.ElementsMatch(t, []string{"4", "5", "6"}, who.Members)
		must[any](t, post(t, n.inner+"/inner/kickout_conversation", inner, map[string]any{"conversation_id": group, "sessions": []string{"6"}}))
		all := must[model.ArchiveResult](t, post(t, n.inner+"/inner/set_archive_conversations", inner, map[string]any{"conversation_ids": []string{group}, "is_archive": i%2 == 0}))
		require.Empty(t, all.Failed)
	}
	mine := must[model.Conversation](t, post(t, a.api+"/get_conversation_detail", bearer(bob), map[string]any{"conversation_id": group}))
	require.True(t, mine.IsArchive)

	// What the other node cannot do is told as it tells it.
	refused := post(t, a.inner+"/inner/send_msg", inner, map[string]any{"conversation_id": group, "type": 1, "content": strings.Repeat("x", 30_000)})
	require.Equal(t, model.TooLarge, refused.Code, refused.Error)
}

// TestALostClaim has a node lose alice's link to another, as one does that stood still for longer than its lease, when her connection
// breaks: it must not sign her in again, which would kick her out at the other.
func TestALostClaim(t *testing.T) {
	r := redisd.Start(t)
	x := front(t, backend(t))
	said := &record{}
	a, _ := linked(t, r, x, func(c *node.Config) { c.LogTo = said })
	alice := a.signIn(t, "alice")
	require.NoError(t, r.Client().Del(t.Context(), "{xuangate:claim}:link:alice").Err())
	_, err := claims.NewRedis(r.Client(), "xuangate", "another node").Take(t.Context(), "link:alice", time.Hour)
	require.NoError(t, err)
	x.SetFaults(xuanxuan.XXDFault{User: 4, Cut: true, Times: 1})
	redisd.Until(t, "the node knows", func(context.Context) error {
		if got := post(t, a.api+"/get_conversations", bearer(alice), struct{}{}); !strings.Contains(got.Error, "another node holds") {
			return fmt.Errorf("%d %s", got.Code, got.Error)
		}
		return nil
	})
	require.Equal(t, 1, strings.Count(said.String(), linkedNow("4")))
	require.NotContains(t, said.String(), "msg=audit event=kick", "her tokens live")
}
