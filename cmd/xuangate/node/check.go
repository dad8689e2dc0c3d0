package node

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/folder"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/gen/model"
)

// maxSkew is how far the chat server's clock may be from ours before Check speaks of it.
const maxSkew = 30 * time.Second

// A Finding is one thing that Check learnt. Its text begins with the setting it is about.
type Finding struct {
	Fault bool // it must be put right before the node is of use; else it is good to know
	Text  string
}

// Check is Validate and, where that finds nothing wrong with the chat server's settings, a try of Redis and of the chat server: can it
// be reached, does it understand the key, is the operator an account of its own. It changes nothing there, and takes at
// most a few times legacy.timeout.
func Check(ctx context.Context, c Config) (found []Finding) {
	found = c.openSecrets()
	c, wrong := c.settle()
	for _, err := range wrong {
		found = append(found, Finding{true, err.Error()})
	}
	if risk := c.Inner.inClear(); risk != "" {
		found = append(found, Finding{false, risk})
	}
	found = append(found, c.TLS.check("tls")...)
	found = append(found, c.Inner.TLS.check("inner.tls")...)
	found = append(found, c.Log.check()...)
	found = append(found, c.Trace.check(ctx)...)
	var unset faults
	if c.Legacy.validate(&unset); len(unset) > 0 {
		return found
	}
	if c.Redis.shared() {
		found = append(found, c.Redis.check(ctx)...)
	}
	if c.Redis.shared() && c.Legacy.Mode != "xxb" && c.Node.AdvertiseURL == "" {
		found = append(found, Finding{false, "node.advertise_url: is not set; if there are other nodes, they answer the requests of users whose connection to the chat server stands here with 10002"})
	}
	found = append(found, c.Legacy.checkAPI(ctx)...)
	switch c.Legacy.Mode {
	case "xxd":
		return append(found, c.checkXXD(ctx)...)
	case "v1":
		return append(found, c.checkV1(ctx)...)
	case "inline":
		return append(found, c.checkInline(ctx)...)
	}
	files := c.checkFolder()
	if files.Fault {
		found = append(found, files)
	}
	found = append(found, expiringAt(ctx, "legacy.xxb.url", c.Legacy.XXB.URL, c.Legacy.Timeout)...)
	skew, err := reach(ctx, c.Legacy.XXB.URL, c.Legacy.Timeout)
	if err != nil {
		return append(found, Finding{true, "legacy.xxb.url: " + err.Error()})
	}
	if fault := c.ask(ctx); fault != "" {
		return append(found, Finding{true, fault})
	}
	found = append(found,
		Finding{false, "legacy.xxb: the chat server answers, and knows the operator"},
		Finding{false, onlyServer},
	)
	if !files.Fault {
		found = append(found, files)
	}
	found = append(found, c.checkTimezone(ctx)...)
	return append(found, skewed("legacy.xxb.url: the chat server's clock", skew)...)
}

// skewed is a note on a clock that is not as ours.
func skewed(whose string, ahead time.Duration) []Finding {
	if ahead.Abs() <= maxSkew {
		return nil
	}
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return []Finding{{false, fmt.Sprintf("%s is %s %s ours; let NTP set both", whose, ahead.Abs().Round(10*time.Second), side)}}
}

// check tries whether the audit log can be written; it makes no file.
func (l Log) check() []Finding {
	if l.AuditFile == "" {
		return nil
	}
	file, err := os.OpenFile(l.AuditFile, os.O_APPEND|os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) { // it is to be made
		_, err = os.Stat(filepath.Dir(l.AuditFile))
	} else if err == nil {
		err = file.Close()
	}
	if err != nil {
		return []Finding{{true, "log.audit_file: " + err.Error()}}
	}
	return nil
}

