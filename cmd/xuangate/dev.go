package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

const devInnerKey = "dev-inner-key"

// dev is the newcomer's command: a node in front of the reference chat server, both in this process.
type dev struct {
	Addr string `default:"127.0.0.1:8080" help:"Where the API listens, HOST:PORT."`
	Mode string `default:"xxb" help:"How the gateway stands beside the chat server: xxb."`
	Data string `placeholder:"DIR" type:"path" help:"Keep the chat server's data in this folder. Without it they end with the command."`
}

// Run serves until ctx ends. What a person needs next is printed as soon as the node listens.
func (d *dev) Run(ctx context.Context, to output) (err error) {
	file := ""
	if d.Data != "" {
		file = filepath.Join(d.Data, "xuanxuan.db")
		if err := os.MkdirAll(d.Data, 0o700); err != nil {
			return fmt.Errorf("--data: %w", err)
		}
	}
	server, err := xuanxuan.Start(ctx, xuanxuan.Options{File: file}, "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the reference chat server: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	ready := make(chan node.Addresses, 1)
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return node.Run(ctx, d.settings(server.URL(), to.err, ready)) })
	parts.Go(func() error {
		select {
		case at := <-ready:
			err := welcome(ctx, at, to.out)
			if ctx.Err() != nil { // ended before it was up
				return nil
			}
			return err
		case <-ctx.Done():
			return nil
		}
	})
	return parts.Wait()
}

func (d *dev) settings(backend string, log io.Writer, ready chan<- node.Addresses) node.Config {
	c := node.Default()
	c.Dev = true
	c.Addr = d.Addr
	c.Inner.Key = devInnerKey
	c.Legacy.Mode = d.Mode
	c.Legacy.XXB = node.XXB{URL: backend, Key: xuanxuan.DefaultKey, OwnPresence: true}
	c.LogTo = log
	c.Ready = func(at node.Addresses) { ready <- at }
	return c
}
