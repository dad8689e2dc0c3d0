package xuanxuan

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

// A store is the database. It may be used from any goroutine. One connection serves all: SQLite has one writer, a
// database in memory belongs to one connection, and every statement is a transaction of its own, as with MyISAM. So
// calls interleave between their statements, which is how the real server comes to store twins.
type store struct {
	db *sql.DB
	// statements holds *sql.Stmt by text. The texts are the constants of this package.
	statements sync.Map
}

// openStore opens the database in a file, or one in memory if file is empty, and makes the tables that are missing.
func openStore(ctx context.Context, file string) (*store, error) {
	name := "file::memory:?_pragma=journal_mode(MEMORY)"
	if file != "" {
		name = "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open("sqlite", name+"&_pragma=synchronous(OFF)&_pragma=temp_store(MEMORY)")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("make tables: %w", err), db.Close())
	}
	return &store{db: db}, nil
}

func (s *store) close() error {
	var errs []error
	s.statements.Range(func(_, v any) bool {
		errs = append(errs, v.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(append(errs, s.db.Close())...)
}

func (s *store) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if v, ok := s.statements.Load(query); ok {
		return v.(*sql.Stmt), nil
	}
	made, err := s.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	v, found := s.statements.LoadOrStore(query, made)
	if found {
		return v.(*sql.Stmt), made.Close()
	}
	return made, nil
}

func (s *store) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// insert returns the row's number.
func (s *store) insert(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := s.exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// insertUnlessTaken is insert, but 0 where a key refused the row.
func (s *store) insertUnlessTaken(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := s.exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return 0, err
	}
	return res.LastInsertId()
}

// selectRows reads all rows before it returns, for the next statement needs the connection.
func selectRows[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// selectRow returns the first row; ok is false where there is none.
func selectRow[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), query string, args ...any) (v T, ok bool, err error) {
	list, err := selectRows(ctx, s, scan, query, args...)
	if err != nil || len(list) == 0 {
		return v, false, err
	}
	return list[0], true, nil
}

// column scans rows of one column.
func column[T any](rows *sql.Rows) (v T, err error) {
	err = rows.Scan(&v)
	return v, err
}

// set is a list as one parameter, for "IN (SELECT value FROM json_each(?))".
func set[T int64 | string](list []T) string {
	b, err := json.Marshal(list)
	if err != nil {
		panic(err) // integers and strings always have a JSON form
	}
	return string(b)
}
