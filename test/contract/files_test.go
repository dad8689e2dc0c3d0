package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestAFileIsUploadedSentFoundAndDownloaded(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		team := alice.group("team", bob)
		at := bob.here()

		f := alice.upload(team, "周报 1.pdf", "%PDF")
		require.Equal(t, "周报 1.pdf", f.Name)
		require.EqualValues(t, 4, f.Size)
		require.EqualValues(t, 4, f.Type)
		require.NotZero(t, f.Time)
		require.Equal(t, "/files/"+f.Id, f.Url)
		heard, _ := bob.poll(at, 0)
		require.Empty(t, only(heard, model.EventKindMessage), "nobody hears of it before a message is sent")

		id := get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": f.Type, "content": f.Content}).MsgID
		heard, _ = bob.until(at, count(model.EventKindMessage, 1))
		m := only(heard, model.EventKindMessage)[0].message(t)
		require.Equal(t, model.File{Id: f.Id, Name: f.Name, Size: f.Size, Time: f.Time, Url: f.Url}, m.File)
		require.Equal(t, m.File, bob.last30(team)[0].File, "history tells it as well")
		var content legacy.FileContent
		require.NoError(t, json.Unmarshal([]byte(m.Content), &content))
		require.Equal(t, "true", string(content.Send), "a desktop client opens it")

		list := get[model.ConversationFiles](bob, "/get_conversation_files", object{"conversation_id": team})
		require.Equal(t, []model.ConversationFile{{
			Id: f.Id, Name: f.Name, Size: f.Size, Time: f.Time, Url: f.Url, Type: 4, MsgId: id, FromSession: alice.session, SendTime: m.SendTime,
		}}, list.Files)

		require.Equal(t, "%PDF", bob.gets(m.File.Id))
		carol.getsNot(model.NotFound, f.Id)
		carol.refused(model.NotFound, field("conversation_id", team), attached("a.txt", strings.NewReader("x")))
		carol.fails(model.NotFound, "/get_conversation_files", object{"conversation_id": team})
	})
}

func TestWhoMayUpload(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team := alice.group("Team", bob)
		for _, unknown := range []string{"nowhere", strings.ToUpper(team), team + " ", strings.Repeat("x", 41), "a\x00b"} {
			alice.refused(model.NotFound, field("conversation_id", unknown), attached("a.txt", strings.NewReader("x")))
		}
		require.Contains(t, alice.refused(model.InvalidParameter, field("conversation_id", ""), attached("a.txt", strings.NewReader("x"))), "conversation_id")

		system := get[model.JoinedConversations](bob, "/get_joined_conversation", object{}).Conversations[0]
		f := bob.upload(system, "a.txt", "for all")
		require.Equal(t, "for all", alice.gets(f.Id), "everybody is in the system conversation")

		w.desktop(legacy.Chat(4, "setcommitters", team, "4"))
		alice.detail(team)
		require.Contains(t, bob.refused(model.NotAllowed, field("conversation_id", team), attached("a.txt", strings.NewReader("x"))), "may not speak")
		kept := alice.upload(team, "b.txt", "by alice")
		require.Equal(t, "by alice", bob.gets(kept.Id), "who may not speak may read")

		if !w.has("dismiss") {
			return
		}
		w.desktop(legacy.Chat(4, "dismiss", team))
		alice.detail(team)
		require.Contains(t, alice.refused(model.Conflict, field("conversation_id", team), attached("a.txt", strings.NewReader("x"))), "dismissed")
		require.Equal(t, "by alice", bob.gets(kept.Id), "what was dismissed can still be read")
	})
}

func TestNamesOfFiles(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		for given, want := range map[string]string{
			"周报 (1).pdf":                     "周报 (1).pdf",
			"../../etc/passwd":               "passwd",
			"/etc/passwd":                    "passwd",
			`C:\Users\alice\a.txt`:           "a.txt",
			`..\x"y.txt`:                     "x_y.txt",
			"a\u202egpj.exe":                 "a_gpj.exe",
			" a.txt ":                        "a.txt",
			".profile":                       ".profile",
			"100%25&x=1;b='c'<d>.txt":        "100%25&x=1;b='c'<d>.txt",
			strings.Repeat("长", 83) + ".txt": strings.Repeat("长", 83) + ".txt",
		} {
			f := alice.upload(team, given, "text of "+want)
			require.Equal(t, want, f.Name, "%q", given)
			require.Equal(t, "text of "+want, alice.gets(f.Id), "%q", given)
			get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": f.Type, "content": f.Content})
			require.Equal(t, f.Id, alice.last30(team)[len(alice.last30(team))-1].File.Id)
		}
		for _, bad := range []string{".", "..", "...", "../", "a/..", " ", strings.Repeat("x", 256), "\xff.txt"} {
			require.Contains(t, alice.refused(model.InvalidParameter, field("conversation_id", team), attached(bad, strings.NewReader("x"))), "name", "%q", bad)
		}
		require.Contains(t, alice.refused(model.Conflict, field("conversation_id", team), attached("a😀.txt", strings.NewReader("x"))), `"😀"`)
		path := `^xuanxuan/\d{4}/\d\d/\d\d/[0-9a-f]{32}$`
		if w.mode == "v1" {
			path = `^\d{6}/f_[0-9a-f]{32}\.(pdf|txt|exe|profile)$`
		}
		for _, name := range kept(t, w.files) {
			require.Regexp(t, path, name, "no user chooses a path")
		}
	})
}

