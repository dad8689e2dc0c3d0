package xuanxuan

import (
	"context"
	"strings"
)

// settings stores a client's settings under an account and echoes them, or, given nothing, answers what is stored:
// null if nothing is. Any account's settings are open to anybody. They are stored as ASCII JSON, so no character is
// lost; what is longer than the column is cut, and then reads as null.
//
// The framework addresses a value by a path with dots in it, so the settings of an account with a dot lie under another
// key. What lies there on a real server was not measured; here it is the worst that can, another account's settings.
func (b *Backend) settings(ctx context.Context, r *request) (*answer, error) {
	account, err := r.text(0)
	if err != nil {
		return nil, err
	}
	data := r.param(1, "")
	if truthy(data) {
		_, err = b.store.exec(ctx, `INSERT OR REPLACE INTO sys_config ("key", value) VALUES (?, ?)`,
			settingsOwner(account), b.columns.text(string(appendJSON(nil, data))))
	} else {
		var stored string
		stored, _, err = selectRow(ctx, b.store, column[string], `SELECT value FROM sys_config WHERE "key" = ?`, settingsOwner(account))
		data, _ = decode([]byte(stored))
	}
	if err != nil {
		return nil, err
	}
	return r.success().set("users", []any{r.param(2, int64(0))}).set("data", data), nil
}

func settingsOwner(account string) string {
	owner, _, _ := strings.Cut(key(account), ".")
	return owner
}
