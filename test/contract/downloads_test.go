package contract

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestDownloads(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		const text = "0123456789"
		id := alice.upload(team, "a b.txt", text).Id

		t.Run("the whole", func(t *testing.T) {
			res, got := alice.download(http.MethodGet, id)
			require.Equal(t, text, got)
			for name, want := range map[string]string{
				"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": `attachment; filename="a b.txt"`, "Content-Length": "10",
				"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600", "Vary": "Authorization", "Accept-Ranges": "bytes",
			} {
				require.Equal(t, want, res.Header.Get(name), name)
			}
		})
		t.Run("HEAD", func(t *testing.T) {
			res, got := alice.download(http.MethodHead, id)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Equal(t, int64(10), res.ContentLength)
			require.Empty(t, got)
			res, _ = alice.download(http.MethodHead, "nowhere")
			require.Equal(t, http.StatusNotFound, res.StatusCode)
		})
		tag := func() string { res, _ := alice.download(http.MethodHead, id); return res.Header.Get("ETag") }()
		require.NotEmpty(t, tag)
		for _, c := range []struct {
			name   string
			head   []string
			status int
			want   string
		}{
			{"a part", []string{"Range", "bytes=2-4"}, 206, "234"},
			{"from there on", []string{"Range", "bytes=7-"}, 206, "789"},
			{"the last ones", []string{"Range", "bytes=-2"}, 206, "89"},
			{"more than there is", []string{"Range", "bytes=8-100"}, 206, "89"},
			{"several parts", []string{"Range", "bytes=0-1,4-5"}, 200, text},
			{"no range", []string{"Range", "lines=1-2"}, 200, text},
			{"a range backwards", []string{"Range", "bytes=5-2"}, 200, text},
			{"a part of what it was", []string{"Range", "bytes=2-4", "If-Range", tag}, 206, "234"},
			{"a part of what it is not", []string{"Range", "bytes=2-4", "If-Range", `"x"`}, 200, text},
			{"beyond the end of what it is not", []string{"Range", "bytes=10-", "If-Range", `"x"`}, 200, text},
			{"what one has", []string{"If-None-Match", tag}, 304, ""},
			{"what one has not", []string{"If-None-Match", `"x"`}, 200, text},
		} {
			t.Run(c.name, func(t *testing.T) {
				res, got := alice.download(http.MethodGet, id, c.head...)
				require.Equal(t, c.status, res.StatusCode)
				require.Equal(t, c.want, got)
			})
		}
		for _, beyond := range []string{"bytes=10-", "bytes=10-20", "bytes=-0"} {
			res, got := alice.download(http.MethodGet, id, "Range", beyond)
			require.Equal(t, http.StatusRequestedRangeNotSatisfiable, res.StatusCode, beyond)
			require.Equal(t, "bytes */10", res.Header.Get("Content-Range"))
			require.Contains(t, got, `"code":10001`)
		}
		t.Run("images are shown, what a browser would run is not", func(t *testing.T) {
			for name, want := range map[string][2]string{
				"a.PNG": {"image/png", "inline"}, "a.svg": {"application/octet-stream", "attachment"}, "a.html": {"application/octet-stream", "attachment"},
				"a": {"application/octet-stream", "attachment"}, "a.pdf": {"application/pdf", "attachment"},
			} {
				f := alice.upload(team, name, "<script>")
				res, _ := alice.download(http.MethodGet, f.Id)
				require.Equal(t, want[0], res.Header.Get("Content-Type"), name)
				require.Regexp(t, "^"+want[1]+";", res.Header.Get("Content-Disposition"), name)
				require.Equal(t, want[1] == "inline", f.Type == 3, name)
			}
		})
		t.Run("an id that was not given is none", func(t *testing.T) {
			alice.getsNot(model.NotFound, id[:len(id)-1]+"_")
			alice.getsNot(model.NotFound, id[:len(id)-4])
			alice.getsNot(model.NotFound, "B"+id[1:])
			alice.getsNot(model.NotFound, strings.Repeat("A", 4000))
			alice.getsNot(model.NotFound, "..%2F..%2Fetc")
		})
	})
}

func TestNoMessageOpensAnothersFile(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		secret, open := alice.group("secret", bob), carol.group("open")
		f := alice.upload(secret, "plan.txt", "secret")

		guessed := strings.Replace(f.Content, f.Id, "x", 1)
		for _, content := range []string{f.Content, guessed} {
			require.Contains(t, carol.fails(model.NotAllowed, "/send_msg", object{"conversation_id": open, "type": 4, "content": content}), "without proof")
		}
		own := carol.upload(open, "plan.txt", "open")
		require.Contains(t, carol.fails(model.NotAllowed, "/send_msg", object{"conversation_id": open, "type": 4, "content": strings.Replace(guessed, `"x"`, `"`+own.Id+`"`, 1)}), "without proof")
		carol.fails(model.NotAllowed, "/send_msg", object{"conversation_id": open, "type": 3, "status": 7, "content": guessed})
		require.Empty(t, get[model.ConversationFiles](carol, "/get_conversation_files", object{"conversation_id": open}).Files)

		// Who may read it may pass it on.
		mine := bob.group("mine", carol)
		get[model.SentMsg](bob, "/send_msg", object{"conversation_id": mine, "type": 4, "content": f.Content})
		passed := carol.last30(mine)[0].File
		require.NotEqual(t, f.Id, passed.Id)
		require.Equal(t, "secret", carol.gets(passed.Id))
		carol.getsNot(model.NotFound, f.Id)

		// What is about no file of the server's is as it was sent.
		for _, content := range []string{`{"type":"base64","content":"data:…"}`, `{"id":0,"name":"x","time":1}`, "no JSON", `[1]`, `{"id":"x"}`} {
			get[model.SentMsg](carol, "/send_msg", object{"conversation_id": open, "type": 3, "content": content})
			last := carol.last30(open)
			require.Equal(t, content, last[len(last)-1].Content)
			require.Zero(t, last[len(last)-1].File)
		}
	})
}
