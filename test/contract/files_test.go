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
