package veil

import (
	"strings"
	"testing"
)

func TestWhatNamesACustomerDoesNotLeave(t *testing.T) {
	t.Parallel()
	known := []string{"林小满", "Mei Lin", "usr_77"}
	cases := []struct{ text, private string }{
		{"我叫王建国，手机 13800138000", "王建国"},
		{"我叫王建国，手机 13800138000", "13800138000"},
		{"call me at +86 138-0013-8000 please", "138-0013-8000"},
		{"write to mei.lin+shop@example.org", "mei.lin+shop@example.org"},
		{"订单 SO-20260501A 到哪了", "SO-20260501A"},
		{"单号１２３４５６７８", "１２３４５６７８"},
		{"身份证 11010519900101123X", "11010519900101123X"},
		{"寄到解放路 18 号 3 单元", "解放路 18"},
		{"I'm Peter Parker and it broke", "Peter Parker"},
		{"mei lin asked yesterday", "mei lin"},
		{"是林小满买的", "林小满"},
		{"account usr_77", "usr_77"},
		{"order #1042", "#1042"},
		{"see https://shop.example/o/1?t=abc", "abc"},
	}
	for _, c := range cases {
		v := New(known)
		hidden := v.Hide(c.text)
		if strings.Contains(hidden, c.private) {
			t.Errorf("%q leaves as %q", c.text, hidden)
		}
		if back := v.Restore(hidden); back != c.text {
			t.Errorf("%q comes back as %q", c.text, back)
		}
		if gone := Conceal(c.text, known); strings.Contains(gone, c.private) || strings.ContainsAny(gone, opens+closes) {
			t.Errorf("%q is kept as %q", c.text, gone)
		}
	}
}

func TestWhatNamesNobodyStays(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"对比A和B型号的功能差异", "budget 2,000 to 2999 yuan", "it was linen, not wool", "第 3 次报修了，30 天内能退吗"} {
		if got := New([]string{"Lin"}).Hide(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestMarksCannotBeForged(t *testing.T) {
	t.Parallel()
	v := New(nil)
	text := "⟦2⟧ is mine, 13800138000 is his, ⟦⟦1⟧"
	if back := v.Restore(v.Hide(text)); back != text {
		t.Errorf("came back as %q", back)
	}
	if got := v.Restore("⟦99⟧ ⟦0⟧"); got != "⟦99⟧ ⟦0⟧" {
		t.Error(got)
	}
}

func FuzzHideAndRestore(f *testing.F) {
	f.Add("我叫王建国 13800138000 ⟦1⟧", "王建国")
	f.Fuzz(func(t *testing.T, text, known string) {
		v := New([]string{known})
		if back := v.Restore(v.Hide(text)); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	})
}
