package sqlite

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// SQLite columns hold whatever was put into them, and every toolchain puts in something else.

// secondsBelow parts seconds from milliseconds: as seconds it is the year 5138, as milliseconds 1973.
const secondsBelow = 1e11

// instant reads a time: ISO text, SQLite's own text (which is UTC), milliseconds or seconds as integer, real or text.
// Null and empty are the zero time.
func instant(value any) (time.Time, error) {
	switch v := value.(type) {
	case nil:
		return time.Time{}, nil
	case int64:
		if v > -secondsBelow && v < secondsBelow {
			return time.Unix(v, 0).UTC(), nil
		}
		return time.UnixMilli(v).UTC(), nil
	case float64:
		if math.IsNaN(v) || math.Abs(v) > math.MaxInt64/1e3 {
			break
		}
		if math.Abs(v) < secondsBelow {
			v *= 1e3
		}
		return time.UnixMicro(int64(math.Round(v * 1e3))).UTC(), nil
	case []byte:
		return instant(string(v))
	case string:
		v = strings.TrimSpace(v)
		if v == "" {
			return time.Time{}, nil
		}
		for _, layout := range [...]string{
			time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999",
		} {
			if at, err := time.Parse(layout, v); err == nil {
				return at.UTC(), nil
			}
		}
		if number, err := strconv.ParseFloat(v, 64); err == nil {
			return instant(number)
		}
	}
	return time.Time{}, fmt.Errorf("%T that is not a time", value) // not the value: it may be anything
}

// flag reads a boolean. Null is false.
func flag(value any) (bool, error) {
	switch v := value.(type) {
	case nil:
		return false, nil
	case int64:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case bool:
		return v, nil
	case []byte:
		return flag(string(v))
	case string:
		if v == "" {
			return false, nil
		}
		return strconv.ParseBool(v)
	}
	return false, fmt.Errorf("%T that is not a boolean", value)
}
