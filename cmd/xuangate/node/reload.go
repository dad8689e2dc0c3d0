package node

import (
	"context"
	"log/slog"
	"reflect"

	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/traces"
)

// A reloader takes over changed settings while the node runs: those whose field of Config is tagged reload. run owns it.
type reloader struct {
	now          Config // that the node runs with
	log          *slog.Logger
	level        *slog.LevelVar
	gate         *gateway.Server
	spans        *traces.Traces
	certificates []*certificate
	connections  []*connections
}

func newReloader(c Config, log *slog.Logger, level *slog.LevelVar, gate *gateway.Server, spans *traces.Traces, doors []door) *reloader {
	r := &reloader{now: c, log: log, level: level, gate: gate, spans: spans}
	for _, d := range doors {
		if d.certificate != nil {
			r.certificates = append(r.certificates, d.certificate)
		}
		if d.connections != nil {
			r.connections = append(r.connections, d.connections)
		}
	}
	return r
}

// run reads the settings again each time somebody asks for it, until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.now.Hangup: // nil, and so never, where nobody can ask
			r.reload()
		}
	}
}

// reload takes over what can be, all of it or, if anything at all is wrong, nothing.
func (r *reloader) reload() {
	next, wrong := r.now.Again()
	next, unfit := next.settle()
	wrong = append(wrong, unfit...)
	for _, err := range wrong {
		r.log.Error("settings are not reloaded, those of before stay", "fault", err)
	}
	if len(wrong) > 0 {
		return
	}
	changed, waiting := r.now.take(next)
	r.level.Set(r.now.Log.Level)
	r.gate.Reload(r.now.facade())
	r.spans.SetSample(r.now.Trace.Sample)
	for _, c := range r.connections {
		c.Set(r.now.Limits)
	}
	for _, c := range r.certificates {
		if err := c.read(); err != nil { // written to since it was looked at
			r.log.Error("a changed certificate is not taken over; the one of before stays", "error", err)
		}
	}
	r.log.Info("settings reloaded", "changed", changed)
	if len(waiting) > 0 {
		r.log.Warn("some settings that changed take effect after a restart only", "settings", waiting)
	}
}

// take has c take over from next what may change while a node runs. It answers the names of the settings that did, and of
// those that have changed and need a restart. Both have their secrets in place.
func (c *Config) take(next Config) (changed, waiting []string) {
	theirs := next.settings()
	for i, mine := range c.settings() {
		if same(mine.Target, theirs[i].Target) {
			continue
		}
		if !mine.Tag.Has("reload") {
			waiting = append(waiting, key(mine))
			continue
		}
		mine.Target.Set(theirs[i].Target)
		changed = append(changed, key(mine))
	}
	return changed, waiting
}

// same compares two values of a setting; a list that is not there is an empty one.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
