package xuanxuan

import "context"

// settings stores a client's settings under an account and echoes them, or, given nothing, answers what is stored:
// null if nothing is. Any account's settings are open to anybody. They are stored as ASCII JSON, so no character is
// lost; what is longer than the column is cut, and then reads as null.
func (b *Backend) settings(ctx context.Context, r *request) (*answer, error) {
	account, err := r.text(0)
	if err != nil {
		return nil, err
	}
	data := r.param(1, "")
	if truthy(data) {
		_, err = b.store.exec(ctx, `INSERT OR REPLACE INTO sys_config ("key", value) VALUES (?, ?)`,
			key(account), b.columns.text(string(appendJSON(nil, data))))
	} else {
		var stored string
		stored, _, err = selectRow(ctx, b.store, column[string], `SELECT value FROM sys_config WHERE "key" = ?`, key(account))
		data, _ = decode([]byte(stored))
	}
	if err != nil {
		return nil, err
	}
	return r.success().set("users", []any{r.param(2, int64(0))}).set("data", data), nil
}
