// Command xuanxuan runs the reference legacy server on its own: xxb, the backend of a Xuanxuan installation, with demo
// users. It is what `xuangate dev` embeds.
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

// run serves until ctx ends. It tells on out what a caller must know, on errs what went wrong.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("xuanxuan", flag.ContinueOnError)
	flags.SetOutput(errs)
	addr := flags.String("addr", "127.0.0.1:11441", "`address` to listen on")
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
	s, err := xuanxuan.Start(ctx, xuanxuan.Options{
		Key:     *key,
		File:    *data,
		UTF8MB4: *wide,
		Logger:  slog.New(slog.NewTextHandler(errs, nil)),
	}, *addr)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	fmt.Fprintf(out, "backend  %s\nkey      %s\nusers    all with password %s\n", s.URL(), *key, xuanxuan.DemoPassword)
	for _, u := range xuanxuan.DemoUsers() {
		fmt.Fprintf(out, "  %d  %-6s  %s\n", u.ID, u.Account, u.Realname)
	}
	<-ctx.Done()
	return s.Close()
}
