package api

import (
	"net/http"
	"time"

	"github.com/rapport-cx/rapport/profile/topic"
)

// Topics tells what is said in public; topic.Topics is one.
type Topics interface {
	All(workspace string, from, to time.Time) []topic.Subject
	Find(workspace, name string, from, to time.Time) (topic.Subject, bool)
}

func (s *server) topicRoutes() {
	if s.Topics == nil {
		return
	}
	times := []string{"from: RFC 3339, in whole days", "to: RFC 3339, exclusive"}
	add(s, route{method: "GET", path: "/v1/topics", tag: "Metrics", who: secretKey, query: append(pageQuery[:1:1], times...),
		summary: "What people speak of in public, the most spoken of first, and how they feel about it."}, func(c *call, _ *none) (Page[topic.Subject], error) {
		limit, _, err := page(c.r)
		if err != nil {
			return Page[topic.Subject]{}, err
		}
		from, to, err := stretch(c.r)
		if err != nil {
			return Page[topic.Subject]{}, err
		}
		all := s.Topics.All(c.workspace.ID, from, to)
		return Page[topic.Subject]{Items: all[:min(limit, len(all))]}, nil
	})
	add(s, route{method: "GET", path: "/v1/topics/{topic}", tag: "Metrics", who: secretKey, query: times,
		summary: "One topic by day, with the newest of what was said: each ref opens onto the event."}, func(c *call, _ *none) (topic.Subject, error) {
		name, err := idOf(c.r, "topic")
		if err != nil {
			return topic.Subject{}, err
		}
		from, to, err := stretch(c.r)
		if err != nil {
			return topic.Subject{}, err
		}
		subject, ok := s.Topics.Find(c.workspace.ID, name, from, to)
		if !ok {
			return topic.Subject{}, refuse(http.StatusNotFound, "not_found")
		}
		return subject, nil
	})
}
