package xuanxuan

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
)

// A tappedBackend notes what xxd asks it.
type tappedBackend struct {
	backend *Backend

	mu    sync.Mutex
	calls []recordedFrame
}

func (b *tappedBackend) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	sealed, err := io.ReadAll(req.Body)
	if err != nil {
		panic(err)
	}
	plain, err := b.backend.key.Open(sealed)
	if err != nil {
		panic(err)
	}
	c := recordedFrame{Frame: plain, Bytes: len(sealed), Headers: map[string]string{}}
	for name, v := range req.Header {
		if name == "Xxd-Version" {
			name = "xxd-version" // as xxd writes it; HTTP does not tell
		}
		if name != "Accept-Encoding" && name != "Content-Length" {
			c.Headers[name] = strings.Join(v, ",")
		}
	}
	b.mu.Lock()
	b.calls = append(b.calls, c)
	b.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(sealed))
	b.backend.ServeHTTP(w, req)
}

func (b *tappedBackend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls)
}

// compareCalls compares what xxd asked xxb. Logouts at the end went over several connections at once. inOrder is false
// where others did too.
func (r *replay) compareCalls(inOrder bool) {
	r.wire.mu.Lock()
	calls := r.wire.calls[1:] // after serverStart, which the recordings begin behind
	r.wire.mu.Unlock()
	text := func(f recordedFrame) string {
		if !bytes.Contains(f.Frame, []byte(`"client":`)) {
			f.Bytes = 0 // xxd's own calls have blanks here and there, which the recorder dropped
		}
		return fmt.Sprint(f.Bytes, f.Headers, ports.ReplaceAllString(r.canonical(f.Frame), `"Port":PORT`))
	}
	var want, got []string
	for _, c := range r.calls {
		want = append(want, text(c.request))
	}
	for _, c := range calls {
		got = append(got, text(c))
	}
	aside := func(call string) bool { return strings.Contains(call, `"checkUserChange"`) } // behind another call or before it
	require.Equal(r.t, slices.IndexFunc(want, aside) < 0, slices.IndexFunc(got, aside) < 0)
	want, got = slices.DeleteFunc(want, aside), slices.DeleteFunc(got, aside)
	for _, list := range [][]string{want, got} {
		end := len(list)
		for inOrder && end > 0 && strings.Contains(list[end-1], `"logout"`) {
			end--
		}
		if !inOrder {
			end = 0
		}
		slices.Sort(list[end:])
	}
	require.Equal(r.t, strings.Join(want, "\n"), strings.Join(got, "\n"))
}