// checkFolder tries the directory of files.
func (c Config) checkFolder() Finding {
	if c.Files.Dir == "" {
		return Finding{false, "files.dir: is not set; there are no files, and operations on them answer 10007"}
	}
	files, err := folder.New(c.Files.Dir, c.Files.ServerName)
	if err == nil {
		err = files.Probe()
	}
	if err != nil {
		return Finding{true, "files.dir: " + err.Error()}
	}
	return Finding{false, "files.dir: files can be kept there"}
}

// checkAPI tries what the backend answers applications, where that is configured.
func (l Legacy) checkAPI(ctx context.Context) []Finding {
	if l.API.URL == "" {
		return nil
	}
	apps, err := l.API.client()
	if err != nil {
		return []Finding{{true, "legacy.api.url: " + err.Error()}}
	}
	defer apps.Close()
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	r, err := apps.Call(ctx, legacy.Call{Module: "chat", Method: "getChatGroups"})
	switch {
	case err != nil:
		return []Finding{{true, "legacy.api.url: " + unreachable(err, l.Timeout).Error()}}
	case r.Result != legacy.Success:
		return []Finding{{true, fmt.Sprintf("legacy.api.code: the backend does not take this code and token: %q", r.Reason())}}
	}
	return []Finding{{false, "legacy.api: the backend answers this application"}}
}

// checkXXD tries the chat server, and the operator's sign-in where it is configured; it lets nobody in, so nobody is kicked
// out.
func (c Config) checkXXD(ctx context.Context) []Finding {
	server, err := xxd.New(c.Legacy.XXD.server())
	if err != nil {
		return []Finding{{true, "legacy.xxd: " + err.Error()}}
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Legacy.Timeout)
	defer cancel()
	if err := server.Probe(ctx); err != nil {
		return []Finding{{true, c.Legacy.XXD.unproven(err, c.Legacy.Timeout)}}
	}
	found := append([]Finding{{false, "legacy.xxd: the chat server answers"}}, expiringAt(ctx, "legacy.xxd.url", c.Legacy.XXD.URL, c.Legacy.Timeout)...)
	for _, risk := range c.Legacy.XXD.risks() {
		found = append(found, Finding{false, risk})
	}
	if c.Inner.OperatorPassword == "" {
		return append(found, noOperator)
	}
	sum := md5.Sum([]byte(c.Inner.OperatorPassword))
	switch err := server.Verify(ctx, c.Inner.Operator, hex.EncodeToString(sum[:])); {
	case errors.Is(err, legacy.ErrPassword):
		return append(found, Finding{true, "inner.operator_password: the chat server does not take it for " + c.Inner.Operator + ", or has locked the account; a third wrong try locks it for ten minutes"})
	case errors.Is(err, legacy.ErrLocked), errors.Is(err, legacy.ErrDisabled):
		return append(found, Finding{true, "inner.operator: " + err.Error()})
	case err != nil:
		return append(found, Finding{true, "legacy.xxd: " + err.Error()})
	}
	return append(found, Finding{false, "inner.operator: the chat server takes the operator's password"})
}

// checkV1 tries the chat server. The operator's password is not tried: that would sign him in, and somebody out.
func (c Config) checkV1(ctx context.Context) []Finding {
	server, err := v1.New(c.oldServer())
	if err != nil {
		return []Finding{{true, "legacy.v1: " + err.Error()}}
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Legacy.Timeout)
	defer cancel()
	if err := server.Probe(ctx); err != nil {
		if late := ctx.Err(); late != nil {
			err = late
		}
		return []Finding{{true, "legacy.v1.addr: " + unreachable(err, c.Legacy.Timeout).Error()}}
	}
	found := []Finding{{false, "legacy.v1: the chat server answers"}, {false, inClear}}
	found = append(found, c.checkSite(ctx, server))
	if c.Inner.OperatorPassword == "" {
		return append(found, noOperator)
	}
	return append(found, Finding{false, "inner.operator_password: is not tried; a 1.0 server tells only by a sign-in, which would end another of the operator's"})
}

