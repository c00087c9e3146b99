package proxy

import (
	"slices"
	"strings"
)

func envoy() family {
	return family{
		Kind:  Kind{Name: "envoy", Summary: "Envoy's ext_authz filter; -mode grpc (default) or http"},
		modes: []string{"grpc", "http"},
		files: func(s *site) []source {
			if s.GRPC {
				return []source{{"envoy.yaml", "envoy.yaml.tmpl"}}
			}
			return []source{{"envoy-http.yaml", "envoy.yaml.tmpl"}}
		},
	}
}

// AnyCluster is the discovery type of Envoy's clusters: names are resolved, addresses are not.
func (a address) AnyCluster() string {
	if a.IP() {
		return "STATIC"
	}
	return "STRICT_DNS"
}

// Mutable is the regular expression of every header that the gate may set or remove behind Envoy's mutation rules: the
// identity headers and, because the rules bind removals too, every other spelling of one. RE2, matched as a whole
// against names in lower case.
func (s *site) Mutable() string {
	var any []string
	for _, name := range s.Names {
		any = append(any, strings.ReplaceAll(strings.ToLower(name), "-", "[^a-z0-9]"))
	}
	for _, name := range s.Remove {
		if lower := strings.ToLower(name); !slices.Contains(any, lower) {
			any = append(any, lower)
		}
	}
	return strings.Join(append(any, "x-envoy-auth-.*", "authorization"), "|")
}
