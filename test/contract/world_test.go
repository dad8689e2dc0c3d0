package contract

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const innerKey = "contract-inner-key-of-32-letters"

// patience is how long a thing that should happen may take. It is never waited out where all is well.
const patience = 20 * time.Second

// world is one gateway with one legacy server behind it.
type world struct {
	t       *testing.T
	mode    string
	url     string
	legacy  *xuanxuan.Server
	xxd     *xuanxuan.XXD // in mode xxd
	v1      *xuanxuan.V1  // in mode v1
	files   string        // where uploads are kept
	backend string        // what the xxd takes for its backend, in mode inline
	http    *http.Client
	answers *documented // which http goes through
}

// inEachMode runs a promise in every mode, in a fresh world each time.
func inEachMode(t *testing.T, promise func(t *testing.T, w *world), changes ...func(*site)) {
	inEachModeWith(t, "", promise, changes...)
}

// inEachModeWith is inEachMode for a promise about something that not all servers have. What it lacks, a mode leaves out.
func inEachModeWith(t *testing.T, what string, promise func(t *testing.T, w *world), changes ...func(*site)) {
	inModes(t, slices.DeleteFunc(slices.Clone(modes), func(mode string) bool { return slices.Contains(lacks[mode], what) }), promise, changes...)
}

// inModes is inEachMode for a promise that some modes keep for all.
func inModes(t *testing.T, modes []string, promise func(t *testing.T, w *world), changes ...func(*site)) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			promise(t, start(t, mode, changes...))
		})
	}
}

// site is the settings of all that a world is made of. What listens or depends on another part's address is set by start.
type site struct {
	legacy xuanxuan.Options
	xxd    xuanxuan.XXDOptions
	v1     xuanxuan.V1Options
	node   node.Config
	noApp  bool // no application is registered for the gateway
}

// patiently is for promises about something else than slowness.
func patiently(s *site) { s.node.Legacy.Timeout = patience }

// start builds a world, with the settings changed that a test wants to be others.
func start(t *testing.T, mode string, changes ...func(*site)) *world {
	s := site{xxd: xuanxuan.XXDOptions{TLS: true, TickInterval: time.Second}, node: node.Default()}
	s.node.Inner.OperatorPassword = xuanxuan.DemoPassword
	s.node.Legacy.Timeout = 2 * time.Second                   // xxd gives its backend three tries, 600 ms
	s.node.Limits.TokenRate, s.node.Limits.AddressRate = 0, 0 // a world's users are one address, and ask again and again
	s.node.Files.Dir = t.TempDir()
	s.xxd.UploadDir, s.v1.UploadDir = s.node.Files.Dir, s.node.Files.Dir
	for _, change := range changes {
		change(&s)
	}
	s.legacy.AppCode, s.legacy.AppToken = "xuangate", "contract-app-token"
	behind, err := xuanxuan.Start(t.Context(), s.legacy, "127.0.0.1:0")
	require.NoError(t, err)
	answers, err := newDocumented()
	require.NoError(t, err)
	w := &world{t: t, mode: mode, legacy: behind, http: &http.Client{Transport: answers}, answers: answers}

	c := s.node
	w.files = c.Files.Dir
	c.Addr, c.Dev = "127.0.0.1:0", true
	c.Drain = time.Second
	c.Inner.Key = innerKey
	c.Legacy.Mode = mode
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = behind.URL(), xuanxuan.DefaultKey
	c.Legacy.API = node.API{URL: behind.APIURL(), Code: "xuangate", Token: "contract-app-token"}
	if s.noApp || mode == "v1" {
		c.Legacy.API = node.API{}
	}
	c.Legacy.Poll = time.Second
	switch mode {
	case "v1":
		w.v1, err = xuanxuan.StartV1(t.Context(), behind.Backend, s.v1, "127.0.0.1:0")
		require.NoError(t, err)
		c.Legacy.V1.Addr, c.Legacy.V1.FilesURL = w.v1.Addr(), w.v1.FilesURL()
	case "xxd":
		s.xxd.Backend = behind.URL()
		w.xxd, err = xuanxuan.StartXXD(t.Context(), s.xxd, "127.0.0.1:0")
		require.NoError(t, err)
		c.Legacy.XXD.URL, c.Legacy.XXD.Fingerprint = w.xxd.URL(), w.xxd.Fingerprint()
	}
	var reserved net.Listener
	if mode == "inline" {
		// The chat server cannot start before its backend, and the gateway must know where it will be.
		reserved, err = net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.Legacy.XXD = node.XXD{URL: "https://" + reserved.Addr().String(), Insecure: true, Device: "desktop", LinkIdle: time.Minute, OnKickoff: "yield"}
		c.Legacy.Inline.Listen = "127.0.0.1:0"
	}
	if c.LogTo == nil {
		c.LogTo = io.Discard
	}
	ready := make(chan node.Addresses, 1)
	c.Ready = func(a node.Addresses) { ready <- a }

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx, c) }()
	select {
	case a := <-ready:
		w.url = "http://" + a.API.String()
		if mode == "inline" {
			w.backend = "http://" + a.Backend.String() + xuanxuan.Path
			s.xxd.Backend = w.backend
			s.xxd.Listener = reserved
			w.startXXD(s.xxd)
		}
	case err := <-done:
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		stop()
		require.NoError(t, <-done)
		if w.xxd != nil {
			require.NoError(t, w.xxd.Close())
		}
		if w.v1 != nil {
			require.NoError(t, w.v1.Close())
		}
		require.NoError(t, behind.Close())
		require.Empty(t, answers.broken(), "answers that are not as described")
	})
	return w
}

// startXXD starts the chat server whose backend the gateway is, and waits until the gateway is in.
func (w *world) startXXD(o xuanxuan.XXDOptions) {
	var err error
	w.xxd, err = xuanxuan.StartXXD(w.t.Context(), o, "")
	require.NoError(w.t, err)
	w.botIn()
}

// botIn waits until the gateway is in the chat server.
func (w *world) botIn() {
	require.Eventually(w.t, func() bool { return w.xxd.Stats().Online > 0 }, patience, time.Millisecond, "the gateway gets into the chat server")
}
