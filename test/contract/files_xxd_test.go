package contract

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// opens downloads a file as a desktop client does that has read a message about it.
func (d *desk) opens(content string) string {
	d.w.t.Helper()
	var c legacy.FileContent
	require.NoError(d.w.t, json.Unmarshal([]byte(content), &c))
	require.Equal(d.w.t, "true", string(c.Send))
	f, ok := c.Names()
	require.True(d.w.t, ok)
	file, _, err := d.conn.Open(d.w.t.Context(), f)
	require.NoError(d.w.t, err)
	defer file.Close()
	text, err := io.ReadAll(file)
	require.NoError(d.w.t, err)
	return string(text)
}

func TestDesktopAndWebUsersOpenOneAnothersFiles(t *testing.T) {
	inModes(t, []string{"xxd", "inline"}, openOneAnothersFiles)
}

func openOneAnothersFiles(t *testing.T, w *world) {
	alice, carol := w.signIn("alice"), w.desk("carol")
	team := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "team", "members": []string{"6"}}).ConversationId

	f := alice.upload(team, "从 web.txt", "from the web")
	get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": f.Type, "content": f.Content})
	heard := carol.hears(1)[0]
	require.Equal(t, legacy.Text("file"), heard.ContentType)
	require.Equal(t, "from the web", carol.opens(string(heard.Content)))

	up, err := carol.conn.Upload(t.Context(), legacy.Upload{User: carol.user, Chat: legacy.ChatGID(team), Name: "从 desktop.png"}, strings.NewReader("from the desktop"))
	require.NoError(t, err)
	at := alice.here()
	send := func(gid, content string) {
		r, err := carol.call("message", []legacy.DraftRow{{
			GID: legacy.MessageGID(gid), CGID: legacy.ChatGID(team), User: carol.user, Type: "normal", ContentType: "image", Content: content,
		}})
		require.NoError(t, err)
		require.Equal(t, legacy.Success, r.Result)
	}
	send("desk-progress", `{"time":1795313274000,"name":"从 desktop.png","size":16,"send":40,"type":"image/png"}`) // while it uploads
	content, err := json.Marshal(object{"time": up.Time, "id": up.ID, "name": up.Name, "size": 16, "send": true, "type": "image/png"})
	require.NoError(t, err)
	send("desk-done", string(content))
	events, _ := alice.until(at, count(model.EventKindMessage, 2))
	told := only(events, model.EventKindMessage)
	require.Zero(t, told[0].message(t).File)
	m := told[1].message(t)
	require.EqualValues(t, 3, m.Type)
	require.Equal(t, "从 desktop.png", m.File.Name)
	require.EqualValues(t, 16, m.File.Size)
	require.Equal(t, "from the desktop", alice.gets(m.File.Id))
	list := get[model.ConversationFiles](alice, "/get_conversation_files", object{"conversation_id": team}).Files
	require.Len(t, list, 2)
	require.Equal(t, m.File.Id, list[0].Id)
}

func TestFilesSurviveARestartOfXXD(t *testing.T) {
	w := start(t, "xxd")
	alice := w.signIn("alice")
	team := alice.group("team")
	id := alice.upload(team, "a.txt", "before").Id
	again, err := w.xxd.Restart(t.Context())
	require.NoError(t, err)
	w.xxd = again
	require.Eventually(t, func() bool {
		res, text := alice.download(http.MethodGet, id)
		return res.StatusCode == http.StatusOK && text == "before"
	}, patience, time.Millisecond)
	require.Equal(t, "after", alice.gets(alice.upload(team, "b.txt", "after").Id))
}

func TestAnUploadEndsWithXXD(t *testing.T) {
	w := start(t, "xxd")
	alice := w.signIn("alice")
	team := alice.group("team")
	out, in := io.Pipe()
	done := make(chan answer, 1)
	go func() {
		a, err := alice.sends(field("conversation_id", team), attached("a.bin", io.MultiReader(io.LimitReader(zeros{}, 1<<20), out)))
		if err != nil {
			a.Error = err.Error()
		}
		done <- a
	}()
	_, err := in.Write([]byte("x")) // so the first megabyte is on its way
	require.NoError(t, err)
	require.NoError(t, w.xxd.Close())
	require.NoError(t, in.Close())
	a := <-done
	require.Contains(t, []model.Code{model.Unreachable, model.TooSlow}, a.Code, a.Error)
	require.Empty(t, kept(t, w.files))
}

func TestAnXXDPutInFrontLaterFindsTheFiles(t *testing.T) {
	w := start(t, "xxb")
	alice := w.signIn("alice")
	team := alice.group("team")
	content := alice.upload(team, "周报.txt", "kept by us").Content

	front, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: w.legacy.URL(), UploadDir: w.files}, "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, front.Close()) }()
	server, err := xxd.New(xxd.Config{URL: front.URL()})
	require.NoError(t, err)
	defer server.Close()
	conn, _, err := server.Dial(t.Context(), "bob", digest(xuanxuan.DemoPassword))
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, "kept by us", (&desk{w: w, conn: conn}).opens(content))
}
