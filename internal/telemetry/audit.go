package telemetry

import (
	"context"
	"log/slog"
	"time"
)

// Audit writes one line of the audit log: what somebody did, and pairs of names and values, of which the empty ones are left
// out and the others kept short, for they may come from outside. The line is written whatever log.level says: that says how
// much the process tells about itself, and an operator who wants less of it has not asked to lose who did what. So it is
// handed to the handler, past the logger, which would ask for the level.
func Audit(log *slog.Logger, action string, pairs ...string) {
	attrs := []slog.Attr{slog.String("action", action)}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			attrs = append(attrs, slog.String(pairs[i], Shorten(pairs[i+1])))
		}
	}
	audit(log, attrs)
}

func audit(log *slog.Logger, attrs []slog.Attr) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "audit", 0)
	r.AddAttrs(attrs...)
	_ = log.Handler().Handle(context.Background(), r) // as a logger does: a log that cannot be written is told to nobody
}
