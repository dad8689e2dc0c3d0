// Command xuanxuan runs the reference legacy servers on their own: xxb, the backend of a Xuanxuan installation, with
// demo users, and xxd, which clients connect to, in front of it; or the 1.0 server on the same tables. It is what `xuangate dev` embeds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/xuangate/xuangate/test/xuanxuan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "xuanxuan:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends or xxd crashes. It tells on out what a caller must know, on errs what went wrong.
func run(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	flags := flag.NewFlagSet("xuanxuan", flag.ContinueOnError)
	flags.SetOutput(errs)
	addr := flags.String("addr", "127.0.0.1:11441", "`address` on which xxb listens")
	xxd := flags.String("xxd", "127.0.0.1:11443", "`address` on which xxd listens for HTTP; empty: no xxd")
	chat := flags.String("xxd-chat", "127.0.0.1:11444", "`address` on which xxd listens for websockets")
	secure := flags.Bool("xxd-tls", true, "xxd speaks TLS, with a self-signed certificate")
	sysInfo := flags.Bool("xxd-sysinfo", false, "xxd answers /sysGetServerInfo, as later versions do")
	old := flags.String("v1", "", "`address` on which the 1.0 server listens; empty: none. No xxd should run beside it")
	key := flags.String("key", xuanxuan.DefaultKey, "AES key, 32 `characters`")
	data := flags.String("data", "", "SQLite `file`; empty keeps everything in memory")
	wide := flags.Bool("utf8mb4", false, "store characters above U+FFFF instead of ????")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	log := slog.New(slog.NewTextHandler(errs, nil))
	s, err := xuanxuan.Start(ctx, xuanxuan.Options{Key: *key, File: *data, UTF8MB4: *wide, Logger: log}, *addr)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fmt.Fprintf(out, "backend  %s\nkey      %s\n", s.URL(), *key)
	var crashed <-chan struct{}
	if *xxd != "" {
		o := xuanxuan.XXDOptions{Backend: s.URL(), Key: *key, ChatAddr: *chat, TLS: *secure, SysInfo: *sysInfo, Logger: log}
		x, startErr := xuanxuan.StartXXD(ctx, o, *xxd)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, x.Close()) }()
		crashed = x.Done()
		fmt.Fprintf(out, "xxd      %s\nchat     %s\nsha256   %s\n", x.URL(), x.WSURL(), x.Fingerprint())
	}
	if *old != "" {
		v, startErr := xuanxuan.StartV1(ctx, s.Backend, xuanxuan.V1Options{Logger: log}, *old)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, v.Close()) }()
		fmt.Fprintf(out, "v1       %s\nfiles    %s\n", v.Addr(), v.FilesURL())
	}
	fmt.Fprintf(out, "users    all with password %s\n", xuanxuan.DemoPassword)
	for _, u := range xuanxuan.DemoUsers() {
		fmt.Fprintf(out, "  %d  %-6s  %s\n", u.ID, u.Account, u.Realname)
	}
	select {
	case <-ctx.Done():
	case <-crashed:
	}
	return nil
}
