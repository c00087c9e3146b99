package redis

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
)

// masters are how to reach every server that takes writes: one, or all of a cluster.
func (s *Store) masters(ctx context.Context) (all []*redis.Options, cluster bool, err error) {
	switch client := s.client.(type) {
	case *redis.Client:
		return []*redis.Options{client.Options()}, false, nil
	case *redis.ClusterClient:
		var mu sync.Mutex
		err := client.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, node.Options())
			return nil
		})
		if err == nil && len(all) == 0 {
			err = errors.New("the cluster has no master")
		}
		return all, true, err
	}
	return nil, false, errors.New("a client of a kind that is not known here")
}

// onlyKnown wants every master that CLUSTER SLOTS names to be one that is listened to. Each server knows best which
// slots are its own, and is asked itself: as long as none of them has handed a slot to a stranger, all changes are told
// by somebody who is heard.
func onlyKnown(slots any, known map[string]bool) error {
	ranges, _ := slots.([]any)
	if len(ranges) == 0 {
		return errors.New("the cluster has no slots")
	}
	for _, r := range ranges { // first, last, master, replicas…
		parts, _ := r.([]any)
		if len(parts) < 3 {
			return errors.New("the cluster's slots cannot be read")
		}
		master, _ := parts[2].([]any) // address, port, id…
		if len(master) < 3 {
			return errors.New("the cluster's slots cannot be read")
		}
		if id, _ := master[2].(string); !known[id] {
			return errors.New("the masters of the cluster have changed")
		}
	}
	return nil
}
