package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
)

// LogConfig says how the log looks.
type LogConfig struct {
	Level  string // debug, info, warn or error; empty: info
	Format string // json, text or auto; empty: auto, which is text on a terminal and json elsewhere
}

// NewLogger makes the process's logger. It redacts by construction: secrets have types that print as placeholders.
func NewLogger(w io.Writer, c LogConfig) (*slog.Logger, error) {
	var level slog.Level
	if c.Level != "" {
		if err := level.UnmarshalText([]byte(c.Level)); err != nil {
			return nil, fmt.Errorf("log.level: %q: write debug, info, warn or error", c.Level)
		}
	}
	everything := &slog.HandlerOptions{Level: slog.Level(math.MinInt)}
	switch c.Format {
	case "json":
		return slog.New(leveled{slog.NewJSONHandler(w, everything), level}), nil
	case "text":
		return slog.New(leveled{slog.NewTextHandler(w, everything), level}), nil
	case "", "auto":
		if terminal(w) {
			return slog.New(leveled{slog.NewTextHandler(w, everything), level}), nil
		}
		return slog.New(leveled{slog.NewJSONHandler(w, everything), level}), nil
	default:
		return nil, fmt.Errorf("log.format: %q: write json, text or auto", c.Format)
	}
}

// leveled leaves out what is below a level, but for Audit.
type leveled struct {
	slog.Handler
	level slog.Level
}

func (h leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// WithAttrs keeps the level.
func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup keeps the level.
func (h leveled) WithGroup(name string) slog.Handler {
	return leveled{h.Handler.WithGroup(name), h.level}
}

// Audit is where audit lines go: the same log, at any level. Who did what is asked for afterwards, and then there is no
// level to lower.
func Audit(log *slog.Logger) *slog.Logger {
	if h, ok := log.Handler().(leveled); ok {
		return slog.New(h.Handler)
	}
	return log
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	about, err := f.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}
