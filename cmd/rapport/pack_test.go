package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a command line and gives its status and what it printed.
func command(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, &o, &e)
	return status, o.String(), e.String()
}

func TestAPackIsBegunTriedBuiltInstalledAndTakenBack(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	dir := filepath.Join(t.TempDir(), "salon")
	built := dir + ".zip"
	server := func(args ...string) string {
		t.Helper()
		status, out, errs := command(t, append(args, "--url", s.http.URL, "--key", s.w.SecretKey)...)
		if status != 0 {
			t.Fatalf("rapport %s: %s", strings.Join(args, " "), errs)
		}
		return out
	}
	for _, args := range [][]string{
		{"pack", "new", "salon", dir}, {"pack", "test", dir}, {"pack", "test", "--heard", dir}, {"pack", "lint", dir}, {"pack", "build", dir, "-o", built}, {"pack", "test", built},
	} {
		if status, out, errs := command(t, args...); status != 0 {
			t.Fatalf("rapport %s: %s%s", strings.Join(args, " "), out, errs)
		}
	}
	if status, _, errs := command(t, "pack", "new", "salon", dir); status == 0 || !strings.Contains(errs, "there already") {
		t.Errorf("a folder that is there was written over: %s", errs)
	}
	server("pack", "install", built, "--publish", "--note", "a call back")
	a := s.ask("ann", "帮我推荐一款", object{"scene": object{"time": "2026-07-01T10:00:00+08:00", "zone": "Asia/Shanghai"}})
	if !offers(a, "salon_call_back") {
		t.Errorf("the installed pack offers nothing: %v", a["actions"])
	}
	exported := filepath.Join(t.TempDir(), "kept")
	server("strategy", "export", "2", exported)
	rules := filepath.Join(exported, "files", "salon", "pack.yaml")
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rules, bytes.Replace(text, []byte("scene.hour < 18"), []byte("scene.hour < 10"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	server("strategy", "import", exported)
	if diff := server("strategy", "diff", "3"); !strings.Contains(diff, "-        rule: scene.hour >= 9 && scene.hour < 18") || !strings.Contains(diff, "+        rule: scene.hour >= 9 && scene.hour < 10") {
		t.Errorf("the difference: %s", diff)
	}
	// The pack's own case says that ten o'clock is working time: it is not published.
	if status, _, errs := command(t, "strategy", "publish", "3", "--url", s.http.URL, "--key", s.w.SecretKey); status == 0 || !strings.Contains(errs, "somebody asks in working hours") {
		t.Errorf("a version whose cases fail was published: %s", errs)
	}
	server("strategy", "rollback", "1")
	if list := server("strategy", "list"); !strings.Contains(list, "*    1  published") {
		t.Errorf("after the rollback:\n%s", list)
	}
}

func offers(answer object, action string) bool {
	for _, a := range answer["actions"].([]any) {
		if a.(object)["action"] == action {
			return true
		}
	}
	return false
}

func TestAFaultyPackIsToldWithItsPlace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "salon")
	if status, _, errs := command(t, "pack", "new", "salon", dir); status != 0 {
		t.Fatal(errs)
	}
	rules := filepath.Join(dir, "pack.yaml")
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	change := func(from, to string) {
		t.Helper()
		if err := os.WriteFile(rules, bytes.Replace(text, []byte(from), []byte(to), 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	change("scene.hour >= 9", "scene.hours >= 9")
	if status, _, errs := command(t, "pack", "test", dir); status == 0 || !strings.Contains(errs, `is "scene.hour" meant?`) {
		t.Errorf("a fact that is none: %s", errs)
	}
	change("scene.hour >= 9", "scene.hour >= 19")
	if status, out, _ := command(t, "pack", "lint", dir); status == 0 || !strings.Contains(out, "never_fires") {
		t.Errorf("rules that exclude each other: %s", out)
	}
	if status, _, errs := command(t, "pack", "test", dir); status == 0 || strings.Count(errs, `"somebody asks in working hours"`) != 2 {
		t.Errorf("a case that fails in both languages: %s", errs)
	}
}

func TestFaultsAreToldInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "salon")
	if status, _, errs := command(t, "pack", "new", "salon", dir); status != 0 {
		t.Fatal(errs)
	}
	rules := filepath.Join(dir, "pack.yaml")
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, from, to string
		args           []string
		chinese        string
		english        string
	}{
		{"a fact that is none", "scene.hour >= 9", "scene.hours >= 9", []string{"pack", "test"}, "是不是", "is \"scene.hour\" meant?"},
		{"the same for a program", "scene.hour >= 9", "scene.hours >= 9", []string{"--json", "pack", "lint"}, "是不是", "meant?"},
		{"a pack to be built", "scene.hour >= 9", "scene.hours >= 9", []string{"pack", "build"}, "是不是", "is \"scene.hour\" meant?"},
		{"a case that fails", "scene.hour >= 9", "scene.hour >= 19", []string{"pack", "test"}, "没有", "not"},
		{"rules that never fire", "scene.hour >= 9", "scene.hour >= 19", []string{"pack", "lint"}, "永远", "never"},
	} {
		if err := os.WriteFile(rules, bytes.Replace(text, []byte(c.from), []byte(c.to), 1), 0o644); err != nil {
			t.Fatal(err)
		}
		for language, want := range map[string]string{"zh-CN": c.chinese, "en": c.english} {
			status, out, errs := command(t, append(c.args, "--language", language, dir)...)
			if status == 0 || !strings.Contains(strings.ReplaceAll(out+errs, `\"`, `"`), want) || (language == "en") == strings.Contains(out+errs, c.chinese) {
				t.Errorf("%s, in %s: %s%s", c.name, language, out, errs)
			}
		}
	}
}

func TestTheReadersLanguageIsTheFlagsElseTheEnvironments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flag        string
		environment map[string]string
		want        string
	}{
		{"", nil, ""},
		{"zh-CN", map[string]string{"LC_ALL": "en_GB.UTF-8"}, "zh-CN"},
		{"", map[string]string{"LANG": "zh_CN.UTF-8"}, "zh-CN"},
		{"", map[string]string{"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, ""},
		{"", map[string]string{"LC_MESSAGES": "zh_CN", "LANG": "en_US.UTF-8"}, "zh-CN"},
		{"", map[string]string{"LC_ALL": "C.UTF-8"}, ""},
	} {
		if got := (reader{c.flag}).asked(func(name string) string { return c.environment[name] }); got != c.want {
			t.Errorf("flag %q, environment %v: %q, wanted %q", c.flag, c.environment, got, c.want)
		}
	}
}
