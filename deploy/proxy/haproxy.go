package proxy

import "strings"

func haproxy() family {
	return family{
		Kind:  Kind{Name: "haproxy", Summary: "HAProxy with a Lua action; two files, so use -o"},
		modes: []string{"http"},
		files: func(*site) []source {
			return []source{{"haproxy.cfg", "haproxy.cfg.tmpl"}, {"usher.lua", "usher.lua.tmpl"}}
		},
	}
}

// Socket is the name of the listener between Lua and the gate, of its own for each HAProxy on a machine.
func (s *site) Socket() string {
	return "abns@usher-" + strings.ReplaceAll(strings.TrimPrefix(s.Listen.Host+"-"+s.Listen.Port, "-"), ":", "-")
}
