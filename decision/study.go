package decision

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// What a learner has behind them and before them. A course is an item; its lessons
// belong to it in the order of the relation's weight, a lesson teaches skills, and
// a skill is the prerequisite of others:
//
//	lesson:L1 belongs_to course:C (weight 1), lesson:L1 teaches skill:S, skill:S prerequisite_of skill:T
//
// What was mastered slips: after Δ days it is score · 2^(−Δ/h). The half-life h is
// a week after the first success and doubles with each further one, up to four
// months: spaced repetition as half-life regression puts it (Settles and Meeder,
// "A Trainable Spaced Repetition Model for Language Learning", ACL 2016), with the
// one feature that a company's records have for sure.
const (
	firstHalfLife   = 7.0 // days
	longestHalfLife = 120.0
	passed          = 0.6 // of 1: a success
	weakBelow       = 0.6 // of 1, by now: too little to build on
)

// study is a learner in a course.
type study struct {
	enrolment *profile.Record
	course    string
	lessons   []lesson // in their order
	done      int
	next      *lesson // the first that is not completed
	weak      *mastery
	teaches   string // the lesson that teaches the weak skill
	last      time.Time
	lastRef   evidence.Ref
}

type lesson struct {
	id     string
	order  float64
	skills []string
	done   evidence.Ref // of its completion
	rel    evidence.Ref
}

// mastery is how well a skill is known by now.
type mastery struct {
	skill string
	score float64 // 0 to 1, when it was last seen
	at    time.Time
	wins  int
	now   float64 // what is left of it
	refs  []evidence.Ref
}

// study finds the course that the learner was in last; nil when there is none.
func (b *binding) study() *study {
	if b.studied {
		return b.learner
	}
	b.studied = true
	for _, r := range sorted(b.person.Records[evidence.Enrolment]) {
		if id := r.Text("course_id"); id != "" && r.Open() && !slices.Contains([]string{"finished", "completed", "cancelled"}, r.Text("status")) {
			b.learner = b.studyOf(r, bareID(id))
			break
		}
	}
	return b.learner
}

func bareID(id string) string {
	if _, rest, ok := strings.Cut(id, ":"); ok {
		return rest
	}
	return id
}

func (b *binding) studyOf(r *profile.Record, course string) *study {
	s := &study{enrolment: r, course: course}
	done := map[string]evidence.Ref{}
	for _, e := range b.person.History["Lesson Completed"] {
		p := e.Properties()
		id, _ := p["lesson_id"].(string)
		if of, _ := p["course_id"].(string); id == "" || of != "" && bareID(of) != course {
			continue
		}
		done[bareID(id)] = evidence.Ref(e.ID.String())
		s.see(e.Time, done[bareID(id)])
	}
	known := b.masteries(r, s)
	if b.in.Catalogue == nil {
		return s
	}
	for _, rel := range b.in.Catalogue.RelatedTo(course) {
		if rel.Type == "belongs_to" {
			l := lesson{id: bareID(rel.From), order: rel.Weight, rel: rel.Ref()}
			for _, t := range b.in.Catalogue.Related(l.id) {
				if t.Type == "teaches" {
					l.skills = append(l.skills, bareID(t.To))
				}
			}
			l.done = done[l.id]
			s.lessons = append(s.lessons, l)
		}
	}
	slices.SortStableFunc(s.lessons, func(x, y lesson) int { return cmp.Or(cmp.Compare(x.order, y.order), cmp.Compare(x.id, y.id)) })
	for i := range s.lessons {
		switch l := &s.lessons[i]; {
		case l.done != "":
			s.done++
		case s.next == nil:
			s.next = l
		}
	}
	if s.next != nil {
		s.weak = b.weakest(s.next.skills, known)
	}
	if s.weak != nil {
		for i := range s.lessons {
			if slices.Contains(s.lessons[i].skills, s.weak.skill) {
				s.teaches = s.lessons[i].id
				break
			}
		}
	}
	return s
}

// see notes when the learner was last at work.
func (s *study) see(at time.Time, ref evidence.Ref) {
	if at.After(s.last) {
		s.last, s.lastRef = at, ref
	}
}

