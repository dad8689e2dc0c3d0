package node

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/alecthomas/kong"
)

// Config is every setting of a node. Its tags are the one place that names a setting, its default and what it means:
// cmd/xuangate makes the flags, the environment variables, the keys of the file and the help from them, and README.md's
// table is compared with them. Those tagged reload take effect while the node runs (reload.go). A setting is named by its path, legacy.xxb.own_presence; durations are written 10s, 5m, 720h.
type Config struct {
	Addr           string         `default:"127.0.0.1:8080" help:"Where the API listens, HOST:PORT."`
	TrustedProxies []netip.Prefix `reload:"" help:"Address ranges of proxies whose X-Forwarded-For, or else Forwarded, is believed. Without them the client's address is the socket's."`
	Origins        []string       `reload:"" help:"Web origins (https://chat.example.com) whose pages may call the API, besides its own."`
	TokenTTL       time.Duration  `reload:"" default:"720h" help:"How long a token lives. At least 1m."`
	SecretKey      Secret         `help:"Seals the passwords that modes xxd and v1 keep while a token of their user lives, and signs the ids of files; at least 32 characters. Empty: a key made at start, so that after a restart users sign in again, and ids of files that a client still has are unknown (10005)."`
	SecretKeyFile  SecretFile     `help:"File that holds secret_key."`
	Drain          time.Duration  `default:"10s" help:"How long the node takes to end after SIGTERM at most, 1s to 60s. Many open streams are ended over the first half of it, so that their clients do not all come back at once."`

	Node     Node     `embed:"" prefix:"node."`
	TLS      TLS      `embed:"" prefix:"tls."`
	Ops      Ops      `embed:"" prefix:"ops."`
	Inner    Inner    `embed:"" prefix:"inner."`
	Streams  Streams  `embed:"" prefix:"streams."`
	Limits   Limits   `embed:"" prefix:"limits."`
	Web      Web      `embed:"" prefix:"web."`
	Legacy   Legacy   `embed:"" prefix:"legacy."`
	Files    Files    `embed:"" prefix:"files."`
	EventLog EventLog `embed:"" prefix:"eventlog."`
	Redis    Redis    `embed:"" prefix:"redis."`
	Log      Log      `embed:"" prefix:"log."`
	Trace    Trace    `embed:"" prefix:"trace."`

	// Dev is how xuangate dev runs a node: /inner stands on Addr too and has no listener of its own, and its key may be short.
	Dev bool `kong:"-"`
	// Ready is called once, when all listeners are open. Nil is fine.
	Ready func(Addresses) `kong:"-"`
	// Hangup asks for the settings to be read again, by Again. Nil: never.
	Hangup <-chan os.Signal `kong:"-"`
	// Again reads the settings from where they came from; with every fault of these sources. Needed with Hangup alone.
	Again func() (Config, []error) `kong:"-"`
	// LogTo is where the log goes; nil means standard error.
	LogTo io.Writer `kong:"-"`
}

// Addresses are those on which a node listens.
type Addresses struct {
	API   net.Addr
	Inner net.Addr // nil where /inner has no listener of its own
	// Backend is where chat servers find their backend in mode inline; nil in the other modes.
	Backend net.Addr
	Ops     net.Addr // nil where there are no metrics
}

// Default is a Config with every default; what has none is left empty.
func Default() Config {
	var c Config
	if err := kong.ApplyDefaults(&c); err != nil {
		panic(err) // a tag of Config is wrong
	}
	return c
}

// Node is what other nodes that share the Redis need to know of this one.
type Node struct {
	AdvertiseURL string `help:"Where other nodes reach the API of this one, http://HOST:PORT, in modes xxd and v1: they forward the requests of users whose connection to the chat server stands here. Empty: they answer those with 10002."`
}

// Ops is where the operator, and what watches for him, look in.
type Ops struct {
	Addr  string `help:"Where /metrics, /livez and /readyz listen, HOST:PORT, such as 127.0.0.1:8083, until the node has ended. It asks for no key: keep it where only your monitoring reaches. Empty: nowhere."`
	PProf bool   `name:"pprof" help:"Whether Go's profiles are at /debug/pprof there. They hold parts of memory, messages and tokens among them."`
}

