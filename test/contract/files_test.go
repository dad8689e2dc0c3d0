package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// A part is one field of a form; with a name it is a file.
type part struct {
	field, name string
	body        io.Reader
}

func field(name, value string) part { return part{field: name, body: strings.NewReader(value)} }

func attached(name string, body io.Reader) part { return part{"file", name, body} }

// form writes parts as they are read, and its end.
func form(parts ...part) (body io.Reader, media string) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	var all []io.Reader
	for _, p := range parts {
		disposition := fmt.Sprintf(`form-data; name=%q`, p.field)
		if p.name != "" {
			disposition += `; filename="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.name) + `"`
		}
		_, _ = w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {disposition}})
		all = append(all, strings.NewReader(head.String()), p.body)
		head.Reset()
	}
	_ = w.Close()
	return io.MultiReader(append(all, strings.NewReader(head.String()))...), w.FormDataContentType()
}

// sends posts a form to /upload_file. It may be used from any goroutine.
func (u *user) sends(parts ...part) (a answer, err error) {
	body, media := form(parts...)
	return u.sendsBody(body, media)
}

func (u *user) sendsBody(body io.Reader, media string) (a answer, err error) {
	req, err := http.NewRequestWithContext(u.w.t.Context(), http.MethodPost, u.w.url+"/upload_file", body)
	if err != nil {
		return a, err
	}
	req.Header = http.Header{"Authorization": {"Bearer " + u.token}, "Content-Type": {media}}
	res, err := u.w.http.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	a.Status = res.StatusCode
	return a, json.NewDecoder(res.Body).Decode(&a)
}

// upload uploads a text, which must work.
func (u *user) upload(conversation, name, text string) model.UploadedFile {
	u.w.t.Helper()
	a, err := u.sends(field("conversation_id", conversation), attached(name, strings.NewReader(text)))
	require.NoError(u.w.t, err)
	f, err := decoded[model.UploadedFile](a)
	require.NoError(u.w.t, err)
	return f
}

// refused uploads what must not work.
func (u *user) refused(want model.Code, parts ...part) string {
	u.w.t.Helper()
	a, err := u.sends(parts...)
	require.NoError(u.w.t, err)
	require.Equal(u.w.t, want, a.Code, a.Error)
	return a.Error
}

// download asks for a file and reads all of the answer.
func (u *user) download(method, id string, head ...string) (*http.Response, string) {
	u.w.t.Helper()
	req, err := http.NewRequestWithContext(u.w.t.Context(), method, u.w.url+"/files/"+id, nil)
	require.NoError(u.w.t, err)
	req.Header.Set("Authorization", "Bearer "+u.token)
	for i := 0; i < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	res, err := u.w.http.Do(req)
	require.NoError(u.w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(u.w.t, err)
	return res, string(text)
}

// gets downloads a file, which must work.
func (u *user) gets(id string) string {
	u.w.t.Helper()
	res, text := u.download(http.MethodGet, id)
	require.Equal(u.w.t, http.StatusOK, res.StatusCode, text)
	return text
}

// getsNot asks for a file that must be refused.
func (u *user) getsNot(want model.Code, id string) {
	u.w.t.Helper()
	res, text := u.download(http.MethodGet, id)
	var a answer
	require.NoError(u.w.t, json.Unmarshal([]byte(text), &a), text)
	require.Equal(u.w.t, want, a.Code, a.Error)
	require.NotEqual(u.w.t, http.StatusOK, res.StatusCode)
}

// kept are the files in a directory and below, by path.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			list = append(list, strings.TrimPrefix(name, dir+"/"))
		}
		return err
	}))
	return list
}

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
