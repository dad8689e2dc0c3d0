package adapter

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/folder"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestFilesOfALongChat(t *testing.T) {
	for _, grow := range []int{0, 3} {
		t.Run(fmt.Sprint(grow, " messages come between two calls"), func(t *testing.T) {
			a, s := newScripted(t)
			chat := newStored(t, 2000, func(i int) int64 { return 1795313000 + int64(i) })
			chat.grow = grow
			s.answers["history"] = chat.history
			var want []string
			for _, i := range []int{1999, 1700, 1699, 50, 0} {
				chat.rows[i].Kind, chat.rows[i].Text = "file", fmt.Sprintf(`{"id":%d,"time":1795313000,"name":"%d.txt","send":true}`, i+1, i)
				want = append(want, fmt.Sprint(i, ".txt"))
			}
			var found []string
			empty, before := 0, ""
			for more := true; more; {
				calls := chat.calls
				page, err := a.ConversationFiles(t.Context(), 4, "team", before, 2)
				require.NoError(t, err)
				require.LessOrEqual(t, chat.calls-calls, 6)
				for _, f := range page.Files {
					found = append(found, f.Name)
				}
				if len(page.Files) == 0 {
					empty++
				}
				more, before = page.HasMore, page.Next
				require.Equal(t, more, before != "")
			}
			require.Equal(t, want, found)
			require.NotZero(t, empty, "one request does not look at all of it")
		})
	}
}

func TestUploadsThatLegacyDoesNotTake(t *testing.T) {
	up := func(a *Adapter) error {
		_, err := a.UploadFile(t.Context(), 4, "team", "a.txt", strings.NewReader("x"))
		return err
	}
	t.Run("a file without a number is not kept", func(t *testing.T) {
		_, s := newScripted(t)
		files, err := folder.New(t.TempDir(), "xuanxuan")
		require.NoError(t, err)
		a, err := New(Config{Caller: s, Sink: s.sink, Folder: files})
		require.NoError(t, err)
		for said, want := range map[string]model.Code{
			frame("uploadfile", `"0"`): model.Conflict, frame("uploadfile", `"会话不存在。"`): model.Unreachable, failFrame("uploadfile", "会话不存在。"): model.NotFound,
		} {
			s.answers["uploadFile"] = says(t, said)
			require.Equal(t, want, code(up(a)), said)
		}
	})
	t.Run("what goes wrong on a link is told by its code", func(t *testing.T) {
		for err, want := range map[error]model.Code{
			nil: model.OK, legacy.ErrFileTooLarge: model.TooLarge, legacy.ErrNoSession: model.Unreachable, errors.New("connection reset"): model.Unreachable,
		} {
			require.Equal(t, want, code(fileErrorOf(err)), "%v", err)
		}
	})
}

// fileErrorOf is what becomes of an error of an upload over a link.
func fileErrorOf(err error) error {
	if err == nil {
		return nil
	}
	return fileError("upload file", notTransferred("upload file", err))
}
