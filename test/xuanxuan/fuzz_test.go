package xuanxuan

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// frameSeeds are requests of every kind, as the two wires carry them.
var frameSeeds = []string{
	`{"module":"chat","method":"login","params":["","alice","e10adc3949ba59abbe56e057f20f883e","online"]}`,
	`{"module":"chat","method":"history","params":["g",20,1,0,false,0],"userID":4}`,
	`{"module":"chat","method":"message","params":{"messages":[{"gid":"m","cgid":"g","content":"x","contentType":"text","type":"normal","date":""}]},"userID":4}`,
	`{"module":"chat","method":"create","params":["g","Team","group",[4,5],0,false],"userID":"4"}`,
	`{"module":"chat","method":"addmember","params":["g",[6],true],"userID":4}`, `{"module":"chat","method":"setAdmin","params":["g",[4],true],"userID":1}`,
	`{"module":"chat","method":"userChange","params":[{"status":"busy"}],"userID":4}`, `{"module":"chat","method":"settings","params":["alice",""],"userID":4}`,
	`{"module":"chat","method":"upsertTodo","params":[{"name":"x","date":"2026-12-01"}],"userID":4}`, `{"module":"entry","method":"visit","params":[1],"userID":4}`,
	`{"module":"chat","method":"notify","params":{"offline":[1],"sendfail":{"4":["m"]}}}`, `{"module":"attach","method":"getList","params":{"gid":"g"},"sid":"s"}`,
	`{}`, `[]`, `{"params":"x"}`,
}

// FuzzBackend: whatever is asked of the backend, it answers JSON, or dies as PHP does, which is an answer as well.
func FuzzBackend(f *testing.F) {
	for _, seed := range frameSeeds {
		f.Add([]byte(seed))
	}
	b, err := NewBackend(f.Context(), Options{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, b.Close()) })
	f.Fuzz(func(t *testing.T, text []byte) {
		r := parse(text)
		m, known := methods[r.name()]
		if !known {
			return
		}
		a, err := m(b, t.Context(), r)
		if err != nil {
			require.ErrorIs(t, err, errFatal, "and no error of the database: %s", text)
			return
		}
		if a != nil {
			require.True(t, json.Valid(appendJSON(nil, a.fields)), "%s", text)
		}
	})
}

// FuzzV1Lines is FuzzBackend for the 1.0 server.
func FuzzV1Lines(f *testing.F) {
	for _, seed := range frameSeeds {
		f.Add([]byte(seed))
	}
	b, err := NewBackend(f.Context(), Options{})
	require.NoError(f, err)
	d, err := StartV1(f.Context(), b, V1Options{}, "127.0.0.1:0")
	require.NoError(f, err)
	f.Cleanup(func() {
		require.NoError(f, d.Close())
		require.NoError(f, b.Close())
	})
	sid, err := d.Session(f.Context(), 4)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, line []byte) {
		d.thread.Lock()
		defer d.thread.Unlock()
		r := d.parse(line)
		if r.user == nil {
			r.user, r.sid = d.sessions[sid], sid
		}
		a, err := d.call(t.Context(), r)
		if err != nil {
			require.ErrorIs(t, err, errFatal, "and no error of the database: %s", line)
			return
		}
		require.True(t, json.Valid(appendJSON(nil, a.fields)), "%s", line)
	})
}

// FuzzXXDFrames: what a client sends is read as fields, or ends its connection; what is read can be written.
func FuzzXXDFrames(f *testing.F) {
	key, err := legacy.NewKey(DefaultKey)
	require.NoError(f, err)
	for _, seed := range frameSeeds {
		f.Add(key.Seal([]byte(seed)))
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := key.Open(sealed)
		if err != nil {
			plain = sealed // so that the reader of fields gets to see what no key would let pass
		}
		in, err := toFields(plain)
		if err != nil {
			return
		}
		for _, name := range []string{"module", "method"} {
			_, _ = in.text(name, "")
		}
		written, err := json.Marshal(in)
		require.NoError(t, err)
		require.True(t, json.Valid(written))
	})
}
