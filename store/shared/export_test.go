package shared

import "time"

// SetSlack is for tests with one Redis, before the first question.
func SetSlack(c *Cache, slack time.Duration) { c.slack = slack }
