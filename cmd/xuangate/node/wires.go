package node

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/api"
	"github.com/xuangate/xuangate/adapter/folder"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/gen/model"
)

// folder opens the directory of files, if this mode has one, and clears away what a crash has left there.
func (c Config) folder(log *slog.Logger) (*folder.Folder, error) {
	if c.Legacy.Mode != "xxb" || c.Files.Dir == "" {
		return nil, nil
	}
	files, err := folder.New(c.Files.Dir, c.Files.ServerName)
	if err != nil {
		return nil, fmt.Errorf("files.dir: %w", err)
	}
	if err := files.Sweep(); err != nil {
		log.Warn("could not clear away unfinished uploads", "dir", c.Files.Dir, "error", err)
	}
	return files, nil
}

// adapter makes the translation for the configured mode, and what gives its idle connections up.
func (c Config) adapter(a adapter.Config) (translation *adapter.Adapter, closeIdle func(), err error) {
	if a.Timezone, err = time.LoadLocation(c.Legacy.Timezone); err != nil {
		return nil, nil, fmt.Errorf("legacy.timezone: %w", err)
	}
	if c.Legacy.Emoji == "raw" {
		a.Emoji = adapter.Raw
	}
	a.Calls = c.Inner.Calls
	a.Operator, a.MaxContent, a.Timeout, a.Poll = c.Inner.Operator, c.Legacy.MaxContent, c.Legacy.Timeout, c.Legacy.Poll
	a.MaxCalls, a.SignIns = c.Legacy.MaxCalls, c.Legacy.SignIns
	a.SecretKey, a.MaxFile = string(c.SecretKey), c.Files.MaxSize
	switch c.Legacy.Mode {
	case "inline": // Caller is made already; it needs what is made of this
		closeIdle = func() {}
	case "xxd":
		closeIdle, err = c.xxd(&a)
	case "v1":
		closeIdle, err = c.v1(&a)
	default:
		closeIdle, err = c.backend(&a)
	}
	if err != nil {
		return nil, nil, err
	}
	if c.Legacy.API.URL != "" {
		apps, err := c.Legacy.API.client()
		if err != nil {
			return nil, nil, fmt.Errorf("legacy.api.url: %w", err)
		}
		a.Apps = apps
		wire := closeIdle
		closeIdle = func() { wire(); apps.Close() }
	}
	translation, err = adapter.New(a)
	return translation, closeIdle, err
}

func (a API) client() (*api.Client, error) {
	return api.New(api.Config{URL: a.URL, Code: a.Code, Token: string(a.Token)})
}

// backend has the adapter ask an xxb.
func (c Config) backend(a *adapter.Config) (closeIdle func(), err error) {
	key, err := legacy.NewKey(string(c.Legacy.XXB.Key))
	if err != nil {
		return nil, fmt.Errorf("legacy.xxb.key: %w", err)
	}
	client := xxb.New(xxb.Config{URL: c.Legacy.XXB.URL, Key: key})
	a.Caller = client
	return client.Close, nil
}

// dialer is a wire's way to sign a user in, as the adapter takes it: what has failed is no connection, not a nil one in an interface.
func dialer[C adapter.Upstream](dial func(ctx context.Context, account, password string) (C, legacy.Welcome, error)) func(context.Context, string, string) (adapter.Upstream, legacy.Welcome, error) {
	return func(ctx context.Context, account, password string) (adapter.Upstream, legacy.Welcome, error) {
		conn, welcome, err := dial(ctx, account, password)
		if err != nil {
			return nil, welcome, err
		}
		return conn, welcome, nil
	}
}

// xxd has the adapter sign users in to an xxd.
func (c Config) xxd(a *adapter.Config) (closeIdle func(), err error) {
	server, err := xxd.New(c.Legacy.XXD.server())
	if err != nil {
		return nil, fmt.Errorf("legacy.xxd: %w", err)
	}
	a.Upstreams = &adapter.Upstreams{
		Dial:   dialer(server.Dial),
		Verify: server.Verify,
		Probe:  server.Probe,
		Mode:   model.ModeXxd, MaxFrame: legacy.MaxFrame,
	}
	c.signIns(a, c.Legacy.XXD.LinkIdle, c.Legacy.XXD.OnKickoff)
	return server.Close, nil
}

// v1 has the adapter sign users in to a 1.0 server.
func (c Config) v1(a *adapter.Config) (closeIdle func(), err error) {
	server, err := v1.New(c.oldServer())
	if err != nil {
		return nil, fmt.Errorf("legacy.v1: %w", err)
	}
	a.Upstreams = &adapter.Upstreams{
		Dial:     dialer(server.Dial),
		Verify:   server.Verify,
		Probe:    server.Probe,
		Mode:     model.ModeV1,
		Lacks:    server.Lacks(),
		AskUsers: true, // it tells of no user who was made, or is gone without a word
	}
	c.signIns(a, c.Legacy.V1.LinkIdle, c.Legacy.V1.OnKickoff)
	return server.Close, nil
}

func (c Config) oldServer() v1.Config {
	return v1.Config{Addr: c.Legacy.V1.Addr, FilesURL: c.Legacy.V1.FilesURL, MaxFile: c.Files.MaxSize}
}

// signIns is what the modes have in common in which each user is signed in.
func (c Config) signIns(a *adapter.Config, idle time.Duration, onKickoff string) {
	a.LinkIdle, a.Reclaim = idle, onKickoff == "reclaim"
	if c.Inner.OperatorPassword != "" {
		sum := md5.Sum([]byte(c.Inner.OperatorPassword)) // what legacy keeps and compares
		a.OperatorPassword = hex.EncodeToString(sum[:])
	}
}
