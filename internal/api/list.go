package api

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// Page is one page of a list.
type Page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor" doc:"Where the next page begins; null on the last one."`
}

var pageQuery = []string{"limit: how many, 50 when not given, at most 1,000", "cursor: next_cursor of the page before"}

const (
	usualPage = 50
	mostPage  = 1000
)

// page reads ?limit= and &cursor=; after is "" for the first page.
func page(r *http.Request) (limit int, after string, err error) {
	q := r.URL.Query()
	limit = usualPage
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostPage {
			return 0, "", refuse(http.StatusBadRequest, "bad_limit")
		}
	}
	if text := q.Get("cursor"); text != "" {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(b) == 0 {
			return 0, "", refuse(http.StatusBadRequest, "bad_cursor")
		}
		after = string(b)
	}
	return limit, after, nil
}

// paged makes a page of at most limit items out of up to limit+1; cursor names one.
func paged[T any](items []T, limit int, cursor func(T) string) Page[T] {
	p := Page[T]{Items: items}
	if p.Items == nil {
		p.Items = []T{}
	}
	if len(items) > limit {
		p.Items = items[:limit]
		next := base64.RawURLEncoding.EncodeToString([]byte(cursor(items[limit-1])))
		p.NextCursor = &next
	}
	return p
}

// idOf is a path's {id}, refused when it cannot be one.
func idOf(r *http.Request, name string) (string, error) {
	id := r.PathValue(name)
	if id == "" || len(id) > 512 || strings.ContainsRune(id, 0) {
		return "", faulty("", "bad_id")
	}
	return id, nil
}

// listed is a list as JSON shows it: an empty one is [] and not null.
func listed[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
