package redisconn

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/store"
)

func TestURLs(t *testing.T) {
	for url, want := range map[string]target{
		"redis://localhost":                             {hosts: []string{"localhost:6379"}},
		"REDIS://localhost/":                            {hosts: []string{"localhost:6379"}},
		"redis://localhost:7000/3":                      {hosts: []string{"localhost:7000"}, database: 3},
		"redis://:secret@[::1]/1":                       {hosts: []string{"[::1]:6379"}, password: "secret", database: 1},
		"redis://[fe80::1%eth0]:7000":                   {hosts: []string{"[fe80::1%eth0]:7000"}},
		"redis://usher:p%40s%2Fs%3A%25@r:1":             {hosts: []string{"r:1"}, user: "usher", password: "p@s/s:%"},
		"redis://usher:p@ss:word@r":                     {hosts: []string{"r:6379"}, user: "usher", password: "p@ss:word"},
		"rediss://r?ca=/etc/ca.pem&server_name=r.local": {tls: true, hosts: []string{"r:6379"}, ca: "/etc/ca.pem", serverName: "r.local"},
		"rediss://r/2?cert=/c&key=/k":                   {tls: true, hosts: []string{"r:6379"}, database: 2, cert: "/c", key: "/k"},
		"redis+sentinel://a,b:7000/mymaster":            {kind: sentinel, hosts: []string{"a:26379", "b:7000"}, master: "mymaster"},
		"rediss+sentinel://u:p@a,[::1]/m/2?sentinel_password=s%26t&sentinel_username=su&ca=/x": {
			kind: sentinel, tls: true, hosts: []string{"a:26379", "[::1]:26379"}, master: "m", database: 2,
			user: "u", password: "p", sentinelUser: "su", sentinelPassword: "s&t", ca: "/x",
		},
		"redis+cluster://a,b:7001":           {kind: cluster, hosts: []string{"a:6379", "b:7001"}},
		"redis+cluster://a/0":                {kind: cluster, hosts: []string{"a:6379"}},
		"rediss+cluster://:p@a:7000,b?ca=/x": {kind: cluster, tls: true, hosts: []string{"a:7000", "b:6379"}, password: "p", ca: "/x"},
	} {
		got, err := parse(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(target{})); d != "" {
			t.Errorf("%s: %s", url, d)
		}
		if !Handles(url) {
			t.Errorf("Handles(%q) is false", url)
		}
	}
}

// Every refused URL holds a password, or what could be one; no error may show it. What it says is what to write.
func TestRefusedURLs(t *testing.T) {
	const secret = "hunter2"
	for url, want := range map[string]string{
		"":                                                      "redis://host:6379",
		secret:                                                  "redis://host:6379",
		"http://" + secret + "@r":                               "redis://host:6379",
		"redis:" + secret:                                       "redis://host:6379",
		"redis://" + secret + "@r":                              "redis://user:password@host",
		"redis://user:@" + secret:                               "redis://:password@host",
		"redis://:" + secret + "#x@r":                           "%23",
		"redis://:" + secret + "/x@r":                           "%2F",
		"redis://:" + secret + "?x@r":                           "%3F",
		"redis://:" + secret + "%zz@r":                          "%25",
		"redis://:" + secret + " @r":                            "space",
		"redis://:" + secret + "@r:" + secret:                   "65535",
		"redis://:" + secret + "@r:0":                           "65535",
		"redis://:" + secret + "@":                              "host is missing",
		"redis://:" + secret + "@::1":                           "[::1]",
		"redis://:" + secret + "@[::1":                          "[::1]",
		"redis://:" + secret + "@[" + secret + "]":              "[::1]",
		"redis://:" + secret + "@a,b":                           "redis+cluster://",
		"redis://:" + secret + "@a/" + secret:                   "number",
		"redis://:" + secret + "@a/-1":                          "number",
		"redis://:" + secret + "@a?ca=/x":                       "rediss://",
		"rediss://:" + secret + "@a?insecure_skip_verify=1":     "ca, cert, key, server_name",
		"rediss://:" + secret + "@a?" + secret + "=1":           "ca, cert, key, server_name",
		"rediss://:" + secret + "@a?ca=/x&ca=/y":                "several",
		"rediss://:" + secret + "@a?ca=":                        "no value",
		"rediss://:" + secret + "@a?cert=/x":                    "belong together",
		"rediss://:" + secret + "@a?ca=%zz":                     "cannot be read",
		"redis+sentinel://:" + secret + "@a,b":                  "mymaster",
		"redis+sentinel://:" + secret + "@a,,b/m":               "host is missing",
		"redis+sentinel://a/m?sentinel_username=" + secret:      "sentinel_password",
		"redis+cluster://:" + secret + "@a,b/1":                 "database 0",
		"redis+cluster://:" + secret + "@a?sentinel_password=x": "rediss://",
	} {
		err := Check(url)
		if err == nil {
			t.Errorf("%q is accepted", url)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error shows the password: %v", url, err)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error does not speak of %q: %v", url, want, err)
		}
		if !store.Permanent(err) {
			t.Errorf("%q: waiting does not mend it, and the error does not say so", url)
		}
		if _, err := Open(url, Options{}); err == nil {
			t.Errorf("Open accepts %q", url)
		}
	}
}

func FuzzURL(f *testing.F) {
	for line := range strings.SplitSeq(Forms, "\n") {
		f.Add(line)
	}
	f.Add("rediss+sentinel://u:p%40@a,[::1]:1/m/2?sentinel_password=s&ca=/x")
	f.Fuzz(func(t *testing.T, url string) {
		got, err := parse(url)
		if err != nil {
			return
		}
		if len(got.hosts) == 0 || got.kind == sentinel && got.master == "" || got.user != "" && got.password == "" {
			t.Errorf("%q was accepted as %+v", url, got)
		}
	})
}
