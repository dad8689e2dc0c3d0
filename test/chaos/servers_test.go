package chaos

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// nextPort is where the search for a free port begins, another place in each process.
var nextPort atomic.Int32

func init() { nextPort.Store(rand.Int32N(10000)) }

func runXXB(ctx context.Context, in instructions, ready func()) error {
	s, err := xuanxuan.Start(ctx, xuanxuan.Options{File: in.Data}, in.Addr)
	if err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	return s.Close()
}

func runXXD(ctx context.Context, in instructions, ready func()) error {
	s, err := xuanxuan.StartXXD(ctx, xuanxuan.XXDOptions{Backend: in.Backend, ChatAddr: in.ChatAddr, TickInterval: time.Second}, in.Addr)
	if err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	return s.Close()
}

func runV1(ctx context.Context, in instructions, ready func()) error {
	s, err := xuanxuan.Start(ctx, xuanxuan.Options{File: in.Data}, in.Addr)
	if err != nil {
		return err
	}
	v, err := xuanxuan.StartV1(ctx, s.Backend, xuanxuan.V1Options{}, in.ChatAddr)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	ready()
	<-ctx.Done()
	return errors.Join(v.Close(), s.Close())
}

const secretKey = "chaos-secret-key-of-32-characters"

func runNode(ctx context.Context, in instructions, ready func()) error {
	c := node.Default()
	c.Limits = node.Limits{TokenBurst: 1, AddressBurst: 1, SignInBurst: 1, AccountBurst: 1, AcceptBurst: 1} // no limits: all clients are one address
	c.Addr, c.Inner.Addr = in.Addr, ""
	c.Drain = 2 * time.Second
	c.SecretKey = secretKey
	c.Redis.Addr = in.Redis
	c.Node.AdvertiseURL = "http://" + in.Addr
	c.Legacy.Mode = in.Mode
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = in.Legacy, xuanxuan.DefaultKey
	c.Legacy.V1.Addr = in.Legacy
	c.Legacy.XXD.URL = cmp.Or(in.Beside, in.Legacy)
	c.Legacy.Inline.Listen = cmp.Or(in.Backend, c.Legacy.Inline.Listen)
	c.Legacy.Timeout, c.Legacy.Poll = 2*time.Second, time.Second
	c.Inner.OperatorPassword = xuanxuan.DemoPassword
	if os.Getenv("XUANGATE_CHAOS_LOG") == "" {
		c.LogTo = discard{}
	}
	c.Ready = func(node.Addresses) { ready() }
	return node.Run(ctx, c)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
