package xuanxuan

import (
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"
)

// maxUploadMemory is how much of an upload is held in memory; the rest waits in a temporary file.
const maxUploadMemory = 1 << 20

// upload keeps a file and tells the backend of it. Nobody else hears of it: the client sends a message afterwards.
// Whoever has the token may upload, as any user, into any chat (recorded: 15_upload_download).
func (x *XXD) upload(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Authorization") != x.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_ = req.ParseMultipartForm(maxUploadMemory) // what cannot be parsed has no file
	if req.MultipartForm != nil {
		defer func() { _ = req.MultipartForm.RemoveAll() }()
	}
	file, header, err := req.FormFile("file")
	if err != nil {
		fmt.Fprintln(w, "form file error")
		return
	}
	defer file.Close()
	switch {
	case header.Size <= 0:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintln(w, "get file size error")
		return
	case header.Size > x.options.UploadFileSize:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintln(w, "file is too large")
		return
	}
	gid, user := formValue(req, "gid"), formValue(req, "userID")
	server := req.Header.Get("ServerName")
	if server == "" {
		server = x.options.ServerName
	}
	if server != x.options.ServerName {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintln(w, "upload file info error")
		return
	}
	u := upload{server, header.Filename, strconv.FormatInt(x.options.Now().Unix(), 10)}
	// Both texts are put together as the real server does it, so that a quotation mark breaks them.
	answer, err := x.backend.call(req.Context(), fmt.Appendf(nil,
		`{"userID":%s,"module":"chat","method":"uploadFile","params":["%s","tmpfile/%s/%s/",%d,%s,"%s"]}`,
		user, u.name, u.server, u.day(), header.Size, u.second, gid))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintln(w, "upload file info error")
		return
	}
	id := fileID(answer)
	if err := x.keep(u, id, file); err != nil {
		x.options.Logger.Error("cannot keep an upload", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, `{"result":"success","data":{"time":`+u.second+`,"id":`+id+`,"name":"`+u.name+`"}}`)
}

// fileID is the number that the backend gave a file. Where it gave none, as for an unknown chat, one is made up.
func fileID(answer []byte) string {
	out, err := toFields(answer)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	v, ok := out["data"]
	if !ok {
		return strconv.Itoa(rand.IntN(999999) + 1)
	}
	id, ok := v.(string)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	return id
}

// An upload is what a file is found by, beside its number.
type upload struct{ server, name, second string }

// day is the folder of the upload's time.
func (u upload) day() string {
	n, _ := strconv.ParseInt(u.second, 10, 64)
	return time.Unix(n, 0).UTC().Format("2006/01/02")
}

func (x *XXD) path(u upload, id string) string {
	return filepath.Join(x.uploads, filepath.FromSlash(path.Clean("/"+u.server)), u.day(), md5Hex(u.name+id+u.second))
}

func (x *XXD) keep(u upload, id string, file multipart.File) error {
	name := x.path(u, id)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, file); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// download serves a file to whoever knows a user's session: "gid" is that user, not a chat, and "sid" is
// md5(session + file name). Any user may have any file (recorded: 15_upload_download).
func (x *XXD) download(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet {
		unsupported(w)
		return
	}
	_ = req.ParseForm() // what cannot be parsed is missing
	u := upload{name: formValue(req, "fileName"), second: formValue(req, "time")}
	id := formValue(req, "id")
	if u.server = formValue(req, "ServerName"); u.server == "" {
		u.server = x.options.ServerName
	}
	sid, user := formValue(req, "sid"), formValue(req, "gid")
	if sid != md5Hex(x.sessions.of(u.server, user)+u.name) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if _, err := strconv.ParseInt(u.second, 10, 64); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	f, err := os.Open(x.path(u, id))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+path.Base(u.name)+`"`)
	http.ServeContent(w, req, "", info.ModTime(), f)
}