func TestFormsThatAreNone(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		conversation, text := field("conversation_id", team), func() part { return attached("a.txt", strings.NewReader("x")) }
		for _, c := range []struct {
			rule  string
			parts []part
			want  string
		}{
			{"no file", []part{conversation}, "file: is missing"},
			{"nothing", nil, "file: is missing"},
			{"a file that is a field", []part{field("conversation_id", team), field("file", "x")}, "file: has no name"},
			{"a file of zero bytes", []part{field("conversation_id", team), attached("a.txt", strings.NewReader(""))}, "file: is empty"},
			{"the file first", []part{text(), field("conversation_id", team)}, "conversation_id: must come before file"},
			{"two files", []part{field("conversation_id", team), text(), text()}, "file: must be the only one, and the last part"},
			{"a field behind the file", []part{field("conversation_id", team), text(), field("x", "y")}, "file: must be the only one, and the last part"},
			{"the conversation twice", []part{field("conversation_id", team), field("conversation_id", team), text()}, "conversation_id: stands in the form twice"},
			{"a field that nobody knows", []part{field("gid", team), text()}, `body: has an unknown field "gid"`},
			{"a conversation without end", []part{field("conversation_id", strings.Repeat("x", 1<<20)), text()}, "conversation_id: longer than 1024 bytes"},
		} {
			require.Contains(t, alice.refused(model.InvalidParameter, c.parts...), c.want, c.rule)
		}
		for media, want := range map[string]int{
			"application/json": http.StatusUnsupportedMediaType, "": http.StatusUnsupportedMediaType, "multipart/mixed; boundary=x": http.StatusUnsupportedMediaType,
			"multipart/form-data": http.StatusBadRequest, "multipart/form-data; boundary=x": http.StatusBadRequest,
		} {
			a, err := alice.sendsBody(strings.NewReader("no form"), media)
			require.NoError(t, err)
			require.Equal(t, model.InvalidParameter, a.Code, media)
			require.Equal(t, want, a.Status, media)
		}
		broken, media := form(field("conversation_id", team), text())
		raw, err := io.ReadAll(broken)
		require.NoError(t, err)
		a, err := alice.sendsBody(bytes.NewReader(raw[:len(raw)-10]), media)
		require.NoError(t, err)
		require.Equal(t, model.InvalidParameter, a.Code)
		require.Contains(t, a.Error, "no form to its end")
		a, err = alice.sendsBody(strings.NewReader("--b\r\nX-Long: "+strings.Repeat("x", 1<<20)), "multipart/form-data; boundary=b")
		require.NoError(t, err)
		require.Contains(t, a.Error, "more than 65536 bytes beside the file")
		require.Empty(t, kept(t, w.files), "nothing is left of any")
	})
}

func TestTheLargestFile(t *testing.T) {
	const limit = 100_000
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		exact := alice.upload(team, "exact.bin", strings.Repeat("x", limit))
		require.EqualValues(t, limit, exact.Size)
		require.Len(t, alice.gets(exact.Id), limit)
		for rule, body := range map[string]io.Reader{
			"a byte more, chunked": io.MultiReader(strings.NewReader(strings.Repeat("x", limit+1))),
			"much more, chunked":   io.LimitReader(zeros{}, 5<<20),
		} {
			require.Contains(t, alice.refused(model.TooLarge, field("conversation_id", team), attached("big.bin", body)), "100000 bytes", rule)
		}
		whole, media := form(field("conversation_id", team), attached("big.bin", strings.NewReader(strings.Repeat("x", 5<<20))))
		raw, err := io.ReadAll(whole)
		require.NoError(t, err)
		a, err := alice.sendsBody(bytes.NewReader(raw), media) // with a Content-Length
		require.NoError(t, err)
		require.Equal(t, model.TooLarge, a.Code)
		require.Equal(t, http.StatusRequestEntityTooLarge, a.Status)
		require.Len(t, kept(t, w.files), 1)
	}, func(s *site) { s.node.Files.MaxSize, s.xxd.UploadFileSize = limit, limit })
}