// checkSite tries the site that keeps the files of mode v1.
func (c Config) checkSite(ctx context.Context, server *v1.Server) Finding {
	if c.Legacy.V1.FilesURL == "" {
		return Finding{false, "legacy.v1.files_url: is not set; there are no files"}
	}
	if err := server.ProbeFiles(ctx); err != nil {
		return Finding{true, "legacy.v1.files_url: " + unreachable(err, c.Legacy.Timeout).Error()}
	}
	return Finding{false, "legacy.v1.files_url: the site answers"}
}

var noOperator = Finding{false, "inner.operator_password: is not set; /inner works once the operator has signed in by /login"}

// unproven says why a chat server could not be tried. One with a certificate that nobody vouches for is told by its
// fingerprint, for that is what to compare and to set.
func (x XXD) unproven(err error, timeout time.Duration) string {
	untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err)
	_, ended := expired(err)
	switch {
	case ended:
		return "legacy.xxd.url: " + unreachable(err, timeout).Error()
	case errors.Is(err, xxd.ErrCertificate):
		return "legacy.xxd.fingerprint: " + unreachable(err, timeout).Error()
	case !ok:
		return "legacy.xxd.url: " + unreachable(err, timeout).Error()
	case x.CAFile != "":
		return "legacy.xxd.ca_file: the chat server's certificate does not pass: " + untrusted.Err.Error()
	}
	return fmt.Sprintf("legacy.xxd.fingerprint: is not set, and no known authority vouches for the chat server's certificate (%v); "+
		"if it is the one on the chat server itself, set %x", untrusted.Err, sha256.Sum256(untrusted.UnverifiedCertificates[0].Raw))
}

// reach asks for the backend's page the way a browser does. It answers how far the server's clock is ahead of ours, and
// an error that says what to look at when nothing answers.
func reach(ctx context.Context, page string, timeout time.Duration) (skew time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return 0, err
	}
	once := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := once.Do(req)
	if err != nil {
		return 0, unreachable(err, timeout)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return 0, errors.New("the web server has no such page (404); give the address of the backend's xuanxuan.php")
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return 0, fmt.Errorf("the web server sends us on to %q; give that address if it is the backend's", res.Header.Get("Location"))
	}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		skew = time.Until(date)
	}
	return skew, nil
}

// unreachable says what a failed request means for the one who sets the address.
func unreachable(err error, timeout time.Duration) error {
	var dns *net.DNSError
	var ask *url.Error
	if end, is := expired(err); is {
		return fmt.Errorf("its certificate ended on %s; renew it", end.UTC().Format(time.DateOnly))
	}
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("no such host: %s", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens there; is the web server up, and is the port right?")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s; is the address right, does a firewall stand between?", timeout)
	case errors.As(err, &ask):
		return ask.Err
	}
	return err
}

// ask has the backend answer real calls, and says what is wrong if it does not.
func (c Config) ask(ctx context.Context) (fault string) {
	nobody := func(context.Context, adapter.Event) error { return nil }
	c.Legacy.Mode = "xxb" // which asks the backend alone
	translation, closeIdle, err := c.adapter(adapter.Config{Log: slog.New(slog.DiscardHandler), Sink: nobody})
	if err != nil {
		return err.Error()
	}
	defer closeIdle()
	err = translation.Ping(ctx)
	refused, _ := errors.AsType[*adapter.Error](err)
	switch {
	case err == nil:
		return ""
	case refused == nil:
		return "legacy.xxb.url: " + err.Error()
	case refused.Code == model.Conflict:
		return "inner.operator: " + refused.Text
	case refused.Code == model.TooSlow:
		return fmt.Sprintf("legacy.xxb.url: the web server answers, the backend behind it does not within %s; is its database up?",
			c.Legacy.Timeout)
	}
	return fmt.Sprintf("legacy.xxb.key: the web server answers, but not as a backend with this key does; "+
		"is it the key in the backend's configuration, and the page its xuanxuan.php? (%v)", refused.Err)
}
