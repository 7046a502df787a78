package treatment

import "testing"

func TestARewordingAddsCourtesyAndNothingElse(t *testing.T) {
	t.Parallel()
	const zh, en = "白色的 2,999 元，30 天内可以退，拆封了不能退。", "The white one is 2,999. You can return it within 30 days, but not once opened."
	for _, ok := range []string{zh, "您好，白色的2,999元；30天内可以退。拆封了不能退哦。", "谢谢您！" + zh} {
		if !Faithful(zh, ok) {
			t.Errorf("%q is refused", ok)
		}
	}
	for _, ok := range []string{en, "Thank you for your patience. " + en, "Hello! the white one is 2,999, and you can return it within 30 days, but not once opened."} {
		if !Faithful(en, ok) {
			t.Errorf("%q is refused", ok)
		}
	}
	for _, bad := range []string{
		"", "白色的 2,999 元，30 天内可以退。", "白色的 2,999 元，30 天内可以退，拆封了能退。", "白色的 2,899 元，30 天内可以退，拆封了不能退。",
		"黑色的 2,999 元，30 天内可以退，拆封了不能退。", "白色的 2,999 元，拆封了不能退，30 天内可以退。", zh + "全额退款。", zh + "https://a.example",
		zh + "?", zh + "\u202e", zh + "1", "白色的 2999 元，30 天内可以退，拆封了不能退。",
	} {
		if Faithful(zh, bad) {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, bad := range []string{
		"The white one is 2,999. You can return it within 30 days, even once opened.", "The white one is not 2,999. You can return it within 30 days, but once opened.",
		en + " We refund everyone.", "You can return it within 30 days, but not once opened. The white one is 2,999.", en + " ok", "The white one is 2.999. You can return it within 30 days, but not once opened.",
	} {
		if Faithful(en, bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}
