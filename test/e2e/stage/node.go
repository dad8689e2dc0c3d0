package stage

import (
	"context"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

// nodeSecret seals the passwords with which a node signs people in to the xxd again after a restart.
const nodeSecret = "stage-secret-key-of-32-characters"

// openNode starts a whole node in mode xxd, that keeps tokens and events in Redis.
func (w *world) openNode() (*house, error) {
	c := node.Default()
	c.Addr, c.Inner.Addr, c.LogTo = "127.0.0.1:0", "", io.Discard
	c.Drain, c.SecretKey = time.Second, nodeSecret // a second is the least there is
	c.Legacy.Mode, c.Legacy.XXD.URL, c.Legacy.Timeout = "xxd", w.xxd.URL(), 10*time.Second
	c.Redis.Addr, c.Redis.Prefix = []string{w.redis}, w.prefix
	if w.options.StreamsPerUser > 0 {
		c.Streams.PerUser = w.options.StreamsPerUser
	}
	ready, ended := make(chan node.Addresses, 1), make(chan error, 1)
	c.Ready = func(at node.Addresses) { ready <- at }
	ctx, stop := context.WithCancel(context.WithoutCancel(w.ctx))
	go func() { ended <- node.Run(ctx, c) }()
	select {
	case at := <-ready:
		return &house{url: "http://" + at.API.String(), close: func() error { stop(); return <-ended }}, nil
	case err := <-ended:
		stop()
		return nil, err
	}
}

// wipe has Redis forget the events, not the tokens.
func (w *world) wipe() error {
	if w.redis == "" {
		return nil
	}
	client := redis.NewClient(&redis.Options{Addr: w.redis})
	defer client.Close()
	keys, err := client.Keys(w.ctx, "{"+w.prefix+":log}*").Result()
	if err != nil {
		return err
	}
	return client.Del(w.ctx, keys...).Err()
}
