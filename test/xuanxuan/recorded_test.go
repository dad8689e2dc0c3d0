package xuanxuan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// recordedFrom is the first second of the recordings. A date from then on is "now"; any older one was set by a client
// or corrupted by the server, and must match.
const (
	recordedFrom = 1795312000
	recordedOn   = "2026-11-22" // the same as a day of the server's
)

// recordedExtensions are the applications of the recorded installation.
var recordedExtensions = []Extension{
	{ID: 1, Code: "demoext", Name: "Demo Ext", Abbr: "DE", Login: "https://example.com/x", Package: 12, Logo: "theme/default/images/x.png", SSO: true},
	{ID: 2, Code: "plain", Name: "Plain", Abbr: "PL", Login: "../crm/index.php"},
}

// recordings are the files in testdata/frames with what was particular to the installation while each was made.
var recordings = []struct {
	name   string
	eve    bool   // an eighth user existed
	email  string // of alice, who had changed it meanwhile
	before map[int]func(*testing.T, *Backend)
}{
	{name: "01_login_sequence"},
	{name: "02_login_wrong_password"},
	{name: "03_lists"},
	{name: "04_create"},
	{name: "05_message"},
	{name: "07_history", eve: true},
	{name: "08_group_ops", eve: true},
	{name: "11_kickoff_second_login", email: "a2@example.com"},
	{name: "12_abrupt_disconnect_offline", email: "a2@example.com"},
	{name: "13_errors", eve: true},
	{name: "15_upload_download", email: "a2@example.com"},
	{name: "17_notify_and_60s_ticks", email: "a2@example.com", before: map[int]func(*testing.T, *Backend){12: leaveRecordedNotices}},
}

// leaveRecordedNotices does what another application did while 17 was recorded. It wrote its own JSON into the row,
// with blanks and raw slashes, and its own clock's time.
func leaveRecordedNotices(t *testing.T, b *Backend) {
	for _, n := range []struct{ gid, title, target string }{
		{"f32acf37-733c-4f57-b607-bfb33dfec8e4", "T1", "[4, 7]"},
		{"ed4d6f6c-0333-4da7-91dc-0dc83b3192ae", "T2", "[4]"},
	} {
		ids := []int64{}
		require.NoError(t, json.Unmarshal([]byte(n.target), &ids))
		require.NoError(t, b.AddNotice(t.Context(), Notice{
			GID: n.gid, Users: ids, Title: n.title, Subtitle: "sub", Content: "hello", URL: "http://x/y",
			Actions:  []NoticeAction{{Label: "Open", URL: "http://x/z", Type: "primary"}},
			SenderID: "todo", SenderName: "Todo", Date: time.Unix(1795284504, 0),
		}))
		data := `{"title": "` + n.title + `", "subtitle": "sub", "url": "http://x/y", ` +
			`"actions": [{"label": "Open", "url": "http://x/z", "type": "primary"}], ` +
			`"sender": {"id": "todo", "name": "Todo"}, "target": ` + n.target + `}`
		_, err := b.store.exec(t.Context(), `UPDATE im_message SET data = ? WHERE gid = ?`, data, n.gid)
		require.NoError(t, err)
	}
}

// A recordedFrame is one line of a recording.
type recordedFrame struct {
	Dir     string            `json:"dir"`
	N       int               `json:"n"`
	MS      float64           `json:"ms"`
	Status  int               `json:"status"`
	Bytes   int               `json:"bytes"`
	Headers map[string]string `json:"headers"`
	Frame   json.RawMessage   `json:"frame"`
}

// A recordedCall is a request of xxd with the answer of the real xxb.
type recordedCall struct{ request, answer recordedFrame }

// TestRecorded feeds every recorded request to a fresh server and compares each answer with the recorded one: HTTP
// status, and the text of the JSON byte for byte (key order, types, escapes, values), but for what the server makes
// up: the time, the system chat's gid and session numbers.
func TestRecorded(t *testing.T) {
	for _, rec := range recordings {
		t.Run(rec.name, func(t *testing.T) {
			users := DemoUsers()
			if rec.eve {
				users = append(users, Eve())
			}
			if rec.email != "" {
				users[3].Email = rec.email
			}
			now := time.Unix(recordedFrom, 0)
			b := newBackend(t, Options{Users: users, Extensions: recordedExtensions, Now: func() time.Time {
				now = now.Add(time.Second)
				return now
			}})
			calls := readRecording(t, rec.name)
			chats := gidsOfSystemChat(t, b, calls)
			for i, c := range calls {
				if before := rec.before[c.request.N]; before != nil {
					before(t, b)
				}
				w := httptest.NewRecorder()
				b.ServeHTTP(w, replayed(b, c.request))
				require.Equal(t, c.answer.Status, w.Code, "status of answer %d", c.request.N)
				want := normalize(recordedText(c.answer), chats[0])
				got := normalize(openAnswer(t, b, w.Body.Bytes()), chats[1])
				if overlapsLogout(calls, i) {
					want, got = withoutUsers(want), withoutUsers(got)
				} else {
					require.Equal(t, c.answer.Bytes, w.Body.Len(), "size of answer %d: %s", c.request.N, got)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("answer %d to %s\nrecorded %s\n     got %s", c.request.N, c.request.Frame, want, got)
				}
			}
		})
	}
}

