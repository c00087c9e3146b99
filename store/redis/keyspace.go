package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Where a server has no client tracking, or does not allow it, keyspace events do nearly the same: they tell nothing of
// FLUSHALL, and only what notify-keyspace-events says.

// errDeaf marks what only people can mend, so that it is not tried again every moment.
var errDeaf = errors.New("this Redis does not tell what changes in it")

const eventsSetting = "notify-keyspace-events"

// subscribe asks for keyspace events, because of why there is nothing better.
func (e *ear) subscribe(ctx context.Context, why error, cluster bool) error {
	if cluster && !e.modern {
		return fmt.Errorf("%w: %w", errDeaf, why) // who is a master could not be asked
	}
	e.events = true
	if err := e.checkEvents(ctx); err != nil {
		return fmt.Errorf("%w: %w; allow its user +client|tracking and +client|trackinginfo, or else: %w", errDeaf, why, err)
	}
	_, err := e.ask(ctx, "PSUBSCRIBE", "__keyspace@*__:"+literally(e.prefix)+"*")
	if refused(err) {
		return fmt.Errorf("%w: %w; allow its user +client|tracking and +client|trackinginfo, or +psubscribe and all channels (&*)", errDeaf, err)
	}
	return err
}

// checkEvents reports what is missing for events of all kinds that concern sessions.
func (e *ear) checkEvents(ctx context.Context) error {
	flags, err := e.setting(ctx, eventsSetting)
	if err != nil {
		return fmt.Errorf("allow it +config|get, to see %s: %w", eventsSetting, err)
	}
	if !suffices(flags) {
		return fmt.Errorf("set %s to KA (it is %q)", eventsSetting, flags)
	}
	return nil
}

func (e *ear) setting(ctx context.Context, name string) (string, error) {
	if !e.modern { // a connection that listens may not ask, in version 2
		return e.config(ctx, name)
	}
	answer, err := e.ask(ctx, "CONFIG", "GET", name)
	value, _ := member(answer, name).(string)
	return value, err
}

// suffices: K is the kind that is named after keys; of what happens to them, A is all, g DEL and EXPIRE, $ SET, x the end
// of a lifetime, e eviction.
func suffices(flags string) bool {
	if !strings.Contains(flags, "K") {
		return false
	}
	if strings.Contains(flags, "A") {
		return true
	}
	for _, kind := range "g$xe" {
		if !strings.ContainsRune(flags, kind) {
			return false
		}
	}
	return true
}

// literally is a pattern that matches the text itself.
func literally(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
