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
