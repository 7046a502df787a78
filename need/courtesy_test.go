package need

import (
	"testing"

	"github.com/rapport-cx/rapport/need/text"
)

// Who is only polite is answered politely; who wants something is never taken for it.
func TestWhatIsOnlyPoliteIsNoNeed(t *testing.T) {
	t.Parallel()
	for kind, said := range map[Courtesy][]string{
		Thanks:   {"谢谢", "好的谢谢", "谢谢你，挺清楚的", "非常感谢您的帮助", "辛苦了", "thanks", "thanks, that was quick", "Thank you so much!", "ok thanks", "merci beaucoup", "多谢😊"},
		Praise:   {"你真棒", "你们服务真好", "太棒了", "讲得很清楚", "great service", "you have been very helpful", "perfect!", "Very helpful"},
		Goodbye:  {"谢谢，没别的事了", "没事了", "再见", "那就这样吧", "ok thanks anyway bye", "that's all, thank you", "拜拜"},
		Refusal:  {"不用了", "不用了谢谢", "算了", "不用了，衬衫我留着", "no thanks", "never mind", "I'll keep the jacket", "No, thank you"},
		Assent:   {"好", "好的", "我同意", "可以的", "需要", "yes please", "ok", "sounds good", "Sure, go ahead", "嗯嗯", "哈哈", "知道了"},
		Greeting: {"你好", "您好，在吗", "hi there", "Hello!", "good morning"},
		Sending:  {"我拍了照片给你看看", "照片发哪里", "可以发图片吗", "Can I send you a photo of the dent?", "here is the photo"},
		Waiting:  {"还要等多久", "人呢", "怎么还没人", "how much longer"},
		Wordless: {"？？？", "🙂", "...", "?!"},
	} {
		for _, s := range said {
			if needs, got := courteous([]Need{{Origin: Spoken, Intent: "feedback.complaint", Text: s}}, s); got != kind || len(needs) > 0 {
				t.Errorf("%q is %q with %d needs, want %q", s, got, len(needs), kind)
			}
			if got := courtesyOf(text.Plain(s)); got != kind {
				t.Errorf("%q without a need is %q, want %q", s, got, kind)
			}
		}
	}
	for _, s := range []string{
		"不好", "很慢", "太慢了", "不清楚", "谢谢，怎么退货", "好用吗", "可以退吗", "不要这个了，退掉", "取消吧", "要一台轻羽 14", "有没有别的颜色", "没有收到", "没收到货", "没了怎么办", "要多久", "好贵",
		"thanks for nothing", "no refund yet", "great, but where is my order", "it is not good", "ok but how long", "keep it running", "please cancel it", "that's not right", "yes, cancel it", "it was fast but broken", "你好慢", "太差了", "还要多久",
	} {
		if kind := courtesyIn(text.Plain(s)); kind != "" {
			t.Errorf("%q is taken for %q", s, kind)
		}
	}
}

func TestThePolitePartOfAMessageIsNoNeedOfIts(t *testing.T) {
	t.Parallel()
	needs, kind := courteous([]Need{{Origin: Spoken, Text: "挺清楚的"}, {Origin: Spoken, Intent: "payment.invoice", Text: "发票怎么开"}}, "谢谢你，挺清楚的，发票怎么开")
	if kind != "" || len(needs) != 1 || needs[0].Intent != "payment.invoice" {
		t.Errorf("%+v %q", needs, kind)
	}
	danger := []Need{{Origin: Spoken, Text: "好的", Danger: true}}
	if needs, _ := courteous(danger, "好的"); len(needs) != 1 {
		t.Error("what can hurt somebody is dropped")
	}
}
