package pack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

const vouchers = `
pack: vouchers
timezone: Asia/Shanghai
budgets:
  - {id: purse, title: {zh: 礼券, en: Vouchers}, pieces: 100}
  - {id: small, title: {zh: 小礼物, en: Presents}, pieces: 9}
signals:
  - id: views
    title: {zh: 常看, en: often looked}
    counts: {zh: 浏览, en: views}
    event: Product Viewed
    at_least: 3
    within: 7d
tags:
  - id: regular
    title: {zh: 老顾客, en: A regular}
    rule: orders.count >= 3 && signal.views.holds
actions:
  - id: voucher
    nature: goodwill
    impact: major
    serves: [presale.price_promo]
    title: {zh: 礼券, en: A voucher}
    eligibility: [{id: regulars, rule: tag.regular, reason: {zh: 不是老顾客, en: no regular}}]
    budgets: [purse]
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
  - id: card
    nature: service
    serves: [presale.price_promo]
    title: {zh: 贺卡, en: A card}
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
`

func TestChangesOfMajorImpactAreSeenAndOthersAreNot(t *testing.T) {
	t.Parallel()
	c := &Compiler{FS: packs.Files}
	version := func(n int, text string) strategy.Source {
		return strategy.Source{Number: n, Packs: []string{"base"}, Files: map[string]string{"own/vouchers.yaml": text}}
	}
	for _, x := range []struct{ what, old, new, want string }{
		{"nothing", "", "", ""},
		{"a comment and the order of keys", "    nature: goodwill\n    impact: major", "    # more than a courtesy\n    impact: major\n    nature: goodwill", ""},
		{"another action's words", "A card", "A nice card", ""},
		{"another action's budget", "pieces: 9", "pieces: 12", ""},
		{"its words", "A voucher", "A fine voucher", "action voucher changed"},
		{"its budget", "pieces: 100", "pieces: 1000", "budget purse changed"},
		{"a rule", "rule: tag.regular", "rule: 'true'", "action voucher changed"},
		{"a tag that its rule reads", "orders.count >= 3", "orders.count >= 1", "tag regular changed"},
		{"a signal that the tag reads", "at_least: 3", "at_least: 2", "signal views changed"},
		{"the time zone of its budget", "Asia/Shanghai", "Asia/Tokyo", "timezone  changed"},
		{"how it is drawn", "pack: vouchers", "pack: vouchers\ndraw: {temperature: 3, floor: 0.01}", "draw  changed"},
		{"its impact", "impact: major", "impact: minor", "action voucher changed"},
		{"its end", "actions:", "without: [voucher]\nactions:", "action voucher removed, budget purse changed"},
		{"another of major impact", "    nature: service", "    nature: service\n    impact: major", "action card changed"},
	} {
		next := strings.Replace(vouchers, x.old, x.new, 1)
		if x.what == "its end" {
			next = strings.Replace(next, "pieces: 100", "pieces: 5", 1)
		}
		changes, err := c.Changes(version(1, vouchers), version(2, next))
		if err != nil {
			t.Fatalf("%s: %v", x.what, err)
		}
		var got []string
		for _, ch := range changes {
			got = append(got, fmt.Sprintf("%s %s %s", ch.Part, ch.ID, ch.How))
			if len(ch.Actions) == 0 {
				t.Errorf("%s: %s %s bears on nothing", x.what, ch.Part, ch.ID)
			}
		}
		if s := strings.Join(got, ", "); s != x.want {
			t.Errorf("%s: %q, wanted %q", x.what, s, x.want)
		}
	}
	if _, err := c.Changes(version(1, vouchers), version(2, "actions: [")); err == nil {
		t.Error("a version that cannot be read has no changes")
	}
	first, err := c.Changes(strategy.Source{}, version(1, vouchers))
	if err != nil || len(first) < 4 || first[0].How != strategy.Added {
		t.Errorf("where nothing was in force all of it is new: %v %v", first, err)
	}
}
