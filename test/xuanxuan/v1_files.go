package xuanxuan

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// The files of a 1.0 site are with the web server beside the chat server, which is a Ranzhi. Seed 001 tells the module, the
// methods and the answers; the addresses and the form are those of the 1.0.0 client and of its server plugin, whose source is
// public (app/models/api.js: getconfig, concalUrl, uploadFile; server/app/sys/attach and Ranzhi's module file):
//
//	index.php?mode=getconfig                                   how addresses are made: requestType, sessionVar
//	sys/attach-upload.json?sid=…                               with PATH_INFO; POST, a form of files[] and gid
//	sys/attach-download-7.json?sid=…
//	sys/index.php?m=attach&f=upload&type=json&sid=…            with GET
//	sys/index.php?m=attach&f=download&fileID=7&type=json&sid=…
//
// The sid is that of the chat connection: both are PHP sessions of one server.

// phpPostMax is PHP's post_max_size. Of a request that is larger PHP throws the fields and the files away, in silence.
const phpPostMax = 50 << 20

// dangers are extensions that Ranzhi takes for txt; so are their parts.
const dangers = "php,php3,php4,phtml,php5,jsp,py,rb,asp,aspx,ashx,asa,cer,cdx,aspl,shtm,shtml,html,htm"

// attachList lists the files of a chat, to anybody.
func (d *V1) attachList(ctx context.Context, r *v1Request) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	rows, err := selectRows(ctx, d.backend.store, func(rows *sql.Rows) (object, error) {
		var id, size int64
		var title, by string
		err := rows.Scan(&id, &title, &size, &by)
		return object{{"id", id}, {"title", title}, {"size", size}, {"addedBy", by}}, err
	}, `SELECT f.id, f.title || '.' || f.extension, f.size, f.createdBy FROM sys_file f JOIN im_chat c ON c.id = f.objectID
		WHERE f.objectType = 'chat' AND c.gid = ? ORDER BY f.id`, key(gid))
	if rows == nil {
		rows = []object{}
	}
	return r.success().set("data", rows), err
}

// site answers the web server's pages.
func (d *V1) site(w http.ResponseWriter, req *http.Request) {
	method, file, ok := d.page(req.URL.Path, req.URL.RawQuery)
	sid := req.URL.Query().Get("sid")
	d.thread.Lock()
	u := d.sessions[sid]
	d.thread.Unlock()
	switch {
	case req.URL.Path == "/index.php" && req.URL.Query().Get("mode") == "getconfig":
		d.exportConfig(w)
	case ok && method == "upload":
		d.backend.faults.take(&request{module: "attach", method: method}).spoil(w, req, func(w http.ResponseWriter) { d.upload(w, req, u) })
	case ok && method == "download":
		d.download(w, req, u, file)
	default:
		http.NotFound(w, req)
	}
}

// page is the method of module attach that an address names, and its first parameter: parameters count by their order, and
// not by their names.
func (d *V1) page(address, query string) (method, first string, ok bool) {
	if d.options.PathInfo {
		page, ok := strings.CutPrefix(strings.TrimSuffix(address, ".json"), "/sys/attach-")
		method, first, _ = strings.Cut(page, "-")
		return method, first, ok
	}
	if address != "/sys/index.php" {
		return "", "", false
	}
	for _, pair := range strings.Split(query, "&") {
		switch name, value, _ := strings.Cut(pair, "="); {
		case name == "m":
			ok = value == "attach"
		case name == "f":
			method = value
		case name != "sid" && first == "":
			first = value
		}
	}
	return method, first, ok
}

func (d *V1) exportConfig(w http.ResponseWriter) {
	kind := "GET"
	if d.options.PathInfo {
		kind = "PATH_INFO"
	}
	_, _ = w.Write(appendJSON(nil, object{
		{"version", "4.2"},
		{"requestType", kind},
		{"requestFix", "-"},
		{"moduleVar", "m"},
		{"methodVar", "f"},
		{"viewVar", "t"},
		{"sessionVar", "sid"},
		{"sessionName", "sid"},
		{"sessionID", newSID()},
		{"rand", int64(4396)},
		{"expiredTime", "1440"},
		{"name", "ranzhi"},
	}))
}

// upload keeps the files of a form, for anybody, in any chat. It answers their titles, which are their names without what
// Ranzhi takes for the extension.
func (d *V1) upload(w http.ResponseWriter, req *http.Request, u *user) {
	data := []object{}
	if req.ContentLength >= 0 && req.ContentLength <= phpPostMax && req.ParseMultipartForm(maxUploadMemory) == nil {
		defer func() { _ = req.MultipartForm.RemoveAll() }()
		c, _, err := d.backend.chatByGID(req.Context(), req.PostFormValue("gid"))
		for _, h := range req.MultipartForm.File["files[]"] {
			f := v1File{chat: c.id, header: h}
			if u != nil {
				f.by = u.account
			}
			if err == nil {
				err = d.keep(req.Context(), &f)
			}
			data = append(data, object{{"id", f.id}, {"title", f.title}})
		}
		if err != nil {
			d.options.Logger.Error("cannot keep an upload", "err", err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	_, _ = w.Write(appendJSON(nil, object{{"module", "attach"}, {"method", "upload"}, {"result", "success"}, {"data", data}}))
}

// A v1File is an upload on its way to the disk.
type v1File struct {
	chat, id  int64
	title, by string
	header    *multipart.FileHeader
}

func (d *V1) keep(ctx context.Context, f *v1File) error {
	in, err := f.header.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	extension := strings.TrimPrefix(path.Ext(f.header.Filename), ".")
	if strings.Contains(dangers, extension) { // none is one as well
		extension = "txt"
	}
	f.title = strings.ReplaceAll(f.header.Filename, "."+extension, "")
	now := d.backend.now()
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	name := now.UTC().Format("200601") + "/f_" + hex.EncodeToString(random[:]) + "." + extension
	if err := os.MkdirAll(filepath.Join(d.uploads, path.Dir(name)), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(d.uploads, name), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	f.id, err = d.backend.store.insert(ctx, `INSERT INTO sys_file (pathname, title, extension, size, objectType, objectID, createdBy, createdDate)
		VALUES (?, ?, ?, ?, 'chat', ?, ?, ?)`, name, d.backend.charset(f.title), d.backend.charset(extension), f.header.Size, f.chat, f.by,
		d.backend.date(now))
	return err
}

// download serves a file by its number, whole, to anybody signed in.
func (d *V1) download(w http.ResponseWriter, req *http.Request, u *user, number string) {
	id, _ := strconv.ParseInt(number, 10, 64) // what is no number is 0
	names, found, err := selectRow(req.Context(), d.backend.store, func(rows *sql.Rows) (n [3]string, err error) {
		return n, rows.Scan(&n[0], &n[1], &n[2])
	}, `SELECT pathname, title, extension FROM sys_file WHERE id = ?`, id)
	if err != nil || !found {
		_, _ = io.WriteString(w, "file not found!")
		return
	}
	if u == nil {
		http.Redirect(w, req, "/sys/user-login.html", http.StatusFound)
		return
	}
	in, err := os.Open(filepath.Join(d.uploads, names[0]))
	if err != nil {
		_, _ = io.WriteString(w, "file not found!")
		return
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+names[1]+"."+names[2]+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	_, _ = io.Copy(w, in) // a client that is gone hears no error
}