// Inner is who may call /inner/*, a company's own systems.
type Inner struct {
	Addr     string         `default:"127.0.0.1:8081" help:"Where /inner/* listens, HOST:PORT; another one than addr. Empty: nowhere."`
	TLS      TLS            `embed:"" prefix:"tls."`
	Key      Secret         `reload:"" help:"What callers of /inner/* send as X-Inner-Key, at least 32 characters. Empty: they are all refused (10003)."`
	KeyFile  SecretFile     `help:"File that holds inner.key."`
	Allow    []netip.Prefix `reload:"" default:"127.0.0.0/8,::1/128" help:"Address ranges that may call /inner/*; with an empty list, loopback."`
	Operator string         `default:"admin" help:"Account that /inner/* acts as in the chat server; it must exist there."`
	Calls    []string       `help:"Calls of the chat server that /inner/call may make, such as chat/members. It checks no permissions, so list what is needed alone."`
	// OperatorPassword has no use in mode xxb, where anybody can be acted as.
	OperatorPassword     Secret     `help:"The operator's password, for modes xxd and v1, where /inner/* acts over the operator's own sign-in. Empty: it works once the operator has signed in."`
	OperatorPasswordFile SecretFile `help:"File that holds inner.operator_password."`
}

// Streams bound the open /notify streams and polls.
type Streams struct {
	PerNode    int `reload:"" default:"50000" help:"How many streams and polls may be open on this node; more are refused (10002). An idle one takes 10 to 40 kB."`
	PerUser    int `reload:"" default:"100" help:"How many one user may have open; a further one ends the oldest (superseded)."`
	PerAddress int `reload:"" default:"10000" help:"How many may come from one client address, or one /64 of IPv6; more are refused (10009). Behind a proxy set trusted_proxies, or all clients are one address."`
}

// Limits bound what clients may do on this node; several nodes let as many times as much through. 0 is no limit.
type Limits struct {
	TokenRate    float64 `reload:"" default:"100" help:"Requests a second of one token; more are refused (10009). 0: as many as it likes; so for the other rates."`
	TokenBurst   int     `reload:"" default:"1000" help:"How many of them at once after a quiet time."`
	AddressRate  float64 `reload:"" default:"1000" help:"Requests a second from one client address, or one /64 of IPv6. Behind a proxy set trusted_proxies, or all clients are one address."`
	AddressBurst int     `reload:"" default:"20000" help:"How many of them at once after a quiet time; more than the clients behind one address that come back together."`
	SignInRate   float64 `reload:"" default:"1" help:"Tries at /login a second from one client address."`
	SignInBurst  int     `reload:"" default:"300" help:"How many of them at once after a quiet time."`
	AccountRate  float64 `reload:"" default:"0.2" help:"Tries at /login a second to one account from one client address."`
	AccountBurst int     `reload:"" default:"60" help:"How many of them at once after a quiet time."`
	Connections  int     `reload:"" default:"65000" help:"How many connections clients may have open to the API; more are closed at once. 0: as many as there are file descriptors."`
	AcceptRate   float64 `reload:"" default:"2000" help:"New connections a second; more wait. 0: as they come."`
	AcceptBurst  int     `reload:"" default:"10000" help:"How many of them at once after a quiet time."`
}

// Web is what people see who open the API's address in a browser. Its documentation at /docs is always there.
type Web struct {
	Enabled bool `help:"Whether a page to chat on is served at /."`
}

// Legacy is the chat server behind the node, and how it is spoken to.
type Legacy struct {
	Mode       string        `default:"xxb" help:"How the node stands beside the chat server: xxb, xxd, inline or v1."`
	XXB        XXB           `embed:"" prefix:"xxb."`
	XXD        XXD           `embed:"" prefix:"xxd."`
	Inline     Inline        `embed:"" prefix:"inline."`
	V1         V1            `embed:"" prefix:"v1."`
	API        API           `embed:"" prefix:"api."`
	Timezone   string        `default:"Asia/Shanghai" help:"Time zone of the chat server's clock, for the dates it writes without one."`
	Emoji      string        `default:"shortname" help:"How emoji travel: shortname (:smile:, for utf8 tables) or raw (for utf8mb4 tables)."`
	MaxContent int           `default:"65535" help:"Longest message in bytes of UTF-8; the chat server cuts what is longer than 65535."`
	Timeout    time.Duration `default:"5s" help:"How long one call to the chat server may take, 100ms to 60s."`
	MaxCalls   int           `default:"64" help:"How many calls to the chat server may be under way at once; others wait, no longer than legacy.timeout (10002)."`
	SignIns    float64       `default:"10" help:"How many users may sign in to the chat server a second in modes xxd and v1; others wait, those at /login the shortest."`
	Poll       time.Duration `default:"10s" help:"How often the chat server is asked for notices and changed users, 1s to 60s: it looks back no further than a minute."`
}

// XXB is where the backend is in modes xxb and inline.
type XXB struct {
	URL         string     `help:"The backend's address, http://HOST/xuanxuan.php."`
	Key         Secret     `help:"The key that the backend shares with its chat server, 32 characters."`
	KeyFile     SecretFile `help:"File that holds legacy.xxb.key."`
	OwnPresence bool       `help:"Whether Xuangate is the only chat server for good, and may set everybody offline in the backend when it starts."`
}

