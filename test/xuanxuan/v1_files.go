package xuanxuan

import (
	"context"
	"database/sql"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// v1FilesPath is the page of the web server beside the 1.0 server: m is the module attach, f upload or download. Seed 001
// names no more of it than that it is HTTP; that it wants the sid of somebody signed in is the stricter reading.
const v1FilesPath = "/index.php"

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
	}, `SELECT f.id, f.title, f.size, f.createdBy FROM sys_file f JOIN im_chat c ON c.id = f.objectID
		WHERE f.objectType = 'chat' AND c.gid = ? ORDER BY f.id`, key(gid))
	if rows == nil {
		rows = []object{}
	}
	return r.success().set("data", rows), err
}

// attach answers the page of files.
func (d *V1) attach(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	d.thread.Lock()
	u := d.sessions[q.Get("sid")]
	d.thread.Unlock()
	switch {
	case req.URL.Path != v1FilesPath || q.Get("m") != "attach":
		http.NotFound(w, req)
	case u == nil:
		d.sayFile(w, q.Get("f"), member{"result", "denied"}, member{"message", "Please login."})
	case q.Get("f") == "upload" && req.Method == http.MethodPost:
		d.upload(w, req, u)
	case q.Get("f") == "download":
		d.download(w, req)
	default:
		http.NotFound(w, req)
	}
}

func (d *V1) sayFile(w http.ResponseWriter, method string, more ...member) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(appendJSON(nil, append(object{{"module", "attach"}, {"method", method}}, more...)))
}

// upload keeps the files of a form, whatever their fields are called.
func (d *V1) upload(w http.ResponseWriter, req *http.Request, u *user) {
	if err := req.ParseMultipartForm(maxUploadMemory); err != nil {
		d.sayFile(w, "upload", member{"result", "fail"}, member{"message", "No file."})
		return
	}
	defer func() { _ = req.MultipartForm.RemoveAll() }()
	c, found, err := d.backend.chatByGID(req.Context(), req.URL.Query().Get("gid"))
	if err == nil && !found {
		d.sayFile(w, "upload", member{"result", "fail"}, member{"message", textNotExist.in("zh-cn")})
		return
	}
	data := []object{}
	for _, headers := range req.MultipartForm.File {
		for _, h := range headers {
			var id int64
			if err == nil {
				id, err = d.keep(req.Context(), c, u, h)
			}
			data = append(data, object{{"id", id}, {"title", h.Filename}})
		}
	}
	if err != nil {
		d.options.Logger.Error("cannot keep an upload", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	d.sayFile(w, "upload", member{"result", "success"}, member{"data", data})
}

func (d *V1) keep(ctx context.Context, c chat, u *user, h *multipart.FileHeader) (id int64, err error) {
	in, err := h.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	id, err = d.backend.store.insert(ctx, `INSERT INTO sys_file (title, extension, size, objectType, objectID, createdBy, createdDate)
		VALUES (?, ?, ?, 'chat', ?, ?, ?)`, d.backend.charset(h.Filename), strings.TrimPrefix(path.Ext(h.Filename), "."), h.Size,
		c.id, u.account, d.backend.date(d.backend.now()))
	if err != nil {
		return 0, err
	}
	out, err := os.OpenFile(d.file(id), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return 0, err
	}
	return id, out.Close()
}

func (d *V1) file(id int64) string {
	return filepath.Join(d.uploads, "v1-"+strconv.FormatInt(id, 10))
}

// download serves a file by its number, to anybody signed in.
func (d *V1) download(w http.ResponseWriter, req *http.Request) {
	id, err := strconv.ParseInt(req.URL.Query().Get("id"), 10, 64)
	if err != nil {
		http.NotFound(w, req)
		return
	}
	title, found, err := selectRow(req.Context(), d.backend.store, column[string], `SELECT title FROM sys_file WHERE id = ?`, id)
	if err != nil || !found {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+strings.ReplaceAll(title, `"`, "%22")+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeFile(w, req, d.file(id))
}
