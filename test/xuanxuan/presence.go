package xuanxuan

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"
)

// maxFails is how many wrong comparisons an account bears. Each wrong try counts two, so the third one locks it.
const maxFails = 4

const lockTime = 10 * time.Minute

// login checks a password and, only where the status asked for is exactly "online", sets the user online and answers
// him. Any other status is a check and no more (recorded: 02_login_wrong_password).
func (b *Backend) login(ctx context.Context, r *request) (*answer, error) {
	account, err := r.text(0)
	if err != nil {
		return nil, err
	}
	password, err := r.text(1)
	if err != nil {
		return nil, err
	}
	id, refusal, err := b.authenticate(ctx, r, account, password)
	if err != nil {
		return nil, err
	}
	if refusal != "" {
		return r.answer().set("result", "fail").set("data", refusal), nil
	}
	if r.param(2, "") != any("online") {
		return r.success(), nil
	}
	u, _, err := b.editUser(ctx, object{{"status", "online"}}, id)
	if err != nil {
		return nil, err
	}
	online, err := b.online(ctx, nil)
	if err != nil {
		return nil, err
	}
	signed, err := b.signIn(ctx, u.account)
	if err != nil {
		return nil, err
	}
	data := append(u.object(r), member{"signed", signed}, member{"ranzhiUrl", r.baseURL})
	return r.success().set("users", online).set("data", data), nil
}

// authenticate compares twice, each failure counting: what was sent with the stored hash, then md5(sent + account)
// with it. A client sends md5(plain), which only the second one accepts, so even a right password after two wrong ones
// meets a locked account. refusal is the sentence to answer, "" for success.
func (b *Backend) authenticate(ctx context.Context, r *request, account, password string) (id int64, refusal string, err error) {
	for _, hash := range []string{password, md5Hex(password + account)} {
		id, refusal, err = b.identify(ctx, r, account, hash)
		if err != nil || refusal == "" {
			return id, refusal, err
		}
	}
	return 0, refusal, nil
}

// credentials are the columns of sys_user that a login looks at.
type credentials struct {
	id, fails      int64
	stored, locked string
}

func (b *Backend) identify(ctx context.Context, r *request, account, hash string) (int64, string, error) {
	failed := textLoginFailed.in(r.lang)
	if !truthy(account) || !truthy(hash) {
		return 0, failed, nil
	}
	c, ok, err := selectRow(ctx, b.store, func(rows *sql.Rows) (c credentials, err error) {
		err = rows.Scan(&c.id, &c.fails, &c.stored, &c.locked)
		return c, err
	}, `SELECT id, fails, password, locked FROM sys_user WHERE account = ? AND deleted = 0`, key(account))
	if err != nil || !ok {
		return 0, failed, err
	}
	now := b.now()
	if c.locked != zeroDate {
		if left := time.Duration(b.unix(c.locked)-now.Unix()) * time.Second; left > 0 {
			return 0, lockedText(left, r.lang), nil
		}
		c.fails, c.locked = 0, zeroDate
	}
	if hash == c.stored {
		c.fails, c.locked = 0, zeroDate
	} else if c.fails++; c.fails > maxFails {
		c.locked = b.date(now.Add(lockTime))
	}
	if _, err := b.store.exec(ctx, `UPDATE sys_user SET fails = ?, locked = ? WHERE id = ?`, c.fails, c.locked, c.id); err != nil {
		return 0, "", err
	}
	if hash != c.stored {
		return 0, failed, nil
	}
	return c.id, "", nil
}

// lockedText tells how long: an account locked by wrong passwords for ten minutes, one locked by an administrator for
// days or for ever.
func lockedText(left time.Duration, lang string) string {
	days := int(math.Ceil(left.Hours() / 24))
	switch {
	case left <= lockTime:
		return textLocked.in(lang)
	case days <= 30:
		return fmt.Sprintf(textLockedForDays.in(lang), days)
	default:
		return textLockedForEver.in(lang)
	}
}

// signIn notes the day's first login and returns its time in unix seconds, or "" where attendance is off.
func (b *Backend) signIn(ctx context.Context, account string) (any, error) {
	if b.noSignIn {
		return "", nil
	}
	now := b.date(b.now())
	day := now[:len("2006-01-02")]
	if _, err := b.store.exec(ctx, `INSERT OR IGNORE INTO sys_attend (account, date, signIn) VALUES (?, ?, ?)`, account, day, now); err != nil {
		return nil, err
	}
	first, _, err := selectRow(ctx, b.store, column[string], `SELECT signIn FROM sys_attend WHERE account = ? AND date = ?`, account, day)
	return b.unix(first), err
}

// logout sets the caller offline and answers all others. xxd also calls it for connections that never signed in, with
// user 0: then nobody changes and the data is a status of null (recorded: 02_login_wrong_password).
func (b *Backend) logout(ctx context.Context, r *request) (*answer, error) {
	u, found, err := b.editUser(ctx, object{{"status", "offline"}}, r.param(0, int64(0)))
	if err != nil {
		return nil, err
	}
	online, err := b.online(ctx, nil)
	if err != nil {
		return nil, err
	}
	data := object{{"status", nil}}
	if found {
		data = u.object(r)
	}
	return r.success().set("users", online).set("data", data), nil
}

// serverStart sets everybody offline, makes the system chat if there is none, and answers with an empty body.
func (b *Backend) serverStart(ctx context.Context, _ *request) (*answer, error) {
	if _, err := b.store.exec(ctx, `UPDATE sys_user SET clientStatus = 'offline'`); err != nil {
		return nil, err
	}
	return nil, b.createSystemChat(ctx)
}