// XXD is where the chat server is in modes xxd and inline, and how far it is trusted.
type XXD struct {
	URL         string        `help:"The chat server's address, https://HOST:11443."`
	ServerName  string        `help:"Name of the backend, where one xxd serves several."`
	Device      string        `default:"desktop" help:"The kind of client that users sign in as: desktop or mobile."`
	CAFile      string        `help:"PEM file of the authority that signed the chat server's certificate."`
	Fingerprint string        `help:"SHA-256 of the chat server's certificate, 64 hex digits; for the self-signed ones it makes itself."`
	Insecure    bool          `help:"Believe any certificate of the chat server. Whoever is in between then reads passwords and messages."`
	LinkIdle    time.Duration `default:"10m" help:"How long a user's connection is kept after its last use, 1m to 24h."`
	OnKickoff   string        `default:"yield" help:"What happens when a user signs in with the desktop client: yield (this sign-in ends) or reclaim (it is taken back after a minute, at most every 10 minutes)."`
}

// Inline is how the node stands between chat servers and their backend. The backend is legacy.xxb's, the chat server legacy.xxd's.
type Inline struct {
	Listen       string   `default:"127.0.0.1:8082" help:"Where chat servers find their backend in mode inline, HOST:PORT: what xxd.conf names as the backend is then http://HOST:PORT/xuanxuan.php. Only they should reach it."`
	AdvertiseURL string   `help:"Where other nodes that share the Redis reach legacy.inline.listen of this one, http://HOST:PORT: one of them is the chat servers' backend at a time, and the others hand on to it. Empty: http:// and legacy.inline.listen."`
	Uncured      []string `default:"committers" help:"Faults of the chat server that are left as they are for desktop clients: none, all, or some of broadcasts, kickoffs, reserved, anonymous, second-login, short-params, noise, injection, spoofing, presence, loss, committers."`
	Others       []string `help:"Further chat servers of the same backend, NAME=https://HOST:11443, with #FINGERPRINT of its certificate behind it where it has one of its own; their xxd.conf names the backend with ?x=NAME."`
	MaxOnline    int      `help:"How many users may be on desktops at once. Where xxd has a limit of its own (maxOnlineUser), set that one higher, for Xuangate takes one of its seats, and the limit here, which keeps that seat free. 0: no limit."`
}

// V1 is where the chat server is in mode v1.
type V1 struct {
	Addr      string        `help:"The 1.0 chat server's address, HOST:PORT; it listens on 8080 unless told otherwise."`
	FilesURL  string        `help:"The site that keeps the 1.0 chat server's files, http://HOST/: the address that users of its client sign in to. Empty: there are no files (10007)."`
	LinkIdle  time.Duration `default:"10m" help:"How long a user's connection is kept after its last use, 1m to 24h."`
	OnKickoff string        `default:"yield" help:"What happens when a user signs in with the desktop client: yield (this sign-in ends) or reclaim (it is taken back after a minute, at most every 10 minutes)."`
}

// Files is where uploaded files are in mode xxb. In modes xxd and v1 the chat server keeps them; in mode xxd it has a limit of
// its own.
type Files struct {
	Dir        string `help:"Directory for uploaded files in mode xxb; it must exist, and may be shared between nodes. Empty: there are no files (10007)."`
	MaxSize    int64  `default:"33554432" help:"Largest file in bytes that goes there, or to the site of mode v1, 1 to 1099511627776."`
	ServerName string `default:"xuanxuan" help:"Name of the backend in an xxd's configuration, for the folder in which an xxd would look for the files."`
}

// API is as which application the node asks the backend for what no user may, in modes xxb and xxd. All of it or nothing.
type API struct {
	URL       string     `help:"The address at which the backend answers applications, http://HOST/api.php; with legacy.api.code and legacy.api.token. Empty: /inner/send_notification and its kin answer 10007."`
	Code      string     `help:"Code of the application that is registered for Xuangate in the back office."`
	Token     Secret     `help:"That application's token."`
	TokenFile SecretFile `help:"File that holds legacy.api.token."`
}

// EventLog is what a client finds when it comes back.
type EventLog struct {
	Size  int           `default:"65536" help:"How many events are kept for clients that come back, 100 to 10000000."`
	Bytes int           `default:"67108864" help:"About how many bytes of memory they may take, at least 1048576; the oldest go first."`
	Age   time.Duration `default:"24h" help:"How long Redis keeps an event at most, 1m to 720h."`
}

// Log is what the node tells its operator, on standard error.
type Log struct {
	Level     slog.Level `reload:"" default:"info" help:"debug, info, warn or error."`
	Format    string     `default:"text" help:"text or json."`
	AuditFile string     `help:"File to which the audit log is appended, in log.format. Empty: it goes where the log goes."`
}
