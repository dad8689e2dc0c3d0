package node

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// audit is where the audit log goes.
func (c Config) audit(log *slog.Logger) (audit *slog.Logger, shut func() error, err error) {
	if c.Log.AuditFile == "" {
		return log, func() error { return nil }, nil
	}
	file, err := os.OpenFile(c.Log.AuditFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("log.audit_file: %w", err)
	}
	return c.logger(file, slog.LevelInfo), file.Close, nil // a quieter log is no quieter audit
}

// logger writes from a level on, which may be changed at any time if it is a LevelVar.
func (c Config) logger(to io.Writer, from slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: from}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}
