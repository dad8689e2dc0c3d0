package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestCheckTellsTheTimezoneOfTheChatServer(t *testing.T) {
	for zone, set := range map[string]string{"Asia/Shanghai": "", "Asia/Tokyo": "set Asia/Tokyo", "UTC": "set UTC", "Asia/Kathmandu": "mean time of old was 5h41m16s ahead"} {
		t.Run(zone, func(t *testing.T) {
			at, err := time.LoadLocation(zone)
			require.NoError(t, err)
			s, err := xuanxuan.Start(t.Context(), xuanxuan.Options{Timezone: at}, "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			found := func() (list []node.Finding) {
				for _, f := range node.Check(t.Context(), before(s)) {
					if strings.HasPrefix(f.Text, "legacy.timezone: ") {
						list = append(list, f)
					}
				}
				return list
			}
			require.Len(t, found(), 1)
			require.False(t, found()[0].Fault)
			require.Contains(t, found()[0].Text, "nothing that the chat server told shows its own")

			key, err := legacy.NewKey(xuanxuan.DefaultKey)
			require.NoError(t, err)
			desktop := xxb.New(xxb.Config{URL: s.URL(), Key: key})
			defer desktop.Close()
			for _, call := range []legacy.Call{legacy.Chat(4, "create", "team", "Team", "group", []int{4}, 0, true), legacy.Chat(4, "changename", "team", "Renamed")} {
				_, err := desktop.Call(t.Context(), call)
				require.NoError(t, err)
			}
			require.Len(t, found(), 1)
			require.Equal(t, set != "", found()[0].Fault, found()[0].Text)
			if set == "" {
				require.Contains(t, found()[0].Text, "writes its dates in Asia/Shanghai")
			}
			require.Contains(t, found()[0].Text, set)
		})
	}
	t.Run("dates ahead of the clock", func(t *testing.T) {
		s, err := xuanxuan.Start(t.Context(), xuanxuan.Options{Now: func() time.Time { return time.Now().Add(8 * time.Hour) }}, "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		var texts []string
		for _, f := range node.Check(t.Context(), before(s)) {
			texts = append(texts, f.Text)
		}
		require.Contains(t, strings.Join(texts, "\n"), "the chat server has dates that are 8h0m0s ahead of our clock")
	})
}
