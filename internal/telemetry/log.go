package telemetry

import (
	"fmt"
	"io"
	"log/slog"
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
	options := &slog.HandlerOptions{Level: level}
	switch c.Format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "", "auto":
		if terminal(w) {
			return slog.New(slog.NewTextHandler(w, options)), nil
		}
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("log.format: %q: write json, text or auto", c.Format)
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	about, err := f.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}