func readRecording(t *testing.T, name string) []*recordedCall {
	f, err := os.Open(filepath.Join("testdata", "frames", name+".xxb.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	var calls []*recordedCall
	byNumber := map[int]*recordedCall{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recordedFrame
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		if r.Dir == "xxd->xxb" {
			byNumber[r.N] = &recordedCall{request: r}
			calls = append(calls, byNumber[r.N])
		} else {
			byNumber[r.N].answer = r
		}
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, calls)
	return calls
}

// gidsOfSystemChat returns the system chat's gid in the recording and in the server at hand.
func gidsOfSystemChat(t *testing.T, b *Backend, calls []*recordedCall) [2]string {
	ours, err := b.SystemChat(t.Context())
	require.NoError(t, err)
	for _, c := range calls {
		var list struct {
			Method string
			Data   []struct{ GID, Type string }
		}
		if json.Unmarshal(c.answer.Frame, &list) == nil && list.Method == "getlist" && len(list.Data) > 0 && list.Data[0].Type == "system" {
			return [2]string{list.Data[0].GID, ours}
		}
	}
	t.Fatal("no getlist in the recording")
	return [2]string{}
}

func replayed(b *Backend, r recordedFrame) *http.Request {
	req := httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(b.key.Seal(r.Frame)))
	req.Host = "127.0.0.1:8082"
	for name, v := range r.Headers {
		req.Header.Set(name, v)
	}
	return req
}

// recordedText is the JSON of a recorded answer; an empty body was recorded as one that cannot be decrypted.
func recordedText(r recordedFrame) string {
	if bytes.Contains(r.Frame, []byte("undecryptable")) {
		return ""
	}
	return string(r.Frame)
}

func openAnswer(t *testing.T, b *Backend, sealed []byte) string {
	if len(sealed) == 0 {
		return ""
	}
	plain, err := b.key.Open(sealed)
	require.NoError(t, err)
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, plain) // as the recorder did
	return escaped.String()
}

var (
	unixDates  = regexp.MustCompile(`"(signed|date|createdDate|editedDate|lastActiveTime|dismissDate)":(\d{10})\b`)
	localDates = regexp.MustCompile(`"date":"(\d{4}-\d\d-\d\d) \d\d:\d\d:\d\d"`)
	sessions   = regexp.MustCompile(`rid=[0-9a-f]{32}`)
	recipients = regexp.MustCompile(`"users":\[[^]]*\]`)
)

// normalize replaces what the server makes up.
func normalize(text, systemChat string) string {
	text = strings.ReplaceAll(text, systemChat, "SYSTEM")
	text = sessions.ReplaceAllString(text, "rid=SESSION")
	text = localDates.ReplaceAllStringFunc(text, func(s string) string {
		if localDates.FindStringSubmatch(s)[1] < recordedOn {
			return s
		}
		return `"date":"NOW"`
	})
	return unixDates.ReplaceAllStringFunc(text, func(s string) string {
		m := unixDates.FindStringSubmatch(s)
		if n, err := strconv.Atoi(m[2]); err != nil || n < recordedFrom {
			return s
		}
		return `"` + m[1] + `":NOW`
	})
}

// overlapsLogout tells whether a logout ran at the same time as another one. Who still counts as online is then a
// matter of chance, in the recording as well.
func overlapsLogout(calls []*recordedCall, i int) bool {
	if !isLogout(calls[i]) {
		return false
	}
	for j, c := range calls {
		if j != i && isLogout(c) && c.request.MS < calls[i].answer.MS && calls[i].request.MS < c.answer.MS {
			return true
		}
	}
	return false
}

func isLogout(c *recordedCall) bool {
	var r struct{ Method string }
	return json.Unmarshal(c.request.Frame, &r) == nil && r.Method == "logout"
}

func withoutUsers(text string) string { return recipients.ReplaceAllString(text, `"users":[]`) }

// newBackend makes a server that ends with the test.
func newBackend(t testing.TB, o Options) *Backend {
	b, err := NewBackend(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}
