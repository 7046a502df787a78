package pack_test

import (
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

func TestLinterFindsWhatCompilesAndIsWrong(t *testing.T) {
	t.Parallel()
	rule := func(text string) string {
		return `eligibility: [{id: r, rule: "` + text + `", reason: {zh: 否, en: no}}]`
	}
	for name, c := range map[string]struct {
		text  string
		check strategy.Check // "": nothing
	}{
		"two values at once":                  {action("service", rule("scene.device == 'mobile' && scene.device == 'desktop'")), strategy.NeverFires},
		"two values in two rules":             {action("service", rule("scene.device == 'mobile'")+"\n    suitability: [{id: s, rule: scene.device == 'desktop', reason: {zh: 否, en: no}}]"), strategy.NeverFires},
		"more than ten and less than five":    {action("service", rule("orders.count > 10 && 5 > orders.count")), strategy.NeverFires},
		"five at the least and at the most":   {action("service", rule("orders.count >= 5 && orders.count <= 5")), ""},
		"above five and at the most five":     {action("service", rule("orders.count > 5 && orders.count <= 5")), strategy.NeverFires},
		"true and false":                      {action("service", rule("order.delivered && !order.delivered")), strategy.NeverFires},
		"one of two values":                   {action("service", rule("scene.device == 'mobile' || scene.device == 'desktop'")), ""},
		"a rule written twice":                {action("service", `eligibility: [{id: r, rule: order.delivered, reason: {zh: 否, en: no}}, {id: s, rule: "order.delivered", reason: {zh: 否, en: no}}]`), strategy.Shadowed},
		"a discount for a trait":              {action("sale", rule("person.traits.plan == 'gold'")+"\n    treatments: [{id: t, body: {zh: 给您打八折, en: Twenty percent off}}]"), strategy.PersonalPrice},
		"a discount for everybody":            {action("sale", "treatments: [{id: t, body: {zh: 打八折, en: A discount for you}}]"), ""},
		"a trait without a price":             {action("sale", rule("person.traits.plan == 'gold'")), ""},
		"a fee inside another word":           {action("sale", rule("person.traits.plan == 'gold'")+"\n    treatments: [{id: t, body: {zh: 请坐, en: Have a coffee}}]"), ""},
		"a promise":                           {action("sale", "treatments: [{id: t, body: {zh: 保本保息, en: Your money will earn 5 percent}}]"), strategy.Promise},
		"a sensitive trait without a purpose": {action("sale", rule("person.traits.aum > 100.0")), strategy.NoPurpose},
		"a sensitive trait with a purpose":    {action("sale", rule("person.traits.aum > 100.0")+"\n    consent: [financial]"), ""},
		"a treatment behind one always taken": {action("service", "treatments: [{id: a, body: {zh: 好, en: good}}, {id: b, when: order.delivered, body: {zh: 好, en: good}}]"), strategy.Unreachable},
		"a treatment behind one with a gap":   {action("service", `treatments: [{id: a, body: {zh: "{order.id}", en: "{order.id}"}}, {id: b, body: {zh: 好, en: good}}]`), ""},
		"what is given is sold":               {action("goodwill", "grants: repair") + "\n" + strings.TrimPrefix(strings.Replace(action("sale", "grants: repair"), "id: cool", "id: sold", 1), "actions:\n"), strategy.GivenAndSold},
		"a budget that nobody draws on":       {action("service", "value: 1") + "\nbudgets: [{id: gifts, title: {zh: 礼, en: gifts}, pieces: 3}]", strategy.UnusedDeclaration},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c0 := &pack.Compiler{FS: packs.Files}
			found, err := c0.Lint(t.Context(), strategy.Source{Files: map[string]string{"own/rules.yaml": c.text}})
			if err != nil {
				t.Fatal(err)
			}
			var own []strategy.Finding
			for _, f := range found {
				if f.File == "own/rules.yaml" {
					own = append(own, f)
				}
			}
			switch {
			case c.check == "" && len(own) > 0:
				t.Errorf("found %+v in what is right", own)
			case c.check != "" && (len(own) == 0 || own[0].Check != c.check):
				t.Errorf("wanted %s, found %+v", c.check, own)
			case c.check != "" && (own[0].Line == 0 || own[0].Caret == "" || own[0].Message.Zh == "" || own[0].Message.En == ""):
				t.Errorf("it says too little: %+v", own[0])
			}
		})
	}
}

func TestShippedPacksHaveNothingHarmful(t *testing.T) {
	t.Parallel()
	all, err := pack.List(packs.Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		found, err := (&pack.Compiler{FS: packs.Files}).Lint(t.Context(), strategy.Source{Packs: append(p.Requires, p.Name)})
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for _, f := range found {
			if f.Severity == strategy.Harmful {
				t.Errorf("%s:%d:%d: %s: %s\n%s", f.File, f.Line, f.Column, f.Check, f.Message.En, f.Caret)
			} else {
				t.Logf("%s:%d:%d: %s: %s", f.File, f.Line, f.Column, f.Check, f.Message.En)
			}
		}
	}
}
