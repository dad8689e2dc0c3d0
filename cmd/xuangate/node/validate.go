package node

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // legacy.timezone must load on machines without a time zone database

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/inline"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
)

// minInnerKey is how short the inner key may be. It opens every user's account, so it must not be a guessable word.
const minInnerKey = 32

// serverName is what may be a folder's name on every file system.
var serverName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate says what is wrong with the settings, all of it at once: one error per fault, each beginning with the name of
// its setting. None means the node can be started; whether the chat server answers is Check's question.
func (c Config) Validate() []error {
	_, all := c.settle()
	return all
}

// validate is Validate of settings whose secrets are in place.
func (c Config) validate() []error {
	var f faults
	f.address("addr", c.Addr)
	c.TLS.validate(&f, "tls")
	c.Inner.TLS.validate(&f, "inner.tls")
	for _, o := range c.Origins {
		f.origin("origins", o)
	}
	f.between("token_ttl", c.TokenTTL, time.Minute, 10*365*24*time.Hour)
	if n := len(c.SecretKey); n > 0 && n < minInnerKey {
		f.add("secret_key", "has %d characters, want at least %d; openssl rand -hex 32 makes one", n, minInnerKey)
	}
	f.between("drain", c.Drain, time.Second, time.Minute)
	f.positive("streams.per_node", c.Streams.PerNode)
	f.positive("streams.per_user", c.Streams.PerUser)
	f.positive("streams.per_address", c.Streams.PerAddress)
	c.Limits.validate(&f)

	if c.Inner.Addr != "" && !c.Dev {
		f.address("inner.addr", c.Inner.Addr)
		if _, port, _ := net.SplitHostPort(c.Addr); c.Inner.Addr == c.Addr && port != "0" {
			f.add("inner.addr", "is the same as addr; give /inner a port of its own")
		}
	}
	if c.Ops.Addr != "" {
		f.address("ops.addr", c.Ops.Addr)
		if _, port, _ := net.SplitHostPort(c.Ops.Addr); port != "0" && (c.Ops.Addr == c.Addr || c.Ops.Addr == c.Inner.Addr && !c.Dev) {
			f.add("ops.addr", "is the same as addr or inner.addr; give it a port of its own")
		}
	} else if c.Ops.PProf {
		f.add("ops.pprof", "is set without ops.addr")
	}
	if n := len(c.Inner.Key); n > 0 && n < minInnerKey && !c.Dev {
		f.add("inner.key", "has %d characters, want at least %d; openssl rand -hex 32 makes one", n, minInnerKey)
	}
	if c.Inner.Operator == "" {
		f.add("inner.operator", "is empty; name an account of the chat server, such as admin")
	}

	for _, name := range c.Inner.Calls {
		if err := adapter.CheckCall(name); err != nil {
			f.add("inner.calls", "%s", err)
		}
	}
	c.Legacy.validate(&f)
	if c.Files.MaxSize < 1 || c.Files.MaxSize > 1<<40 {
		f.add("files.max_size", "is %d, want 1 to %d", c.Files.MaxSize, int64(1)<<40)
	}
	if !serverName.MatchString(c.Files.ServerName) {
		f.add("files.server_name", "%q is no name of a backend; it is made of letters, digits, - and _", c.Files.ServerName)
	}
	if c.EventLog.Size < 100 || c.EventLog.Size > 10_000_000 {
		f.add("eventlog.size", "is %d, want 100 to 10000000", c.EventLog.Size)
	}
	if c.EventLog.Bytes < 1<<20 {
		f.add("eventlog.bytes", "is %d, want at least %d", c.EventLog.Bytes, 1<<20)
	}
	f.between("eventlog.age", c.EventLog.Age, time.Minute, 30*24*time.Hour)
	c.Redis.validate(&f)
	c.Node.validate(&f)
	if c.Redis.shared() && c.SecretKey == "" {
		f.add("secret_key", "is missing; nodes that share a Redis must have the same one, openssl rand -hex 32 makes it")
	}
	f.either("log.format", c.Log.Format, "text", "json")
	c.Trace.validate(&f)
	return f
}

func (n Node) validate(f *faults) {
	if n.AdvertiseURL == "" {
		return
	}
	u, err := url.Parse(n.AdvertiseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		f.add("node.advertise_url", "%q is no address of a node; write http://HOST:PORT, such as http://10.0.0.7:8080", n.AdvertiseURL)
	}
}

func (l Legacy) validate(f *faults) {
	switch l.Mode {
	case "xxb":
		l.XXB.validate(f)
	case "xxd":
		l.XXD.validate(f)
	case "v1":
		l.V1.validate(f)
		if l.API != (API{}) {
			f.add("legacy.api", "is for backends of version 2; a chat server of version 1.0 knows no applications")
		}
	case "inline":
		l.XXB.validate(f)
		l.XXD.validate(f)
		l.Inline.validate(f, l.XXD)
	default:
		f.add("legacy.mode", "%q is no mode; xxb, xxd, inline and v1 are", l.Mode)
	}
	l.API.validate(f)
	if _, err := time.LoadLocation(l.Timezone); err != nil || l.Timezone == "" {
		f.add("legacy.timezone", "%q is no time zone; write it as Asia/Shanghai", l.Timezone)
	}
	f.either("legacy.emoji", l.Emoji, "shortname", "raw")
	if l.MaxContent < 1 || l.MaxContent > 65535 {
		f.add("legacy.max_content", "is %d, want 1 to 65535; the chat server cuts what is longer", l.MaxContent)
	}
	f.between("legacy.timeout", l.Timeout, 100*time.Millisecond, time.Minute)
	f.positive("legacy.max_calls", l.MaxCalls)
	if l.SignIns < 0.1 || l.SignIns > 1000 {
		f.add("legacy.sign_ins", "is %g, want 0.1 to 1000", l.SignIns)
	}
	f.between("legacy.poll", l.Poll, time.Second, time.Minute)
}

