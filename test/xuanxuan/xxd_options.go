package xuanxuan

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"time"
)

// XXDOptions are the settings of one xxd. Only Backend is needed; where nothing else is said, the defaults are those
// of the real one.
type XXDOptions struct {
	Backend    string // URL of its xxb, such as Server.URL gives
	Key        string // AES key shared with xxb, 32 characters; default DefaultKey
	ServerName string // what clients may call the backend; an empty name means it too. Default "xuanxuan"
	ChatAddr   string // where websockets are served; default a free port on the host of the other address
	// Listener is the HTTP port, where it must be known before the xxd is there; the address to start on is not used then.
	Listener net.Listener
	TLS      bool // both ports speak TLS, with a self-signed certificate; the real one does so by default

	// SysInfo: /sysGetServerInfo is answered, as from 2.4 on. Without it that path is 404 as on the measured server.
	SysInfo bool

	UploadFileSize int64  // bytes; default 32 MiB
	UploadDir      string // where uploads are kept; default a temporary directory, removed by Close
	MaxOnline      int    // users; 0 is no limit

	// LastWords: what xxd says to a connection right before it hangs up arrives: an empty frame after a failed login,
	// blockLogin beyond MaxOnline. With the real one this is a matter of luck: 7 of 150 times, and never in the one
	// recorded try.
	LastWords bool

	PingInterval time.Duration // default 18 s
	ReadDeadline time.Duration // of a connection, extended by its pongs only; default 20 s
	TickInterval time.Duration // between asking xxb for notices and changed users; default 60 s
	WriteTimeout time.Duration // for one frame; default 10 s

	// LoginWindow, if not nil, is called when xxb has set a user online and all six frames are on their way, right
	// before he is among those whom xxd delivers to. What is sent to him until it returns is lost.
	LoginWindow func(ctx context.Context, user int64)

	Now    func() time.Time // the clock; default time.Now
	Logger *slog.Logger     // hears of internal errors; nil: nobody does
}

func (o XXDOptions) withDefaults() XXDOptions {
	o.Key = cmp.Or(o.Key, DefaultKey)
	o.ServerName = cmp.Or(o.ServerName, "xuanxuan")
	o.UploadFileSize = cmp.Or(o.UploadFileSize, 32<<20)
	o.PingInterval = cmp.Or(o.PingInterval, 18*time.Second)
	o.ReadDeadline = cmp.Or(o.ReadDeadline, 20*time.Second)
	o.TickInterval = cmp.Or(o.TickInterval, time.Minute)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
