package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// besides is the xxd of mode inline, whose backend the node is: it cannot start before the node, which must know beforehand
// where it will be. Its methods do nothing without one.
type besides struct {
	files    string
	listener net.Listener
	xxd      *xuanxuan.XXD
}

// newBesides finds a place for the xxd and tells it to the node's settings.
func newBesides(ctx context.Context, c *node.Config, files string) (*besides, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port for the reference xxd: %w", err)
	}
	c.Legacy.XXD.URL, c.Legacy.XXD.Insecure = "https://"+l.Addr().String(), true // it will make its certificate itself
	c.Legacy.Inline.Listen = "127.0.0.1:0"
	return &besides{files: files, listener: l}, nil
}

func (b *besides) start(ctx context.Context, at node.Addresses) (err error) {
	if b == nil {
		return nil
	}
	b.xxd, err = xuanxuan.StartXXD(ctx, xuanxuan.XXDOptions{
		Backend: reachable(at.Backend) + xuanxuan.Path, TLS: true, UploadDir: b.files, Listener: b.listener,
	}, "")
	if err != nil {
		return fmt.Errorf("start the reference xxd: %w", err)
	}
	return nil
}

func (b *besides) desktop() string {
	if b == nil {
		return ""
	}
	return b.xxd.URL()
}

func (b *besides) close() error {
	if b.xxd != nil {
		return b.xxd.Close()
	}
	if err := b.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