func (x XXB) validate(f *faults) {
	f.web("legacy.xxb.url", x.URL, "the backend", "http://10.0.0.5/xuanxuan.php")
	switch n := len(x.Key); n {
	case legacy.KeySize:
	case 0:
		f.add("legacy.xxb.key", "is missing; it is the 32-character key in the backend's and xxd's configuration")
	default:
		f.add("legacy.xxb.key", "has %d characters, want %d; it is the key in the backend's and xxd's configuration", n, legacy.KeySize)
	}
}

func (i Inline) validate(f *faults, first XXD) {
	f.address("legacy.inline.listen", i.Listen)
	if i.MaxOnline < 0 {
		f.add("legacy.inline.max_online", "is %d, want 0 or more", i.MaxOnline)
	}
	if i.AdvertiseURL != "" {
		f.web("legacy.inline.advertise_url", i.AdvertiseURL, "this node", "http://10.0.0.7:8082")
	}
	if _, err := inline.ParseFaults(i.Uncured); err != nil {
		f.add("legacy.inline.uncured", "%s", err)
	}
	if _, err := i.sites(first); err != nil {
		f.add("legacy.inline.others", "%s", err)
	}
}

func (x XXD) validate(f *faults) {
	f.web("legacy.xxd.url", x.URL, "the chat server", "https://10.0.0.5:11443")
	trust := x.server()
	trust.URL = "https://xxd" // the address has been judged, and must not hide a fault of the trust
	if _, err := xxd.New(trust); err != nil {
		f.add("legacy.xxd", "%s", err)
	}
	f.either("legacy.xxd.device", x.Device, "desktop", "mobile")
	f.either("legacy.xxd.on_kickoff", x.OnKickoff, "yield", "reclaim")
	f.between("legacy.xxd.link_idle", x.LinkIdle, time.Minute, 24*time.Hour)
}

func (v V1) validate(f *faults) {
	host, port, err := net.SplitHostPort(v.Addr)
	n, numberErr := strconv.ParseUint(port, 10, 16)
	switch {
	case v.Addr == "":
		f.add("legacy.v1.addr", "is missing; it is the address of the chat server, such as 10.0.0.5:8080")
	case err != nil || host == "" || numberErr != nil || n == 0:
		f.add("legacy.v1.addr", "%q is no address of the chat server; write it as 10.0.0.5:8080", v.Addr)
	}
	if v.FilesURL != "" {
		f.web("legacy.v1.files_url", v.FilesURL, "the site with the files", "http://10.0.0.5/")
	}
	f.either("legacy.v1.on_kickoff", v.OnKickoff, "yield", "reclaim")
	f.between("legacy.v1.link_idle", v.LinkIdle, time.Minute, 24*time.Hour)
}

func (a API) validate(f *faults) {
	if a == (API{}) {
		return
	}
	f.web("legacy.api.url", a.URL, "api.php", "http://10.0.0.5/api.php")
	if a.Code == "" {
		f.add("legacy.api.code", "is missing; it is the code of the application registered in the back office")
	}
	if a.Token == "" {
		f.add("legacy.api.token", "is missing; it is the token of the application registered in the back office")
	}
}

func (x XXD) server() xxd.Config {
	return xxd.Config{
		URL: x.URL, ServerName: x.ServerName, Device: x.Device,
		CAFile: x.CAFile, Fingerprint: x.Fingerprint, Insecure: x.Insecure,
	}
}

// faults gathers what is wrong, one error per setting and fault.
type faults []error

func (f *faults) add(key, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

func (f *faults) address(key, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		f.add(key, "%q is no address to listen on; write HOST:PORT, such as 127.0.0.1:8080 or :8080", addr)
	}
}

// web wants the address of what answers HTTP there, written as the example is.
func (f *faults) web(key, raw, there, example string) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		f.add(key, "is missing; it is the address of %s, such as %s", there, example)
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		f.add(key, "%q is no address of %s; write it as %s", raw, there, example)
	}
}

func (f *faults) origin(key, origin string) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		f.add(key, "%q is no origin; write https://chat.example.com, without a path", origin)
	}
}

func (f *faults) between(key string, d, least, most time.Duration) {
	if d < least || d > most {
		f.add(key, "is %s, want %s to %s", short(d), short(least), short(most))
	}
}

func (f *faults) positive(key string, n int) {
	if n < 1 {
		f.add(key, "is %d, want at least 1", n)
	}
}

// short writes a duration as it is set: 1m, not 1m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (f *faults) either(key, value, one, other string) {
	if value != one && value != other {
		f.add(key, "%q is neither %s nor %s", value, one, other)
	}
}
