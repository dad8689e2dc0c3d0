package bench

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// bare is the least server that tells every message to every stream: no accounts, no log, no resume. A stream has a
// queue, and what has gathered in it goes out in one write, as any broadcast server worth its name does.
type bare struct {
	mu    sync.Mutex
	queue map[chan []byte]bool
}

func newBare() http.Handler {
	s := &bare{queue: map[chan []byte]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/sse", s.serveSSE)
	mux.HandleFunc("/ws", s.serveWS)
	mux.HandleFunc("/publish", s.publish)
	return mux
}

func (s *bare) join() chan []byte {
	q := make(chan []byte, 256)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue[q] = true
	return q
}

func (s *bare) leave(q chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queue, q)
}

func (s *bare) publish(_ http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range s.queue {
		q <- b
	}
}

func (s *bare) serveSSE(w http.ResponseWriter, r *http.Request) {
	q := s.join()
	defer s.leave(q)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	_ = out.Flush()
	for {
		select {
		case b := <-q:
			_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second))
			for more := true; more; {
				if _, err := w.Write(b); err != nil {
					return
				}
				select {
				case b = <-q:
				default:
					more = false
				}
			}
			if out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

var upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{}}

func (s *bare) serveWS(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	q := s.join()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			if _, _, err := conn.NextReader(); err != nil {
				return
			}
		}
	}()
	go func() {
		defer s.leave(q)
		defer conn.Close()
		for {
			select {
			case b := <-q:
				_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
				if conn.WriteMessage(websocket.TextMessage, b) != nil {
					return
				}
			case <-gone:
				return
			}
		}
	}()
}
