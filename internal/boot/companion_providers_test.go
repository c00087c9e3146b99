package boot

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/oauth/provider"
)

// Whatever is built in can be configured, with a client's id and secret and what docs/providers.md says it needs besides.
func TestEveryPresetCanBeConfigured(t *testing.T) {
	needs := map[string]string{"cognito": ", domain: x.auth.eu-west-1.amazoncognito.com, region: eu-west-1, user_pool_id: eu-west-1_abc"}
	for _, name := range provider.Presets() {
		yaml := fmt.Sprintf(`better_auth: { url: "https://app.example.com", secret: 0123456789abcdef0123456789abcdef }
store: { url: "postgres://db/app" }
oauth: { providers: { %s: { client_id: x, client_secret: y%s } } }
`, name, needs[name])
		c, problems := config.Load(config.Options{
			Path: "usher.yaml", ReadFile: func(string) ([]byte, error) { return []byte(yaml), nil }, Providers: ProviderNames(),
		})
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		} else if err := CheckSignIn(c); err != nil {
			t.Error(err)
		}
	}
}

// Every option of a provider has a key of the same name, and is what the key says: one that nobody can set is not there.
func TestEveryOptionHasAKey(t *testing.T) {
	var keys, options []string
	full := config.Provider{}
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		keys = append(keys, v.Type().Field(i).Tag.Get("yaml"))
		switch field := v.Field(i).Addr().Interface().(type) {
		case *string:
			*field = "x"
		case *[]string:
			*field = []string{"x"}
		case *map[string]string:
			*field = map[string]string{"b": "2", "a": "1"}
		case *bool:
			*field = true
		case *int:
			*field = 1
		case *time.Duration:
			*field = time.Minute
		case *config.Toggle:
			*field = config.Off
		case *config.Secret:
			*field = config.NewSecret("x")
		default:
			t.Fatalf("%s: no sample for %T", keys[i], field)
		}
	}
	made := providerOptions(full)
	o := reflect.ValueOf(made)
	for i := range o.NumField() {
		key := o.Type().Field(i).Tag.Get("key")
		options = append(options, key)
		if o.Field(i).IsZero() {
			t.Errorf("%s is set and does not arrive", key)
		}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "audience" || key == "allow_idp_initiated" }) // more of client_id; of the server
	slices.Sort(keys)
	slices.Sort(options)
	if !slices.Equal(keys, options) {
		t.Errorf("keys\n%q\noptions\n%q", keys, options)
	}
	if want := []provider.Param{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}; !slices.Equal(made.AuthorizationParams, want) {
		t.Errorf("parameters %v, want %v: the same order on every start", made.AuthorizationParams, want)
	}
}