// zeros are bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

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

func TestUploadsThatEndTooSoonLeaveNothing(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		t.Run("the client is gone", func(t *testing.T) {
			gone := errors.New("gone")
			_, err := alice.sends(field("conversation_id", team), attached("a.bin", io.MultiReader(io.LimitReader(zeros{}, 1<<20), iotest.ErrReader(gone))))
			require.ErrorIs(t, err, gone)
			require.Eventually(t, func() bool { return len(kept(t, w.files)) == 0 }, patience, time.Millisecond)
		})
		t.Run("the backend does not record it", func(t *testing.T) {
			w.legacy.SetFaults(xuanxuan.Fault{Method: w.recordsFiles(), Status: 500})
			alice.refused(model.Unreachable, field("conversation_id", team), attached("a.bin", strings.NewReader("x")))
			w.legacy.SetFaults()
			require.Eventually(t, func() bool { return len(kept(t, w.files)) == 0 }, patience, time.Millisecond, "the one before may still be clearing away")
		})
		require.Equal(t, "y", alice.gets(alice.upload(team, "a.bin", "y").Id), "and then all is well")
	})
}

func TestManyUploadsAtOnce(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team := alice.group("team", bob)
		t.Run("of one name are as many files", func(t *testing.T) {
			var all errgroup.Group
			ids := make([]string, 8)
			for i := range ids {
				u := []*user{alice, bob}[i%2]
				all.Go(func() error {
					a, err := u.sends(field("conversation_id", team), attached("a.txt", strings.NewReader(fmt.Sprint("text ", i))))
					if err != nil {
						return err
					}
					f, err := decoded[model.UploadedFile](a)
					ids[i] = f.Id
					return err
				})
			}
			require.NoError(t, all.Wait())
			for i, id := range ids {
				require.Equal(t, fmt.Sprint("text ", i), bob.gets(id))
			}
		})
		t.Run("a user may have four under way", func(t *testing.T) {
			type outcome struct {
				answer
				err error
			}
			outcomes := make(chan outcome)
			out, in := io.Pipe() // nobody's file ends before this does
			for range 5 {
				go func() {
					a, err := alice.sends(field("conversation_id", team), attached("slow.txt", io.MultiReader(strings.NewReader("x"), out)))
					outcomes <- outcome{a, err}
				}()
			}
			refused := <-outcomes
			require.NoError(t, refused.err)
			require.Equal(t, model.TooManyRequests, refused.Code)
			require.Equal(t, http.StatusTooManyRequests, refused.Status)
			bob.upload(team, "b.txt", "another user may")
			require.NoError(t, in.Close())
			for range 4 {
				o := <-outcomes
				require.NoError(t, o.err)
				require.Equal(t, model.OK, o.Code, o.Error)
			}
			alice.upload(team, "a.txt", "and so may she again")
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

func TestPagesOfFiles(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		list := func(body object) model.ConversationFiles {
			body["conversation_id"] = team
			return get[model.ConversationFiles](alice, "/get_conversation_files", body)
		}
		none := list(object{})
		require.Equal(t, model.ConversationFiles{Files: []model.ConversationFile{}}, none)

		var sent []string
		for i := range 5 {
			f := alice.upload(team, fmt.Sprint(i, ".txt"), "x")
			sent = append(sent, get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": f.Type, "content": f.Content}).MsgID)
			alice.fill(team, 60, func(int) time.Time { return time.Now() })
		}
		var found []string
		page, pages := list(object{"limit": 2}), 1
		for ; ; pages++ {
			for _, f := range page.Files {
				found = append(found, f.MsgId)
			}
			if !page.HasMore {
				break
			}
			require.NotEmpty(t, page.Next)
			page = list(object{"limit": 2, "before": page.Next})
		}
		slices.Reverse(found)
		require.Equal(t, sent, found)
		require.Empty(t, page.Next)
		require.Less(t, pages, 8)
		require.Equal(t, sent[0], list(object{"before": sent[1], "limit": 1}).Files[0].MsgId, "a message's id is a place to begin before")

		alice.fails(model.InvalidParameter, "/get_conversation_files", object{"conversation_id": team, "limit": 101})
		alice.fails(model.InvalidParameter, "/get_conversation_files", object{"conversation_id": team, "before": "22222-333E-NVN2-9L4"})
	})
}

func TestWithoutADirectoryThereAreNoFiles(t *testing.T) {
	w := start(t, "xxb", func(s *site) { s.node.Files.Dir = "" })
	alice := w.signIn("alice")
	team := alice.group("team")
	require.Contains(t, alice.refused(model.Unsupported, field("conversation_id", team), attached("a.txt", strings.NewReader("x"))), "files.dir")
}
