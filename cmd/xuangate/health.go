package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/xuangate/xuangate/gen/model"
)

const (
	// healthTimeout is longer than a node asks the chat server for /readyz. Without it a node that hangs is never told from one that is well.
	healthTimeout = 4 * time.Second
	// maxHealth bounds the answer that is read, in bytes. Without it another program at that address fills the memory.
	maxHealth = 4096
)

// health asks a running node how it is: for containers, which have no curl.
type health struct {
	Addr string `default:"127.0.0.1:8080" help:"Where the node answers, HOST:PORT: its ops.addr, or its addr where that has no TLS."`
	Live bool   `help:"Ask whether the process answers at all (/livez), and not whether it should get traffic (/readyz)."`
}

// Run prints how the node is, and fails where it should be restarted (/livez) or get no traffic (/readyz). A degraded node should get it.
func (h *health) Run(ctx context.Context, to output) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	path := "/readyz"
	if h.Live {
		path = "/livez"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.Addr+path, nil)
	if err != nil {
		return fmt.Errorf("--addr: %q is no HOST:PORT", h.Addr)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // without the environment's proxy
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the node does not answer: %w", err)
	}
	defer res.Body.Close()
	var answer struct {
		Data model.Health `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxHealth)).Decode(&answer); err != nil || answer.Data.Status == "" {
		return fmt.Errorf("what answers %s%s with HTTP %d is no Xuangate, or wants TLS", h.Addr, path, res.StatusCode)
	}
	state := string(answer.Data.Status)
	if answer.Data.Reason != "" {
		state += ": " + answer.Data.Reason
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", state)
	}
	_, err = fmt.Fprintln(to.out, state)
	return err
}
