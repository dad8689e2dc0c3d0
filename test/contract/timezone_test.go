package contract

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

// A logBook is a log that may be read while it is written.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestATimezoneThatIsNotTheServersIsToldInTheLog(t *testing.T) {
	for name, right := range map[string]bool{"Asia/Shanghai": true, "America/New_York": false} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for _, mode := range []string{"xxb", "xxd"} {
			t.Run(name+" in mode "+mode, func(t *testing.T) {
				t.Parallel()
				log := &logBook{}
				w := start(t, mode, func(s *site) { s.legacy.Timezone, s.node.LogTo = zone, log })
				alice := w.signIn("alice")
				team := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "team", "members": []string{"5"}}).ConversationId
				alice.say(team, "waits")
				bob := w.signIn("bob")
				bob.until("", count(model.EventKindMessage, 1))
				const told = "legacy.timezone is not the chat server's"
				if right {
					require.NotContains(t, log.String(), told)
					return
				}
				require.Contains(t, log.String(), told)
				require.Contains(t, log.String(), "ahead=-1")
			})
		}
	}
}
