package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

// commandLine is what can be typed. Each command has a Run method that works until it is done or ctx ends.
type commandLine struct {
	Dev         dev         `cmd:"" help:"Try it: a gateway on a chat server of its own, with users to sign in as."`
	Serve       serve       `cmd:"" help:"Stand in front of a chat server until SIGTERM."`
	CheckConfig checkConfig `cmd:"" help:"Name every fault of the settings, and try the chat server with them."`
	PrintConfig printConfig `cmd:"" help:"Print a configuration file with every setting, what it means and what it is set to, without secrets."`
	Health      health      `cmd:"" help:"Ask a running node how it is; fails if it should get no traffic."`
	Version     version     `cmd:"" help:"Print the version."`
}

// settled are the flags of a command that takes a node's settings.
type settled struct {
	Config configFile `placeholder:"FILE" help:"YAML file with the settings. Each is also a flag, and a variable of the environment: XUANGATE_LEGACY_XXB_URL is --legacy.xxb.url is legacy: {xxb: {url: …}}. Flags win over the environment, and that over the file."`

	Node node.Config `embed:""`
}

// configFile is the name of the settings file; giving it reads the file before kong looks for values.
type configFile string

// BeforeResolve is kong's hook.
func (configFile) BeforeResolve(ctx *kong.Context, at *kong.Path, s *settings) error {
	var flags []*kong.Flag
	for _, f := range ctx.Flags() {
		if f != at.Flag && f.Name != "help" {
			flags = append(flags, f)
		}
	}
	s.load(string(ctx.FlagValue(at.Flag).(configFile)), flags)
	return nil
}

type serve struct{ settled }

// Run serves until ctx ends.
func (c *serve) Run(ctx context.Context, s *settings, to output) error {
	if err := s.check(c.Node); err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1) // any number of signals ask for one reading
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	c.Node.LogTo, c.Node.Hangup, c.Node.Again = to.err, hangup, s.again
	return node.Run(ctx, c.Node)
}

type printConfig struct{ settled }

// Run prints the settings as a file, unless one of them could not be read: it would be missing there.
func (c *printConfig) Run(s *settings, to output) error {
	if err := errors.Join(s.faults...); err != nil {
		return err
	}
	return c.Node.Print(to.out)
}

type checkConfig struct{ settled }

// Run prints what it finds, a line each, and fails if there is a fault among it.
func (c *checkConfig) Run(ctx context.Context, s *settings, to output) error {
	var found []node.Finding
	for _, err := range s.faults {
		found = append(found, node.Finding{Fault: true, Text: err.Error()})
	}
	found = append(found, node.Check(ctx, c.Node)...)
	faults := 0
	for _, f := range found {
		kind := "note"
		if f.Fault {
			kind = "fault"
			faults++
		}
		fmt.Fprintf(to.out, "%-5s  %s\n", kind, f.Text)
	}
	if faults > 0 {
		return fmt.Errorf("faults to put right: %d", faults)
	}
	return nil
}

type version struct{}

// Run prints what was built, from which commit and with which Go.
func (version) Run(to output) error {
	version, commit, goVersion := node.Build()
	_, err := fmt.Fprintf(to.out, "xuangate %s commit %s %s %s/%s\n", version, commit, goVersion, runtime.GOOS, runtime.GOARCH)
	return err
}
