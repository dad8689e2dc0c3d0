package adapter

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// The facade's types of messages that are about a file.
const (
	typeImage = 3
	typeFile  = 4
)

// fileContent is what the desktop client needs to show and open a file, and our id, which proves to checkFile that the sender
// may read it.
type fileContent struct {
	ID   int64        `json:"id"`
	Time int64        `json:"time"`
	Name string       `json:"name"`
	Size int64        `json:"size"`
	Type string       `json:"type"`
	Send bool         `json:"send"`
	Own  model.FileId `json:"xuangate"`
}

func (c fileContent) String() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(c) // strings, ints and a bool always do
	return string(bytes.TrimRight(b.Bytes(), "\n"))
}

// fileOf is the file that a message is about; ok is false where it names none, as while a desktop client still uploads.
func (a *Adapter) fileOf(chat legacy.ChatGID, t model.MsgType, content string) (_ model.File, ok bool) {
	if t != typeImage && t != typeFile {
		return model.File{}, false
	}
	var c legacy.FileContent
	if json.Unmarshal([]byte(content), &c) != nil {
		return model.File{}, false
	}
	f, ok := c.Names()
	if !ok {
		return model.File{}, false
	}
	return a.fileRef(chat, f, int64(c.Size)), true
}

func (a *Adapter) fileRef(chat legacy.ChatGID, f legacy.File, size int64) model.File {
	id := a.fileKey.format(chat, f)
	return model.File{Id: id, Name: f.Name, Size: max(size, 0), Time: f.Time * 1e6, Url: "/files/" + id}
}

// checkFile refuses a message about a file that its sender may not read. The server gives any file to whoever knows its
// number, time and name, and we give it to the members of the chat whose message names it: so without this, guessing the
// three would be enough.
func (a *Adapter) checkFile(ctx context.Context, op string, u legacy.UserID, r model.SendMsgRequest) error {
	if r.Type != typeImage && r.Type != typeFile {
		return nil
	}
	var c struct {
		legacy.FileContent
		Own legacy.Text `json:"xuangate"`
	}
	if json.Unmarshal([]byte(r.Content), &c) != nil || c.ID <= 0 {
		return nil // about no file of the server's
	}
	named, _ := c.Names() // whatever else it lacks: older servers find a file by its number alone
	chat, own, ok := a.fileKey.parse(string(c.Own))
	if ok && own == named {
		if _, err := a.member(ctx, op, u, string(chat)); err == nil || code(err) != model.NotFound {
			return err
		}
	}
	return refuse(op, model.NotAllowed, "content: names a file without proof that you may read it; "+
		"send the Content that /upload_file answered, or put the file's Id into its field xuangate")
}