// masteries reads what is known of each skill: the enrolment's own entries and the
// quizzes since, the newest score counting and every success making it last longer.
func (b *binding) masteries(r *profile.Record, s *study) map[string]*mastery {
	known := map[string]*mastery{}
	seen := func(skill string, score float64, at time.Time, ref evidence.Ref) {
		if skill == "" || at.After(b.now) {
			return
		}
		if score > 1 {
			score /= 100
		}
		score = min(max(score, 0), 1)
		m := known[skill]
		if m == nil {
			m = &mastery{skill: skill}
			known[skill] = m
		}
		if score >= passed {
			m.wins++
		}
		if !at.Before(m.at) {
			m.score, m.at, m.refs = score, at, []evidence.Ref{ref}
		}
	}
	entries, _ := r.Fields["mastery"].([]any)
	for _, x := range entries {
		m, _ := x.(map[string]any)
		skill, _ := m["skill"].(string)
		score, ok := m["score"].(float64)
		at := r.UpdatedAt
		if text, _ := m["at"].(string); text != "" {
			if t, err := time.Parse(time.RFC3339, text); err == nil {
				at = t
			} else if t, err := time.ParseInLocation(time.DateOnly, text, b.zone()); err == nil {
				at = t
			}
		}
		if ok {
			seen(bareID(skill), score, at, r.Ref())
		}
	}
	for _, e := range b.person.History["Quiz Graded"] {
		var p struct {
			Skill string   `json:"skill"`
			Score *float64 `json:"score"`
		}
		if json.Unmarshal(e.Body, &p) != nil || p.Score == nil {
			continue
		}
		ref := evidence.Ref(e.ID.String())
		seen(bareID(p.Skill), *p.Score, e.Time, ref)
		s.see(e.Time, ref)
	}
	for _, m := range known {
		half := min(firstHalfLife*math.Pow(2, float64(max(m.wins-1, 0))), longestHalfLife)
		m.now = float64(m.score * math.Exp2(-b.now.Sub(m.at).Hours()/24/half))
	}
	return known
}

// weakest is the least known prerequisite of skills, direct or further back, of
// those that are too weak to build on; nil when none is. A prerequisite of which
// nothing is known is not called weak.
func (b *binding) weakest(skills []string, known map[string]*mastery) *mastery {
	var least *mastery
	seen := map[string]bool{}
	for queue := slices.Clone(skills); len(queue) > 0 && len(seen) < 256; queue = queue[1:] {
		for _, rel := range b.in.Catalogue.RelatedTo(queue[0]) {
			before := bareID(rel.From)
			if rel.Type != "prerequisite_of" || seen[before] {
				continue
			}
			seen[before] = true
			queue = append(queue, before)
			if m := known[before]; m != nil && m.now < weakBelow && (least == nil || m.now < least.now || m.now == least.now && m.skill < least.skill) {
				m.refs = append(m.refs, rel.Ref())
				least = m
			}
		}
	}
	return least
}

func (b *binding) studyFact(name string) (any, bool) {
	s := b.study()
	if s == nil {
		return nil, false
	}
	switch name {
	case "course":
		return s.course, true
	case "done":
		return int64(s.done), true
	case "lessons":
		return int64(len(s.lessons)), len(s.lessons) > 0
	case "idle_days":
		if s.last.IsZero() {
			return nil, false
		}
		return days(b.now.Sub(s.last)), true
	case "next":
		if s.next != nil {
			return s.next.id, true
		}
	case "weak":
		if s.weak != nil {
			return s.weak.skill, true
		}
	case "weak_lesson":
		return text(s.teaches)
	case "weak_percent":
		if s.weak != nil {
			return int64(math.Round(100 * s.weak.now)), true
		}
	case "weak_days":
		if s.weak != nil {
			return days(b.now.Sub(s.weak.at)), true
		}
	}
	return nil, false
}

// citeStudy names the records that prove a fact of the study.
func (b *binding) citeStudy(name string) []evidence.Ref {
	s := b.study()
	if s == nil {
		return nil
	}
	switch name {
	case "idle_days":
		if s.lastRef != "" {
			return []evidence.Ref{s.lastRef}
		}
	case "next":
		refs := []evidence.Ref{s.enrolment.Ref()}
		if s.next != nil {
			refs = append(refs, s.next.rel)
		}
		return refs
	case "done":
		var refs []evidence.Ref
		for i := range s.lessons {
			if ref := s.lessons[i].done; ref != "" && len(refs) < mostRefs {
				refs = append(refs, ref)
			}
		}
		return refs
	case "weak", "weak_lesson", "weak_percent", "weak_days":
		if s.weak != nil {
			return s.weak.refs
		}
	}
	return []evidence.Ref{s.enrolment.Ref()}
}

// titled gives the title of what an id names on the shelf, else the id.
func (m *moment) titled(id string) candidate.Text {
	if item := m.item(id); item != nil && item.Title != (candidate.Text{}) {
		return item.Title
	}
	return candidate.Text{Zh: id, En: id}
}
