package config

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// Whatever a configuration holds, good or not, Print writes it so that it is read as the same.
func TestWhatIsPrintedIsReadAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Default()
		for _, k := range keysOf(c) {
			if _, section := k.value.Interface().(Tables); !section && rapid.IntRange(0, 3).Draw(t, k.path+" is set") == 0 {
				fill(t, k.value, k.field.Tag, k.path)
			}
		}
		c.Listen = Default().Listen // Load turns "off" into nothing
		var text bytes.Buffer
		if err := c.Print(&text); err != nil {
			t.Fatal(err)
		}
		again, problems := Load(Options{
			Path: "f", Environ: []string{"SECRET=hunter2"}, ReadFile: func(string) ([]byte, error) { return text.Bytes(), nil },
		})
		if diff := cmp.Diff(c, again, cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b Secret) bool {
			return a.Reveal() == b.Reveal() && a.from == b.from
		})); diff != "" {
			t.Fatalf("(-printed +read)\n%s\nproblems %v\n%s", diff, problems, text.String())
		}
		if strings.Contains(text.String(), "hunter2") {
			t.Fatalf("a secret is printed:\n%s", text.String())
		}
	})
}

var oddWords = rapid.OneOf(rapid.StringMatching(`[A-Za-z][A-Za-z0-9_./-]{0,8}`), rapid.StringMatching(`[ -~]{1,6}`),
	rapid.SampledFrom([]string{
		"true", "no", "null", "~", "off", "1e3", "0x1", "1_0", " a ", "a: b", "# c", "'q'", `"d"`, "é\n\tü", "{a}", "*x", "&y", "- z",
		"\u2028", "%", "@", "<<", "!t", "2020-01-01", "\x01\x7f", "=", "?", "💡", "a #b", "|", ">",
	}))

// fill gives a value of any type of the configuration something odd.
func fill(t *rapid.T, v reflect.Value, tag reflect.StructTag, path string) {
	if words := tag.Get("enum"); words != "" {
		v.SetString(rapid.SampledFrom(strings.Split(words, ",")).Draw(t, path))
		return
	}
	switch v.Interface().(type) {
	case Secret, URL:
		secret, _ := secretIn(v)
		*secret = Secret{value: NewSecret("hunter2").value, from: reference{"env", "SECRET"}}
		return
	case VersionedSecret:
		v.FieldByName("Version").SetInt(rapid.Int64Range(0, 3).Draw(t, path))
		fill(t, v.FieldByName("Value"), "", path)
		return
	case Toggle:
		v.SetUint(uint64(rapid.IntRange(0, 2).Draw(t, path)))
		return
	case OrgSource:
		kind := rapid.SampledFrom([]string{"header", "active", "first", "host", "path"}).Draw(t, path)
		source := OrgSource{Kind: kind}
		if kind == "host" || kind == "path" {
			source.Pattern = oddWords.Draw(t, path)
		}
		v.Set(reflect.ValueOf(source))
		return
	case time.Duration:
		v.SetInt(rapid.Int64Range(math.MinInt64+1, math.MaxInt64).Draw(t, path))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(oddWords.Draw(t, path))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, path))
	case reflect.Int:
		v.SetInt(int64(rapid.Int().Draw(t, path)))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, path))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 2).Draw(t, path), 2))
		for i := range v.Len() {
			fill(t, v.Index(i), "", indexed(path, i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 2).Draw(t, path) {
			element := reflect.New(v.Type().Elem()).Elem()
			fill(t, element, "", path)
			v.SetMapIndex(reflect.ValueOf(oddWords.Draw(t, path+" name")), element)
		}
	case reflect.Struct:
		for field, at := range fieldsOf(v.Type(), path) {
			if rapid.Bool().Draw(t, at+" is set") {
				fill(t, v.FieldByIndex(field.Index), field.Tag, at)
			}
		}
	default:
		t.Fatalf("%s: %s", path, v.Type())
	}
}
