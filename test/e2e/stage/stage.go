package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// maxStep bounds a step in bytes: a few of the longest messages.
const maxStep = 1 << 20

// A Stage holds worlds. It is an http.Handler, and may be used from any goroutine.
type Stage struct {
	mux   http.ServeMux
	redis string

	mu     sync.Mutex
	worlds map[string]*world
	last   int
}

// New makes an empty stage, whose worlds are gateways in mode xxb that keep everything in memory. With the address of a Redis they
// are whole nodes on it, in mode xxd. Close it at the end.
func New(redis string) *Stage {
	s := &Stage{redis: redis, worlds: map[string]*world{}}
	s.mux.HandleFunc("POST /worlds", s.make)
	s.mux.HandleFunc("POST /worlds/{id}/do", s.do)
	s.mux.HandleFunc("DELETE /worlds/{id}", s.end)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Stage) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends all worlds.
func (s *Stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for id, w := range s.worlds {
		err = errors.Join(err, w.close())
		delete(s.worlds, id)
	}
	return err
}

// make answers POST /worlds.
func (s *Stage) make(w http.ResponseWriter, r *http.Request) {
	var o options
	if err := decode(r.Body, &o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	made, err := newWorld(context.WithoutCancel(r.Context()), o, s.redis)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	s.last++
	made.ID = fmt.Sprint(s.last)
	s.worlds[made.ID] = made
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(made) // whoever does not wait for it has no world
}

// do answers POST /worlds/ID/do.
func (s *Stage) do(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	one := s.worlds[r.PathValue("id")]
	s.mu.Unlock()
	var step map[string]json.RawMessage
	err := decode(r.Body, &step)
	switch {
	case one == nil:
		http.Error(w, "no such world", http.StatusNotFound)
		return
	case err != nil || len(step) != 1:
		http.Error(w, "a step is an object with one key", http.StatusBadRequest)
		return
	}
	for name, value := range step {
		do := steps[name]
		if do == nil {
			http.Error(w, "the stage has no step "+name, http.StatusBadRequest)
			return
		}
		if err := do(r.Context(), one, value); err != nil {
			http.Error(w, fmt.Sprintf("%s: %v", name, err), http.StatusConflict)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}\n")
}

// end answers DELETE /worlds/ID.
func (s *Stage) end(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	one := s.worlds[r.PathValue("id")]
	delete(s.worlds, r.PathValue("id"))
	s.mu.Unlock()
	if one == nil {
		http.Error(w, "no such world", http.StatusNotFound)
		return
	}
	if err := one.close(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func decode(r io.Reader, v any) error {
	d := json.NewDecoder(io.LimitReader(r, maxStep))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("not what is expected here: %w", err)
	}
	return nil
}
