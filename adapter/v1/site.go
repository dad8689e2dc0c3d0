package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/transfer"
)

// A site is the Ranzhi beside a 1.0 server, whose files it keeps: the web server whose address the users of that version's
// client type in. It may be used from any goroutine.
//
// Seed 001 tells the module, the methods and the answers of files. The addresses and the form are those of the 1.0.0 client,
// whose source is public (app/models/api.js, zentao-config.js), and of what answers it (server/app/sys/attach, and Ranzhi's
// module file). Nobody has recorded them.
type site struct {
	base  *url.URL // ends with a slash
	http  *http.Client
	limit int64 // in bytes, of uploads
	stall time.Duration

	mu    sync.Mutex
	rules *rules // nil until the site has told them
}

// rules are how a site's addresses are made.
type rules struct {
	Name        legacy.Text `json:"name"`        // ranzhi, whose modules are below sys/
	RequestType legacy.Text `json:"requestType"` // PATH_INFO or GET
	SessionName legacy.Text `json:"sessionName"`
	SessionVar  legacy.Text `json:"sessionVar"`
}

const (
	// maxSaid bounds what the site may say where it does not give a file. Without it a server gone mad fills our memory.
	maxSaid = 64 << 10
	// sidUnknown is the name of a session's parameter where the site tells none, as the client has it.
	sidUnknown = "sid"
)

// newSite checks an address. It does not connect.
func newSite(address string, limit int64, stall time.Duration) (*site, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("address %q of the files: want http://HOST/", address)
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	return &site{base: base, limit: limit, stall: stall, http: &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			DisableCompression:  true, // what is compressed on the way does not tell its size
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ask makes the rules known, asking the site once for as long as this process lives.
func (s *site) ask(ctx context.Context) (*rules, error) {
	s.mu.Lock()
	known := s.rules
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.stall)
	defer cancel()
	at := s.base.JoinPath("index.php")
	at.RawQuery = "mode=getconfig"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	text, err := s.say(req)
	if err != nil {
		return nil, err
	}
	r := &rules{}
	if err := json.Unmarshal(text, r); err != nil || r.RequestType == "" {
		return nil, fmt.Errorf("%s is no site of a 1.0 server: it answers %.100q", s.base.Redacted(), text)
	}
	s.mu.Lock()
	s.rules = r
	s.mu.Unlock()
	return r, nil
}

// say makes a request that is answered with a text.
func (s *site) say(req *http.Request) ([]byte, error) {
	res, err := s.http.Do(req)
	if err != nil {
		return nil, transfer.WithoutQuery(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxSaid))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d, %.100q", res.StatusCode, text)
	}
	return text, err
}

// page is the address of a method of module attach, with its one parameter, or "". The site takes parameters by their order,
// so the query is in the client's.
func (r *rules) page(base *url.URL, sid, method, param string) *url.URL {
	if r.Name == "ranzhi" {
		base = base.JoinPath("sys/")
	}
	session := url.QueryEscape(string(r.sessionName())) + "=" + url.QueryEscape(sid)
	if strings.EqualFold(string(r.RequestType), "PATH_INFO") {
		if param != "" {
			param = "-" + param
		}
		at := base.JoinPath("attach-" + method + param + ".json")
		at.RawQuery = session
		return at
	}
	at := base.JoinPath("index.php")
	if param != "" {
		param = "&fileID=" + param
	}
	at.RawQuery = "m=attach&f=" + method + param + "&type=json&" + session
	return at
}

func (r *rules) sessionName() legacy.Text {
	for _, name := range []legacy.Text{r.SessionName, r.SessionVar} {
		if name != "" {
			return name
		}
	}
	return sidUnknown
}

// upload sends a form, and returns the number that the file was given.
func (s *site) upload(ctx context.Context, sid string, f *form) (id int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := s.ask(ctx)
	if err != nil {
		return 0, err
	}
	watch := transfer.NewWatch(s.stall, cancel)
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.page(s.base, sid, "upload", "").String(), transfer.Watched{Reader: f.file, Watch: watch})
	if err != nil {
		return 0, err
	}
	req.ContentLength = f.size // PHP behind some web servers cannot take a form of unknown length
	req.Header.Set("Content-Type", f.media)
	watch.Start()
	text, err := s.say(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return 0, err
	}
	var a struct {
		Result legacy.Result `json:"result"`
		Data   []struct {
			ID legacy.Int `json:"id"`
		} `json:"data"`
	}
	switch err := json.Unmarshal(text, &a); {
	case err != nil || a.Result != legacy.Success:
		return 0, fmt.Errorf("the site does not take a file: %.100q", text)
	case len(a.Data) == 0: // of a request that is too large for it PHP tells Ranzhi nothing
		return 0, fmt.Errorf("%w: the site kept nothing of it; its PHP's post_max_size and upload_max_filesize are smaller", legacy.ErrFileTooLarge)
	case a.Data[0].ID <= 0:
		return 0, fmt.Errorf("the site gave a file no number: %.100q", text)
	}
	return int64(a.Data[0].ID), nil
}

// get asks for a file. The site gives it whole, whatever part is asked for.
func (s *site) get(ctx context.Context, sid string, id int64, span string) (*http.Response, error) {
	r, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.page(s.base, sid, "download", strconv.FormatInt(id, 10)).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", span)
	res, err := s.http.Do(req)
	if err != nil {
		return nil, transfer.WithoutQuery(err)
	}
	switch {
	case res.StatusCode == http.StatusFound: // to the page where one signs in
		err = legacy.ErrNoSession
	case res.StatusCode == http.StatusNotFound,
		res.StatusCode == http.StatusOK && res.Header.Get("Content-Disposition") == "": // a sentence, "file not found!"
		err = legacy.ErrNoFile
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusPartialContent:
		err = fmt.Errorf("status %d", res.StatusCode)
	default:
		return res, nil
	}
	return nil, errors.Join(err, res.Body.Close())
}
