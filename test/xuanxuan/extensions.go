package xuanxuan

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// An Extension is an application that the site offers inside the client.
type Extension struct {
	ID      int64
	Code    string // its name to programs
	Name    string // its name to people
	Abbr    string
	Login   string // where it is opened; "../" at the beginning stands for the site
	Package int64  // file number of its client package, 0 for none
	Logo    string // path on the site, "" for none
	SSO     bool   // it may sign users in: its answer lists all extensions
}

func scanExtension(rows *sql.Rows) (e Extension, err error) {
	err = rows.Scan(&e.ID, &e.Code, &e.Name, &e.Abbr, &e.Login, &e.Package, &e.Logo, &e.SSO)
	return e, err
}

const extensionColumns = `id, code, name, abbr, login, package, logo, sso`

// address is where an extension is opened.
func (e Extension) address(r *request) string {
	if strings.HasPrefix(e.Login, "http") {
		return e.Login
	}
	return strings.ReplaceAll(e.Login, "../", r.baseURL+"/")
}

func (e Extension) object(r *request) object {
	download, sum, logo := "", "", ""
	if e.Package != 0 {
		file := strconv.FormatInt(e.Package, 10)
		download = r.baseURL + "/sys/xuanxuan.php?m=file&f=download&t=json&fileID=" + file + "&mouse="
		sum = md5Hex(file)
	}
	if e.Logo != "" {
		logo = r.baseURL + "/" + strings.TrimLeft(e.Logo, "/")
	}
	return object{
		{"entryID", e.ID},
		{"name", e.Code},
		{"displayName", e.Name},
		{"abbrName", e.Abbr},
		{"webViewUrl", e.address(r)},
		{"download", download},
		{"md5", sum},
		{"logo", logo},
	}
}

// extensions lists the site's applications (recorded: 03_lists).
func (b *Backend) extensions(ctx context.Context, r *request) (*answer, error) {
	list, err := selectRows(ctx, b.store, scanExtension, `SELECT `+extensionColumns+` FROM sys_entry ORDER BY id`)
	if err != nil {
		return nil, err
	}
	all, data := make([]object, len(list)), make([]object, len(list))
	for i, e := range list {
		all[i] = object{{"id", strconv.FormatInt(e.ID, 10)}, {"url", e.address(r)}}
	}
	for i, e := range list {
		data[i] = e.object(r)
		if e.SSO {
			data[i] = append(data[i], member{"data", all})
		}
	}
	return r.success().set("data", data).set("users", []any{r.param(0, int64(0))}), nil
}

// visit answers the address at which the caller enters an extension, with a session. The address is the second param
// if there is one; left out, the caller's own number stands there (recorded: 13_errors).
func (b *Backend) visit(ctx context.Context, r *request) (*answer, error) {
	wanted, err := userKey(r.param(0, ""))
	if err != nil {
		return nil, err
	}
	referer := r.param(1, "")
	a := r.success().set("users", []any{r.user})
	e, found, err := selectRow(ctx, b.store, scanExtension, `SELECT `+extensionColumns+` FROM sys_entry WHERE id = ?`, wanted)
	if err != nil {
		return nil, err
	}
	if !found {
		return a.set("data", referer), nil
	}
	address := e.address(r)
	if truthy(referer) {
		if address, err = toString(referer); err != nil {
			return nil, err
		}
	}
	session := "rid=" + strings.ReplaceAll(newGID(), "-", "")
	if strings.Contains(address, "?") {
		return a.set("data", strings.TrimRight(address, "&")+"&"+session), nil
	}
	return a.set("data", strings.TrimRight(address, "?")+"?"+session), nil
}
