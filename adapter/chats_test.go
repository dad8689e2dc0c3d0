package adapter

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

func TestChats(t *testing.T) {
	team := func(members ...legacy.UserID) legacy.ChatRow {
		return legacy.ChatRow{GID: "team", Type: legacy.TypeGroup, Members: members}
	}
	list := func(members ...legacy.UserID) []legacy.ChatRow { return []legacy.ChatRow{team(members...)} }
	cached := func(c *chats) legacy.Users {
		row, _ := c.get("team")
		return row.Members
	}

	t.Run("a list that was asked for before another one's news does not take it back", func(t *testing.T) {
		c := newChats()
		c.put(team(4, 5))
		early, late := c.moment(), c.moment()
		c.store(late, list(4)) // 5 has just left
		c.put(team(4))
		c.store(early, list(4, 5))
		require.Equal(t, legacy.Users{4}, cached(c))
	})

	t.Run("a change that a list tells first is a version of its own, with those who are gone", func(t *testing.T) {
		c := newChats()
		first, _ := c.put(team(4, 5))
		c.store(c.moment(), list(4))
		version, gone := c.put(team(4))
		require.NotEqual(t, first, version)
		require.Equal(t, []legacy.UserID{5}, gone)
	})

	t.Run("the same change is the same version, whatever lists come in between", func(t *testing.T) {
		c := newChats()
		first, _ := c.put(team(4, 5))
		c.put(legacy.ChatRow{GID: "other"})
		c.store(c.moment(), list(5, 4))
		version, _, sure := c.hear(team(4, 5))
		require.True(t, sure)
		require.Equal(t, first, version)
	})

	t.Run("an older state told late is not believed", func(t *testing.T) {
		c := newChats()
		c.put(team(4, 5))
		c.put(team(4))
		_, _, sure := c.hear(team(4, 5))
		require.False(t, sure)
		require.Equal(t, legacy.Users{4}, cached(c))
	})
}

func TestWhatIsRememberedOfChatsIsBounded(t *testing.T) {
	c := newChats()
	for i := range maxChats + 10 {
		gid := legacy.ChatGID(fmt.Sprint(i))
		c.mark(gid, 1)
		c.putLast(gid, legacy.MessageRow{ID: 1}, stamp{active: 1})
		c.store(c.moment(), []legacy.ChatRow{{GID: legacy.Text(gid)}})
	}
	require.Len(t, c.told, 10)
	require.Len(t, c.last, 9)
	require.Len(t, c.rows, 10)
	require.EqualValues(t, 1, c.marked(legacy.ChatGID(fmt.Sprint(maxChats+9))))
	c.mark("0", 1)
	c.mark("0", 3)
	c.mark("0", 2)
	require.EqualValues(t, 3, c.marked("0"))
}
