// Command xuangate is an API gateway in front of a Xuanxuan (喧喧) chat installation. README.md tells what it does,
// `xuangate --help` what can be set.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends the node in good order, a second one at once
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, output{os.Stdout, os.Stderr}))
}

// output is where commands write: what was asked for, and the log and what is wrong.
type output struct{ out, err io.Writer }

// run runs one command line to its end, or until ctx ends. It answers the exit code: 0, or 1 after saying what is wrong.
// env is os.LookupEnv, or a test's own.
func run(ctx context.Context, args []string, env func(string) (string, bool), to output) int {
	s := &settings{args: args, env: env}
	command, err := parse(&commandLine{}, args, s, to)
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run(s, to)
	}
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(to.err, "xuangate: %s\n", strings.TrimSuffix(line, "\n"))
	}
	return 1
}

// parse fills into with what args say, and with what s holds for the flags that args leave out.
func parse(into *commandLine, args []string, s *settings, to output) (*kong.Context, error) {
	parser := kong.Must(into,
		kong.Name("xuangate"),
		kong.Description("A chat API (REST, SSE, WebSocket, long poll) in front of a Xuanxuan installation."),
		kong.Writers(to.out, to.err),
		kong.Resolvers(s),
		kong.Bind(s),
	)
	return parser.Parse(args)
}
