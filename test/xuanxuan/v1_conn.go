package xuanxuan

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
)

// A v1Conn is one client's TCP connection. Its goroutine waits for something to read and then for the thread; everything
// else is done in the thread.
type v1Conn struct {
	conn net.Conn
	once sync.Once
	user int64 // bound to it, 0 for nobody; the thread's
}

func (c *v1Conn) close() { c.once.Do(func() { _ = c.conn.Close() }) }

// serve serves one connection to its end.
func (d *V1) serve(ctx context.Context, c *v1Conn) {
	var first [1]byte
	for more := true; more; {
		_, err := c.conn.Read(first[:])
		d.inTurn(ctx, func() {
			if err == nil {
				more = d.answer(ctx, c, first[0])
			}
			if err != nil || !more {
				more = false
				d.leave(ctx, c)
			}
		})
	}
}

// inTurn runs one step in the thread. As in the real one, which looks what there is to read, serves all of that and only
// then empties the queue of pushes, those who wait already are served first: so an answer can overtake a push that was
// there before it.
func (d *V1) inTurn(ctx context.Context, step func()) {
	d.waiting.Add(1)
	d.thread.Lock()
	defer d.thread.Unlock()
	d.waiting.Add(-1)
	step()
	if d.due--; d.due > 0 || ctx.Err() != nil {
		return
	}
	if err := d.flush(context.WithoutCancel(ctx)); err != nil {
		d.options.Logger.Error("cannot empty the queue", "err", err)
	}
	d.due = d.waiting.Load()
}

// leave forgets a connection that has ended. Its user is offline then, which nobody is told (recorded: v1_daemon_offline).
func (d *V1) leave(ctx context.Context, c *v1Conn) {
	c.close()
	d.mu.Lock()
	delete(d.conns, c)
	d.mu.Unlock()
	if c.user == 0 || d.online[c.user] != c {
		return
	}
	delete(d.online, c.user)
	if ctx.Err() != nil {
		return // killed: nobody is there to write it down
	}
	if _, err := d.backend.store.exec(context.WithoutCancel(ctx), `UPDATE sys_user SET clientStatus = 'offline' WHERE id = ?`, c.user); err != nil {
		d.options.Logger.Error("cannot set a user offline", "err", err)
	}
}

const (
	// v1Chunk is how much the server reads at a time. A request ends with the chunk that has a line's end in it, wherever it
	// stands: two lines in one chunk are one request, which cannot be read (recorded: v1_daemon).
	v1Chunk = 1024
	// maxLine bounds a request. The real one reads for ever.
	maxLine = 64 << 20
)

var errEndless = errors.New("a line without end")

// line reads a request of which the first byte has come. Nothing else happens until it is all there.
func (c *v1Conn) line(first byte) ([]byte, error) {
	raw, chunk := []byte{first}, make([]byte, v1Chunk)
	for last := raw; bytes.IndexByte(last, '\n') < 0; {
		n, err := c.conn.Read(chunk)
		if err != nil {
			return nil, err
		}
		last = chunk[:n]
		if raw = append(raw, last...); len(raw) > maxLine {
			return nil, errEndless
		}
	}
	return raw, nil
}

// say writes a line. Whether it arrives is not looked at.
func (c *v1Conn) say(text []byte) { _, _ = c.conn.Write(append(text, '\n')) }

// answer reads one request, carries it out and answers it. It returns false when the connection is to end.
func (d *V1) answer(ctx context.Context, c *v1Conn, first byte) (more bool) {
	raw, err := c.line(first)
	if err != nil {
		return false
	}
	r := d.parse(raw)
	d.backend.calls.count(r.name(), v1Methods[r.name()] != nil)
	fault := d.faults.take(c.user, r.method)
	if !d.faults.replaced.wait(ctx, fault.Delay) || fault.Cut && !fault.CarryOut {
		return false
	}
	a, err := d.carry(ctx, r)
	if err != nil {
		return false
	}
	ended := d.bind(c, r, a)
	if fault.Cut {
		return false
	}
	text := appendJSON(nil, append(a.fields, member{"sid", r.sid}, member{"module", r.module}, member{"method", r.method}))
	switch {
	case fault.Raw != nil:
		_ = fault.Raw(c.conn)
		return false
	case fault.Garbage != nil:
		text = fault.Garbage
	case fault.Half:
		_, _ = c.conn.Write(text[:len(text)/2])
		return false
	}
	c.say(text)
	for _, one := range ended {
		one.close()
	}
	return true // where its own connection has ended the next read tells
}

// carry carries a request out. With a fault of the tables behind it the server says that it has lost its database. An
// error is for a server that ends meanwhile.
func (d *V1) carry(ctx context.Context, r *v1Request) (*answer, error) {
	fault := d.backend.faults.take(r.request)
	if !d.backend.faults.replaced.wait(ctx, fault.Delay) {
		return nil, ctx.Err()
	}
	r.trouble = fault.trouble()
	broken := fault.Drop || fault.Status != 0 || fault.Body != nil
	if broken && !fault.CarryOut {
		return r.fail(textNoDatabase), nil
	}
	a, err := d.call(context.WithoutCancel(ctx), r) // as with PHP, what has begun is carried out
	switch {
	case errors.Is(err, errFatal):
		d.fall(errFatal)
		return nil, err
	case err != nil:
		d.options.Logger.Error("legacy call failed", "module", r.module, "method", r.method, "err", err)
		return r.fail(textNoDatabase), nil
	case broken:
		return r.fail(textNoDatabase), nil
	}
	return a, nil
}

// textNoDatabase is what the server says when its database is away.
const textNoDatabase = "Failed to connect MySQL server."

// bind notes whom a connection belongs to after a login, and to whom no longer after a logout, by what was answered. It
// returns the connections that end for it, once the answer is written.
func (d *V1) bind(c *v1Conn, r *v1Request, a *answer) (ended []*v1Conn) {
	data, _ := a.fields.get("data").(object)
	id, _ := data.get("id").(int64)
	if a.fields.get("result") != any("success") || id == 0 {
		return nil
	}
	switch r.name() {
	case "chat/login":
		old := d.online[id]
		if old != nil { // the connection itself, if its client signs in twice on it
			old.say(appendJSON(nil, object{{"module", "chat"}, {"method", "kickoff"}, {"message", "This account logined in another place."}}))
			ended = append(ended, old)
		}
		delete(d.online, c.user)
		c.user, d.online[id] = id, c
		d.stats.logins.Add(1)
	case "chat/logout":
		if old := d.online[id]; old != nil {
			delete(d.online, id)
			ended = append(ended, old)
		}
	}
	return ended
}
