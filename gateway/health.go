package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

const (
	// pingEvery is how old an answer of the legacy server may be to speak for its health. Without it whoever asks
	// /readyz, which needs no token, has us ask legacy as often.
	pingEvery = 2 * time.Second
	// pingTimeout is shorter than what load balancers wait for /readyz.
	pingTimeout = 2 * time.Second
)

// health is what legacy answered last.
type health struct {
	mu     sync.Mutex
	asked  time.Time
	asking chan struct{} // closed when the question under way is answered
	err    error
}

// Livez answers GET /livez.
func (s rest) Livez(context.Context, server.LivezRequestObject) (server.LivezResponseObject, error) {
	return server.Livez200JSONResponse{HealthReplyJSONResponse: server.HealthReplyJSONResponse{Data: model.Health{Status: model.Ok}}}, nil
}

// Readyz answers GET /readyz. A legacy server or a Redis that does not answer makes no node unready: on the others it would be
// the same, and the streams can stay.
func (s rest) Readyz(ctx context.Context, _ server.ReadyzRequestObject) (server.ReadyzResponseObject, error) {
	if s.streams.isDraining() {
		return server.Readyz503JSONResponse{Code: model.Unreachable, Data: model.Health{Status: model.Draining, Reason: "shutting down"}}, nil
	}
	state := model.Health{Status: model.Ok}
	if err := s.health.check(ctx, s.legacy.Ping); err != nil {
		state = model.Health{Status: model.Degraded, Reason: "the chat server does not answer"}
		recordOf(ctx).err = err
	}
	if s.away != nil && s.away() != nil {
		state = model.Health{Status: model.Degraded, Reason: "Redis cannot be reached"}
	}
	return server.Readyz200JSONResponse{HealthReplyJSONResponse: server.HealthReplyJSONResponse{Data: state}}, nil
}

// check asks ping, or takes what it answered a moment ago. Those who come while it is asked wait for the answer.
func (h *health) check(ctx context.Context, ping func(context.Context) error) error {
	h.mu.Lock()
	if asking := h.asking; asking != nil {
		h.mu.Unlock()
		select {
		case <-asking:
			return h.last()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if time.Since(h.asked) < pingEvery {
		defer h.mu.Unlock()
		return h.err
	}
	h.asking = make(chan struct{})
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	err := ping(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err, h.asked = err, time.Now()
	close(h.asking)
	h.asking = nil
	return err
}

func (h *health) last() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}
