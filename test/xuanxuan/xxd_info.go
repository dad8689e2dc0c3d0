package xuanxuan

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// routes are what the HTTP port answers.
func (x *XXD) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/serverInfo", crossOrigin(x.serverInfo))
	if x.options.SysInfo {
		mux.HandleFunc("/sysGetServerInfo", crossOrigin(x.sysGetServerInfo))
	}
	mux.HandleFunc("/upload", crossOrigin(x.upload))
	mux.HandleFunc("/download", x.download)
	return mux
}

// crossOrigin lets pages of any site read the answers, and answers whatever is no POST (recorded: 15_upload_download).
func crossOrigin(post http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "POST,GET,OPTIONS,DELETE")
		h.Set("Access-Control-Allow-Headers", "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, X-FILENAME, ServerName")
		h.Set("Access-Control-Allow-Credentials", "true")
		if req.Method != http.MethodPost {
			unsupported(w)
			return
		}
		post(w, req)
	}
}

func unsupported(w http.ResponseWriter) { fmt.Fprintln(w, "not supported request") }

// formValue is a form field that the real server reads without looking whether it is there: without it the connection
// ends with no answer.
func formValue(req *http.Request, name string) string {
	if len(req.Form[name]) == 0 {
		panic(http.ErrAbortHandler)
	}
	return req.Form[name][0]
}

// serverInfo is what a 2.x client asks before it connects: the key of the frames and the port. The backend checks the
// password, each wrong one counting; but it is asked whatever method the client writes, so "ping" needs none.
func (x *XXD) serverInfo(w http.ResponseWriter, req *http.Request) {
	_ = req.ParseForm() // what cannot be parsed is missing
	in, err := toFields([]byte(formValue(req, "data")))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answer, ok := x.ask(req.Context(), w, in)
	if !ok {
		return
	}
	if answer["result"] != "success" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	x.writeJSON(w, struct {
		Version        string `json:"version"`
		Token          string `json:"token"`
		SiteType       string `json:"siteType"`
		UploadFileSize int64  `json:"uploadFileSize"`
		ChatPort       int    `json:"chatPort"`
		TestModel      bool   `json:"testModel"`
	}{xxdVersion, x.token, "singleSite", x.options.UploadFileSize, x.ChatPort(), false})
}

// ask forwards a request of the HTTP port to the backend. It has answered itself if ok is false: a name or an answer
// that cannot be used is 500.
func (x *XXD) ask(ctx context.Context, w http.ResponseWriter, in fields) (answer fields, ok bool) {
	name, err := serverName(in)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if name == "" || name == x.options.ServerName {
		var request, plain []byte
		if request, err = json.Marshal(in); err == nil {
			if plain, err = x.backend.call(ctx, request); err == nil {
				answer, err = toFields(plain)
			}
		}
	}
	if err != nil || answer == nil {
		x.options.Logger.Debug("cannot verify a login", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return nil, false
	}
	return answer, true
}

func (x *XXD) writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		x.options.Logger.Error("cannot encode an answer", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, string(text))
}

// What this server says of itself by sysGetServerInfo.
const (
	sysInfoVersion = "v2.4.0"
	apiVersion     = "3.0.0"
)

// sysGetServerInfo is serverInfo of later servers. It tells a wrong password, an account locked for a time and one
// locked for good apart: 401, 402 and 403.
func (x *XXD) sysGetServerInfo(w http.ResponseWriter, req *http.Request) {
	_ = req.ParseForm() // what cannot be parsed is missing
	in, err := toFields([]byte(formValue(req, "data")))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	params, _ := in["params"].([]any)
	if in["method"] != "sysGetServerInfo" || len(params) < 3 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	lang, _ := in["lang"].(string)
	login := fields{"module": "chat", "method": "login", "params": append(params[:3:3], ""), "v": in["v"], "lang": lang}
	answer, ok := x.ask(req.Context(), w, login)
	if !ok {
		return
	}
	if answer["result"] != "success" {
		w.WriteHeader(refusalStatus(answer["data"]))
		return
	}
	var scheme any = fields{"version": apiVersion} // the file's beginning; nothing here depends on the rest
	if len(params) > 3 && params[3] == apiVersion {
		scheme = true
	}
	x.writeJSON(w, struct {
		Version        string `json:"version"`
		Token          string `json:"token"`
		UploadFileSize int64  `json:"uploadFileSize"`
		ChatPort       int    `json:"chatPort"`
		APIScheme      any    `json:"apiScheme"`
		ClientUpdate   fields `json:"clientUpdate"`
		Push           fields `json:"push"`
	}{sysInfoVersion, x.token, x.options.UploadFileSize, x.ChatPort(), scheme, fields{}, fields{}})
}

// refusalStatus tells from the backend's sentence why a login was refused.
func refusalStatus(sentence any) int {
	for _, lang := range []string{"zh-cn", "zh-tw", "en"} {
		switch sentence {
		case textLockedForEver.in(lang):
			return http.StatusForbidden
		case textLoginFailed.in(lang):
			return http.StatusUnauthorized
		}
	}
	return http.StatusPaymentRequired // locked for minutes or days
}
