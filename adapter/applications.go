package adapter

import (
	"context"
	"net/url"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// Extensions lists the site's applications.
func (a *Adapter) Extensions(ctx context.Context, u legacy.UserID) (model.Extensions, error) {
	rows, err := a.extensions(ctx, "list applications", u)
	if err != nil {
		return model.Extensions{}, err
	}
	list := make([]model.Extension, len(rows))
	for i, row := range rows {
		list[i] = model.Extension{
			EntryId: int64(row.EntryID), Name: string(row.Name), DisplayName: string(row.DisplayName), AbbrName: string(row.AbbrName),
			WebViewUrl: string(row.WebViewURL), Download: string(row.Download), Md5: string(row.MD5), Logo: string(row.Logo),
		}
		for _, one := range row.Data {
			list[i].Entries = append(list[i].Entries, model.ExtensionEntry{EntryId: int64(one.ID), Url: string(one.URL)})
		}
	}
	return model.Extensions{Extensions: list}, nil
}

func (a *Adapter) extensions(ctx context.Context, op string, u legacy.UserID) ([]legacy.ExtensionRow, error) {
	r, err := a.read(ctx, op, legacy.Chat(u, "extensions"))
	if err != nil {
		return nil, err
	}
	var rows legacy.List[legacy.ExtensionRow]
	return rows, spoken(op, r, &rows)
}

// VisitExtension returns an address that opens an application with u signed in. Legacy puts the session behind any referer,
// and answers the referer as it is for an application that does not exist; so both are looked at here.
func (a *Adapter) VisitExtension(ctx context.Context, u legacy.UserID, entry int64, referer string) (string, error) {
	const op = "visit application"
	rows, err := a.extensions(ctx, op, u)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if int64(row.EntryID) != entry {
			continue
		}
		if referer != "" && !sameSite(referer, string(row.WebViewURL)) {
			return "", refuse(op, model.InvalidParameter, "referer: must be an address on the application's own site, for it gets a session of yours")
		}
		r, err := a.call(ctx, op, legacy.Call{Module: "entry", Method: "visit", User: u, Params: []any{entry, referer}})
		if err != nil {
			return "", err
		}
		var address legacy.Text
		if err := spoken(op, r, &address); err != nil {
			return "", err
		}
		if r.Unsure || address == "" || string(address) == referer {
			return "", refuse(op, model.Conflict, "the chat server gave no address for this application")
		}
		return string(address), nil
	}
	return "", refuse(op, model.NotFound, "no such application: %d", entry)
}

// sameSite says whether two web addresses are of one scheme, host and port.
func sameSite(x, y string) bool {
	one, err := url.Parse(x)
	other, err2 := url.Parse(y)
	if err != nil || err2 != nil || one.User != nil || (one.Scheme != "http" && one.Scheme != "https") {
		return false
	}
	return one.Scheme == other.Scheme && one.Host != "" && strings.EqualFold(one.Host, other.Host)
}
