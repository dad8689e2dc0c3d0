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

const (
	devInnerKey = "dev-inner-key"
	devAppCode  = "xuangate"
	devAppToken = "dev-app-token"
)

// dev is the newcomer's command: a node in front of the reference chat server, both in this process.
type dev struct {
	Addr string `default:"127.0.0.1:8080" help:"Where the API listens, HOST:PORT."`
	Mode string `default:"xxb" enum:"xxb,xxd,v1" help:"How the gateway stands beside the chat server: xxb, xxd or v1."`
	Data string `placeholder:"DIR" type:"path" help:"Keep the chat server's data and uploaded files in this folder. Without it they end with the command."`
}

// Run serves until ctx ends. What a person needs next is printed as soon as the node listens.
func (d *dev) Run(ctx context.Context, to output) (err error) {
	file, files := "", filepath.Join(d.Data, "files")
	if d.Data != "" {
		file = filepath.Join(d.Data, "xuanxuan.db")
		if err := os.MkdirAll(files, 0o700); err != nil {
			return fmt.Errorf("--data: %w", err)
		}
	} else {
		if files, err = os.MkdirTemp("", "xuangate-files-"); err != nil {
			return fmt.Errorf("make a folder for files: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(files)) }()
	}
	server, err := xuanxuan.Start(ctx, xuanxuan.Options{File: file, AppCode: devAppCode, AppToken: devAppToken}, "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the reference chat server: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	settings := d.settings(to.err)
	settings.Files.Dir = files
	settings.Legacy.XXB = node.XXB{URL: server.URL(), Key: xuanxuan.DefaultKey, OwnPresence: true}
	if d.Mode != "v1" {
		settings.Legacy.API = node.API{URL: server.APIURL(), Code: devAppCode, Token: devAppToken}
	}
	settings.Inner.OperatorPassword = xuanxuan.DemoPassword
	switch d.Mode {
	case "xxd":
		front, err := xuanxuan.StartXXD(ctx, xuanxuan.XXDOptions{Backend: server.URL(), TLS: true, UploadDir: files}, "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("start the reference xxd: %w", err)
		}
		defer func() { _ = front.Close() }()
		settings.Legacy.XXD.URL, settings.Legacy.XXD.Fingerprint = front.URL(), front.Fingerprint()
	case "v1":
		old, err := xuanxuan.StartV1(ctx, server.Backend, xuanxuan.V1Options{UploadDir: files}, "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer func() { _ = old.Close() }()
		settings.Legacy.V1.Addr, settings.Legacy.V1.FilesURL = old.Addr(), old.FilesURL()
	}

	ready := make(chan node.Addresses, 1)
	parts, ctx := errgroup.WithContext(ctx)
	settings.Ready = func(at node.Addresses) { ready <- at }
	parts.Go(func() error { return node.Run(ctx, settings) })
	parts.Go(func() error {
		select {
		case at := <-ready:
			err := welcome(ctx, d.Mode, at, to.out)
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

func (d *dev) settings(log io.Writer) node.Config {
	c := node.Default()
	c.Dev = true
	c.Addr = d.Addr
	c.Inner.Key = devInnerKey
	c.Web.Enabled = true
	c.Legacy.Mode = d.Mode
	c.LogTo = log
	return c
}
