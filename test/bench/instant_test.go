package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/claims"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/test/redisd"
)

// instant is a Caller that answers at once: everybody is in the one group "crowd" and in one of his own, and a message is stored by being
// numbered. With it the cost of telling a message is the gateway's alone; what a real call costs is BenchmarkCalls.
type instant struct{ last atomic.Int64 }

func (i *instant) Call(_ context.Context, c legacy.Call) (legacy.Response, error) {
	var data any = []int{}
	switch c.Method {
	case "userGetlist":
		var list []map[string]any
		for n := range people {
			list = append(list, map[string]any{"id": 1000 + n, "account": fmt.Sprint("u", n), "status": "online"})
		}
		data = list
	case "getlist":
		data = []any{
			map[string]any{"gid": "crowd", "type": "group", "name": "crowd", "members": everybody()},
			map[string]any{"gid": fmt.Sprint("alone-", c.User), "type": "group", "name": "alone", "members": []legacy.UserID{c.User}},
		}
	case "userchange", "logout":
		data = map[string]any{"id": c.User, "status": "online"}
	case "message":
		d := c.Params.([]any)[0].([]legacy.DraftRow)[0]
		data = []any{map[string]any{
			"id": i.last.Add(1), "gid": d.GID, "cgid": d.CGID, "user": d.User, "date": time.Now().Unix(),
			"type": d.Type, "contentType": d.ContentType, "content": d.Content,
		}}
	case "checkUserChange":
		data = "no"
	}
	b, err := json.Marshal(data)
	return legacy.Response{Module: c.Module, Method: c.Method, Result: legacy.Success, Data: b}, err
}

func everybody() (ids []int) {
	for n := range people {
		ids = append(ids, 1000+n)
	}
	return ids
}

// runInstant serves a gateway on an instant Caller, alone.
func runInstant(string) (string, func(), error) {
	return serveInstant(eventlog.NewMemory(eventlog.MemoryOptions{}), nil)
}

// runShared serves one as several nodes do that share the Redis at an address.
func runShared(addr string) (string, func(), error) {
	dial := func() redis.UniversalClient { return redisd.NewClient(&redis.UniversalOptions{Addrs: []string{addr}}) }
	events := eventlog.NewRedis(eventlog.RedisOptions{Dial: dial})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- events.Run(ctx) }()
	client := dial()
	url, stop, err := serveInstant(events, claims.NewRedis(client, "bench", "node"))
	return url, func() { stop(); cancel(); <-done; _ = client.Close() }, err
}

func serveInstant(events eventlog.Log, shared adapter.Claims) (string, func(), error) {
	a, err := adapter.New(adapter.Config{Caller: new(instant), Operator: "u0", Claims: shared, Sink: func(ctx context.Context, e adapter.Event) error {
		_, err := events.Append(ctx, e)
		return err
	}})
	if err != nil {
		return "", nil, err
	}
	gate, err := gateway.New(gateway.Config{Legacy: a, Events: events, Logins: login.NewMemory(), InnerKey: innerKey, InnerShared: true})
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- gate.Run(ctx) }()
	s := httptest.NewServer(gate.Public())
	return s.URL, func() { cancel(); <-done; s.CloseClientConnections(); s.Close() }, nil
}
