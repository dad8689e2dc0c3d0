package node_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
)

func TestAuditFile(t *testing.T) {
	s, file := backend(t), filepath.Join(t.TempDir(), "audit.log")
	log := &logBook{}
	c := before(s)
	c.LogTo, c.Log.AuditFile, c.Log.Format, c.Log.Level = log, file, "json", slog.LevelError
	records := func() (events []string) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			var rec struct {
				Msg, Event, Account string
				Audit               bool
			}
			require.NoError(t, json.Unmarshal([]byte(line), &rec), line)
			require.Equal(t, "audit", rec.Msg)
			require.True(t, rec.Audit)
			events = append(events, strings.TrimSpace(rec.Event+" "+rec.Account))
		}
		return events
	}

	n := run(t, c)
	token := n.signIn(t, "alice")
	n.stop(t)
	require.Equal(t, []string{"token_issued", "sign_in alice"}, records())
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Empty(t, log.String(), "the log is as quiet as it was set, and has none of it")

	n = run(t, c) // a later start goes on where the one before was
	post(t, n.api+"/login", http.Header{}, model.LoginRequest{Account: "bob", Password: "not this"})
	n.stop(t)
	require.Equal(t, []string{"token_issued", "sign_in alice", "sign_in bob"}, records())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, secret := range []string{token, "not this"} {
		require.NotContains(t, string(text), secret)
	}

	for name, unfit := range map[string]string{"a folder": t.TempDir(), "in a folder that is not there": filepath.Join(t.TempDir(), "nowhere", "audit.log")} {
		t.Run("what cannot be written, "+name+", is told at the start and before", func(t *testing.T) {
			c := before(s)
			c.Log.AuditFile = unfit
			c.Ready = func(node.Addresses) { t.Error("it must not serve") }
			require.ErrorContains(t, node.Run(t.Context(), c), "log.audit_file: open "+unfit+": ")
			found := node.Check(t.Context(), c)
			require.True(t, found[0].Fault)
			require.Contains(t, found[0].Text, "log.audit_file: ")
		})
	}
	t.Run("trying the settings writes no file", func(t *testing.T) {
		c := before(s)
		c.Log.AuditFile = filepath.Join(t.TempDir(), "audit.log")
		for _, f := range node.Check(t.Context(), c) {
			require.False(t, f.Fault, f.Text)
		}
		require.NoFileExists(t, c.Log.AuditFile)
	})
}
