// Command xuanxuan runs the reference legacy server on its own: xxb, the backend of a Xuanxuan installation, with demo
// users. It is what `xuangate dev` embeds.
package main

import (
	"context"
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
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "xuanxuan:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("xuanxuan", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:11441", "`address` to listen on")
	key := flags.String("key", xuanxuan.DefaultKey, "AES key, 32 `characters`")
	data := flags.String("data", "", "SQLite `file`; empty keeps everything in memory")
	wide := flags.Bool("utf8mb4", false, "store characters above U+FFFF instead of ????")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := xuanxuan.Start(ctx, xuanxuan.Options{
		Key:     *key,
		File:    *data,
		UTF8MB4: *wide,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
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
