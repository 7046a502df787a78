package need

import (
	"regexp"
	"strings"

	"github.com/rapport-cx/rapport/need/text"
)

// Courtesy is what people say without needing anything.
type Courtesy string

// The courtesies; Wordless is a message that holds no words at all.
const (
	Greeting Courtesy = "greeting"
	Thanks   Courtesy = "thanks"
	Goodbye  Courtesy = "goodbye"
	Assent   Courtesy = "assent"
	Wordless Courtesy = "wordless"
)

// courtesies are read in this order: "好的，谢谢" thanks, "谢谢，再见" takes leave.
var courtesies = []struct {
	kind  Courtesy
	words []string
}{
	{Goodbye, []string{"再见", "拜拜", "先这样", "没事了", "没别的了", "没有了", "不用了", "bye", "goodbye", "that's all", "thats all", "see you", "nothing else", "no thanks"}},
	{Thanks, []string{"谢", "感谢", "辛苦", "麻烦了", "thank", "thx", "cheers", "appreciate"}},
	{Greeting, []string{"你好", "您好", "哈喽", "哈啰", "嗨", "在吗", "在么", "在不在", "有人吗", "早上好", "上午好", "中午好", "下午好", "晚上好", "早安", "早", "hi", "hello", "hey", "good morning", "good afternoon", "good evening", "anyone there", "you there"}},
	{Assent, []string{"好", "嗯", "行", "可以", "知道", "明白", "收到", "了解", "对", "是", "ok", "okay", "alright", "got it", "i see", "fine", "great", "sure", "yes", "right"}},
}

// onlyCourtesy is a message that is nothing but a courtesy, though it reads like words
// of a need that was not understood.
var onlyCourtesy = regexp.MustCompile(`^(好|好的|好吧|好啊|好嘞|嗯+|嗯嗯|行|行吧|可以|知道了|明白|明白了|收到|了解|了解了|对|对的|是|是的|没错|没事|没事了|谢谢|谢谢你|谢谢您|多谢|感谢|辛苦了|再见|拜拜|在吗|在么|在不在|有人吗|你好|您好|ok|okay|yes|yeah|yep|no|sure|fine|great|got it|i see|all right|alright|thanks|thank you|thank you very much|thanks a lot|bye|goodbye|that's all|nothing else|hi|hello|hey|hi there|hello there|anyone there)$`)

// courteous takes a message without a need for the courtesy that it is.
func courteous(needs []Need, message string) ([]Need, Courtesy) {
	switch {
	case message == "":
		return needs, ""
	case len(needs) == 0:
		return needs, courtesyOf(message)
	case len(needs) == 1 && needs[0].Sub() != WhoAreYou && (needs[0].Status != "" || needs[0].Intent == "service.human") && onlyCourtesy.MatchString(strings.Trim(text.Plain(message), " .。!！,，?？~")):
		return needs[:0], courtesyOf(message)
	}
	return needs, ""
}

// courtesyOf tells which courtesy a message is that holds no need.
func courtesyOf(message string) Courtesy {
	plain := text.Plain(message)
	if plain == "" || !strings.ContainsFunc(plain, func(r rune) bool { return text.Han(r) || text.Letter(r) }) {
		return Wordless
	}
	runes := []rune(plain)
	for _, c := range courtesies {
		for _, w := range c.words {
			if i := strings.Index(plain, w); i >= 0 && (w[0] >= 0x80 || wordEdge(runes, len([]rune(plain[:i])))) {
				return c.kind
			}
		}
	}
	return Assent
}

// WhoAreYou is the subintent of a question about the adviser itself ("are you a
// robot?"); it is no matter of the shop's and must be answered truly.
const WhoAreYou = "who_are_you"

var whoAreYou = regexp.MustCompile(`(你|您|你们|对面|那边|这边).{0,4}是.{0,6}(机器人|真人|活人|人工智能|ai|程序|机器|智能客服|自动回复)|是(机器人|真人|ai|人工智能)(吗|么|还是)|(跟|和).{0,3}(机器人|真人|ai).{0,3}(说话|聊天|对话).{0,2}(吗|么)|\b(are|r) (you|u|this)\b.{0,20}\b(robot|bot|chatbot|human|person|machine|ai|real|automated|computer)\b|\b(is|am) (this|it|i)\b.{0,24}\b(robot|bot|chatbot|machine|ai|real person|human|computer)\b`)

var asksForPerson = regexp.MustCompile(`转|找|换|叫|接|要|want|need|get me|give me|let me|put me|instead`)

// truthful marks questions about the adviser itself, which are not requests for a person.
func truthful(needs []Need) []Need {
	for i := range needs {
		n := &needs[i]
		if n.Origin != Spoken || !n.Outside && n.Intent != "service.human" && n.Status == "" {
			continue
		}
		if plain := text.Plain(n.Text); whoAreYou.MatchString(plain) && !asksForPerson.MatchString(plain) {
			sub := WhoAreYou
			n.Intent, n.Subintent, n.Status, n.Readings, n.Outside, n.Negated = "", &sub, Unanswered, nil, true, false
		}
	}
	return needs
}
