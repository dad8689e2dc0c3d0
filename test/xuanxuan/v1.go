package xuanxuan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
)

// V1Options are the settings of one 1.0 server. The zero value is one that works.
type V1Options struct {
	FilesAddr string // where the web server beside it listens, which has the files; default a free port on the host of the other address
	PathInfo  bool   // that one's addresses are made of paths (requestType PATH_INFO); else of queries (GET)
	UploadDir string // where uploads are kept; default a temporary directory, removed by Close
	// Without are methods that the server does not know, in lower case, as older ones do not know them all.
	Without []string

	Logger *slog.Logger // hears of internal errors; nil: nobody does
}

// A V1 is the 1.0 server, a single PHP process that clients connect to by plain TCP (seed 001; recorded: v1_daemon). It
// stands on a Backend's tables; the files are the web server's beside it. StartV1 makes one; its methods may be used from
// any goroutine.
//
// The process has one thread: it reads one request to its end, carries it out, answers, and only then turns to the next
// connection. Half a line, or a slow call, therefore holds up everybody.
type V1 struct {
	options   V1Options
	backend   *Backend
	uploads   string
	temporary bool // uploads goes with the last server that has it
	listener  net.Listener
	filesDoor net.Listener
	files     *http.Server
	faults    v1Faults
	stats     v1Counters

	thread  sync.Mutex   // whoever holds it has the one thread
	waiting atomic.Int64 // connections that have something to say and wait for the thread
	// What follows is the thread's.
	sessions map[string]*user  // by sid; nil for one that nobody has signed in on
	online   map[int64]*v1Conn // by user
	last     [2]string         // module and method of the request before; what cannot be read repeats them
	due      int64             // requests still to be served before the queue is emptied

	life  // mu guards conns as well
	conns map[*v1Conn]struct{}
}

// StartV1 starts a 1.0 server on addr, such as "127.0.0.1:0", on the tables of b, which must outlive it. Everybody is
// offline then. ctx bounds the start only.
func StartV1(ctx context.Context, b *Backend, o V1Options, addr string) (*V1, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &V1{
		options: o, backend: b, life: life{done: make(chan struct{})},
		sessions: map[string]*user{}, online: map[int64]*v1Conn{}, conns: map[*v1Conn]struct{}{},
	}
	if err := d.open(ctx, addr); err != nil {
		return nil, errors.Join(fmt.Errorf("start the 1.0 server: %w", err), d.discard())
	}
	lifetime, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	d.stop = stop
	go d.run(lifetime)
	return d, nil
}

func (d *V1) open(ctx context.Context, addr string) (err error) {
	if d.uploads = d.options.UploadDir; d.uploads == "" {
		if d.uploads, err = os.MkdirTemp("", "xuanxuan-uploads-"); err != nil {
			return err
		}
		d.temporary = true
	}
	var lc net.ListenConfig
	if d.listener, err = lc.Listen(ctx, "tcp", addr); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(d.Addr())
	if err != nil {
		return err
	}
	if d.filesDoor, err = lc.Listen(ctx, "tcp", cmp.Or(d.options.FilesAddr, net.JoinHostPort(host, "0"))); err != nil {
		return err
	}
	d.files = &http.Server{Handler: http.HandlerFunc(d.site), ReadHeaderTimeout: readHeaderTimeout}
	_, err = d.backend.store.exec(ctx, `UPDATE sys_user SET clientStatus = 'offline'`)
	return err
}

// discard undoes what a failed start has made.
func (d *V1) discard() error {
	var errs []error
	for _, l := range []net.Listener{d.listener, d.filesDoor} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	if d.temporary {
		errs = append(errs, os.RemoveAll(d.uploads))
	}
	return errors.Join(errs...)
}

// run owns the listeners and the connections, until ctx ends.
func (d *V1) run(ctx context.Context) {
	defer close(d.done)
	var serving sync.WaitGroup
	serving.Go(func() { _ = d.files.Serve(d.filesDoor) }) // ends with ErrServerClosed alone
	serving.Go(func() { d.accept(ctx, &serving) })
	<-ctx.Done()
	if err := d.Err(); err != nil {
		d.options.Logger.Error("the 1.0 server died", "err", err)
	}
	_ = d.listener.Close()
	_ = d.files.Close()
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.DropAll()
	serving.Wait()
}

func (d *V1) accept(ctx context.Context, serving *sync.WaitGroup) {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return // closed
		}
		c := &v1Conn{conn: conn}
		d.mu.Lock()
		if d.closed {
			d.mu.Unlock()
			c.close()
			return
		}
		d.conns[c] = struct{}{}
		d.mu.Unlock()
		d.stats.accepted.Add(1)
		serving.Go(func() { d.serve(ctx, c) })
	}
}

// Close ends the server as a kill does: connections break, and nobody is logged out. It returns when nothing of it runs any
// more, with the reason if it had died. It may be called again.
func (d *V1) Close() error {
	err := d.end()
	if d.temporary {
		err = errors.Join(err, os.RemoveAll(d.uploads))
	}
	return err
}

// Restart ends the server, dead or not, and starts another one in its place, on the same ports and tables.
func (d *V1) Restart(ctx context.Context) (*V1, error) {
	_ = d.end() // that it had died is why one restarts it
	o := d.options
	o.FilesAddr, o.UploadDir = d.filesDoor.Addr().String(), d.uploads
	next, err := StartV1(ctx, d.backend, o, d.Addr())
	if err == nil {
		next.temporary, d.temporary = d.temporary, false
	}
	return next, err
}

// Addr is where clients connect.
func (d *V1) Addr() string { return d.listener.Addr().String() }

// FilesURL is the site that files are uploaded to and downloaded from: what a user of the 1.0 client types as the server.
func (d *V1) FilesURL() string { return "http://" + d.filesDoor.Addr().String() + "/" }

// V1Stats counts what a 1.0 server has done since its start.
type V1Stats struct {
	Connections int   // open now
	Online      int   // users bound to a connection now
	Accepted    int64 // connections so far
	Logins      int64 // that succeeded
}

type v1Counters struct{ accepted, logins atomic.Int64 }

// Stats returns the counts. It waits for the thread.
func (d *V1) Stats() V1Stats {
	d.thread.Lock()
	online := len(d.online)
	d.thread.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	return V1Stats{Connections: len(d.conns), Online: online, Accepted: d.stats.accepted.Load(), Logins: d.stats.logins.Load()}
}

// Drop breaks the connection that a user's pushes go to, as a network does. It returns false if there is none.
func (d *V1) Drop(user int64) bool {
	d.thread.Lock()
	c := d.online[user]
	d.thread.Unlock()
	if c != nil {
		c.close()
	}
	return c != nil
}

// DropAll breaks every connection.
func (d *V1) DropAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		c.close()
	}
}

// Session makes a session of a user, as a sign-in does, but binds no connection to it: who sends its sid acts as the user,
// kicks nobody out and hears no pushes.
func (d *V1) Session(ctx context.Context, id int64) (sid string, err error) {
	u, _, err := d.backend.userByID(ctx, id)
	if err != nil {
		return "", err
	}
	d.thread.Lock()
	defer d.thread.Unlock()
	sid = newSID()
	d.sessions[sid] = &u
	return sid, nil
}
