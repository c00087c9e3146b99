package gate

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
)

// fill gives every part of a value something that is not zero, and every list room for more.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	if !v.CanSet() {
		v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("left over")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(7)
	case reflect.Func:
		v.Set(reflect.ValueOf(func(string, string) {}))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 5))
		for i := range 3 {
			fill(t, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[netip.Addr]() {
			v.Set(reflect.ValueOf(netip.MustParseAddr("203.0.113.9")))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("say how to fill a %s", v.Type())
	}
}

// TestResetLeavesNothing: an edge uses both again for somebody else. Also what lies behind the end of a list is gone.
func TestResetLeavesNothing(t *testing.T) {
	r, a := new(Request), new(Answer)
	fill(t, reflect.ValueOf(r).Elem())
	fill(t, reflect.ValueOf(a).Elem())
	r.Reset()
	a.Reset()
	for _, v := range []reflect.Value{reflect.ValueOf(r).Elem(), reflect.ValueOf(a).Elem()} {
		for i := range v.NumField() {
			what, name := v.Field(i), v.Type().String()+"."+v.Type().Field(i).Name
			if what.Kind() != reflect.Slice {
				if !what.IsZero() {
					t.Errorf("%s is left", name)
				}
				continue
			}
			if what.Len() != 0 || what.Cap() == 0 {
				t.Errorf("%s: length %d, capacity %d", name, what.Len(), what.Cap())
			}
			for behind := range what.Cap() {
				if member := what.Slice(0, what.Cap()).Index(behind); !member.IsZero() {
					t.Errorf("%s: %s is left behind its end", name, fmt.Sprint(member))
				}
			}
		}
	}
}

// TestCollectedIsWhatCollectReads: a header that Collect looks for and the list does not name would be ignored.
func TestCollectedIsWhatCollectReads(t *testing.T) {
	h, err := NewHeaders(HeadersConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range collected {
		var r Request
		h.Collect(&r, name, "websocket")
		if reflect.DeepEqual(r, Request{}) {
			t.Errorf("%s is named, and not read", name)
		}
	}
}
