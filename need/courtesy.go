package need

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/need/text"
)

// Courtesy is what people say without needing anything.
type Courtesy string

// The courtesies; Wordless is a message that holds no words at all. Assent and Refusal
// answer what was offered last, if anything was.
const (
	Greeting Courtesy = "greeting"
	Thanks   Courtesy = "thanks"
	Praise   Courtesy = "praise"
	Goodbye  Courtesy = "goodbye"
	Refusal  Courtesy = "refusal"
	Assent   Courtesy = "assent"
	Wordless Courtesy = "wordless"
	Garbled  Courtesy = "garbled" // keys pressed at random
	Sending  Courtesy = "sending" // asks how to send a photo, or believes to have sent one
	Waiting  Courtesy = "waiting" // asks how long a person takes to come
)

var (
	sendsPicture = regexp.MustCompile(`^(?:.{0,8}(发|传|上传|拍|录).{0,8}(照片|图片|图|视频|语音|录音|截图).{0,10}|.{0,6}(照片|图片|截图|视频|语音|录音).{0,4}(发|传|怎么发|往哪发).{0,8}|.{0,30}\b(send|upload|share|attach|take)\b( (you|a|an|the|some|my|this))* (photo|picture|pic|image|screenshot|video|recording|voice (note|message))s?\b.{0,30}|(here('s| is| are)|this is|see) (the|a|my|some) (photo|picture|pic|screenshot|video|recording)s?)$`)
	asksWait     = regexp.MustCompile(`^(?:(那|请问)?(还|我)?(要|得|需要)?(再)?等(多久|多长时间|几分钟|到什么时候)(呢|啊|呀)?|(怎么)?(还)?没(有)?人(来|接|理我?)?(吗|啊|呢)?|人呢|(and )?how (much longer|long)( (do|must|will|should) i( have to)? wait| is the wait| is the queue| to wait)?|(is )?(any(one|body)|someone) (there|coming)|still waiting)$`)
)

// courtesies are the phrases of each courtesy, Han ones and those of Latin letters. A
// message that is made of such phrases alone is a courtesy, whatever the classifier
// makes of it; of several kinds the first of this list is meant ("好的，谢谢" thanks,
// "不用了谢谢" refuses, "谢谢，没别的事了" takes leave).
var courtesies = []phrased{
	phrases(Refusal,
		`(先|暂时|还是|那|那就)?(不用|不需要|不必)(了|啦|吧)?|(那|那就|还是)?算了(吧)?|(那|那就|这)?.{0,6}?(我|就|先|还是)*(留着|留下)(吧|了)?|(那|我)?不等了|再说吧|下次吧|下次再说`,
		`no(,)? thank(s| you)|not (now|today|interested)|never ?mind|forget it|no need|don't bother|(i'll |i will |i want to |i'd rather |let me )?keep (it|the \w+|my \w+)|maybe later|no`),
	phrases(Goodbye,
		`(暂时|目前|我|就|也|都)?没(有)?(什么|啥)?(别的|其他的?|其它的?)?(什么|啥)?(事情?|问题)?(了|啦)|先这样(吧|了)?|(那|那就|就)?这样(吧|了)|就这些(了|吧)?|(再|拜)(见|拜)|拜|回头见|回聊|晚安|祝您?你?.{0,4}(愉快|顺利)`,
		`(good)?bye|bye bye|good night|see (you|ya)( later| soon)?|that's (it|all)|that is all|that will be all|that'll be all|nothing else|no more questions|have a (nice|good|great|lovely) (day|one|evening|weekend|night)|i'm (good|all set|fine|ok|okay)( now)?|all good`),
	phrases(Thanks,
		`(真的?|太|非常|十分|多|很)?(谢|感谢|辛苦|麻烦)(谢)?(了|你|您|你们|您们|啦|啊|哈|哦|呀|的|帮忙|帮助|帮我|支持|小姐姐|小哥|客服|老师|这么|耐心|解答)*|费心了`,
		`(many |ok |okay )?thank(s| you|u)?( (you|a lot|a bunch|a million|so much|very much|again|anyway|for (that|this|your help|the help|all your help|everything|your time|your patience|helping( me)?|the quick (reply|answer))))*|thx|thnx|ty|cheers|(i )?(really |much )?appreciated?( it| that| your help)?|merci( beaucoup)?|gracias|danke`),
	phrases(Praise,
		`(这|那|你|您|你们|您们|的|服务|态度|客服|讲|说|解释|回答|回复|处理|解决|得|就|也|都|还|可)*(挺|很|太|真|真是|非常|好|超|超级|蛮|特别|真的|确实|实在|这么|够|十分)+(清楚|明白|详细|快|棒|好|专业|耐心|贴心|及时|厉害|满意|有用|有帮助|靠谱|给力|不错|细心|热情|周到|暖心)(了|的|啊|呀|哦|呢|啦)*|真?不错|(真|太)?(棒|赞|厉害|给力)(了|啊|呀)*|帮(了|到)?(我)?(很大的?|大)?忙了?|(给|为)?(你|您|你们)?(点个?赞|好评|五星)`,
		`(you|it|that|this|they|the service|your service|service)('s| is| was| were| are|'ve been| have been|'re)?( been| all| really| so| very| super| most| pretty| quite| extremely| incredibly)*( a)? (quick|fast|helpful|great|clear|perfect|good|nice|kind|excellent|amazing|awesome|brilliant|lovely|wonderful|useful|big help|great help|fantastic|impressive)( of you| to know| service| work| job)?|(very|so|really|super|most|how) (quick|fast|helpful|great|clear|good|nice|kind|useful|impressive)|(great|good|excellent|amazing|awesome|brilliant|fantastic|nice)( service| job| work| one| help)|perfect|excellent|awesome|brilliant|lovely|wonderful|amazing|fantastic|impressive|well done|you rock|good to know|(you've been|you have been|what) a (star|great help|big help|help)`),
	phrases(Greeting,
		`你好|您好|哈喽|哈啰|嗨|在吗|在么|在不在|有人吗|有人在吗|早上好|上午好|中午好|下午好|晚上好|早安|早`,
		`hi|hello|hey|hi there|hello there|hey there|good (morning|afternoon|evening)|(is )?any(one|body) there|(are )?you there`),
	phrases(Assent,
		`(那|那就|就|我)?(好|行|嗯+|对|是|可以|没错|没事|没问题|同意|确认|需要|要|要的|知道|明白|收到|了解|清楚|懂|这样办|这么办|办|听你|听您)(的|了|吧|啊|嘞|呀|哒|滴|哦|啦|呢)*|(请|麻烦|那就|就)?(帮我|替我|给我)(办|弄|填|处理|安排)(吧|了|一下)*|(哈|呵|嘿|嘻)+`,
		`ok|okay|kk|ok then|yes|yep|yeah|yup|sure|please|please do|go ahead|do it|sounds (good|great|fine)|fine|right|correct|got it|i see|understood|al?l ?right|great|good|nice|cool|let's do (it|that|this)|i agree|agreed|i'd (like|love) (that|it|to)|that('s| is)? (works|fine|ok|okay|right|correct|good)( for me)?|works for me|of course|absolutely|(ha)+h?|lol`),
}

type phrased struct {
	kind       Courtesy
	han, latin *regexp.Regexp
}

func phrases(kind Courtesy, han, latin string) phrased {
	return phrased{kind, beginning(han), beginning(latin)}
}

// beginning matches the longest beginning of a text that an expression fits.
func beginning(expression string) *regexp.Regexp {
	re := regexp.MustCompile(`^(?:` + expression + `)`)
	re.Longest()
	return re
}

// fillers stand around a courtesy and mean nothing alone.
var fillers = beginning(`(那|那个|哦|噢|喔|啊|呀|呃|额|哎|well|oh|ah|so|then|and|but|anyway|um|mm+|hm+)+`)

// surely is the confidence from which the words of a need are taken for it.
const surely = 0.9

// longestCourtesy bounds a phrase, mostPhrases how many a message is read as.
const (
	longestCourtesy = 40
	mostPhrases     = 8
)

// courtesyIn tells which courtesy a plain text is that is made of nothing else; "" when
// it says anything besides, or asks.
func courtesyIn(plain string) Courtesy {
	var said kindsOf
	for piece := range strings.FieldsFuncSeq(plain, func(r rune) bool { return strings.ContainsRune(",，。.!！~～;；、…\n:：", r) || symbol(r) }) {
		more, ok := phrasesOf(piece, 0)
		if !ok {
			return ""
		}
		said |= more
	}
	for i, c := range courtesies {
		if said&(1<<i) != 0 {
			return c.kind
		}
	}
	return ""
}

// kindsOf is a set of courtesies, a bit for each of the list; none for a filler.
type kindsOf uint16

// phrasesOf reads a piece as one phrase after the other, the longest first.
func phrasesOf(piece string, depth int) (said kindsOf, ok bool) {
	if piece = strings.TrimSpace(piece); piece == "" {
		return 0, true
	}
	runes := []rune(piece)
	if depth >= mostPhrases || len(runes) > 3*longestCourtesy {
		return 0, false
	}
	head := string(runes[:min(len(runes), longestCourtesy)])
	longest := longestPhrase(head) // nearly always 0: no phrase begins here
	for end := min(len(runes), longestCourtesy); end > 0 && longest > 0; end-- {
		if end < len(runes) && !text.Han(runes[end-1]) && !text.Han(runes[end]) && runes[end] != ' ' {
			continue // inside a word
		}
		words := strings.TrimSpace(string(runes[:end]))
		if len(words) > longest {
			continue
		}
		kind, fits := phrase(words)
		if !fits {
			continue
		}
		if more, ok := phrasesOf(string(runes[end:]), depth+1); ok {
			return kind | more, true
		}
	}
	return 0, false
}

// longestPhrase is the number of bytes of the longest beginning of a text that is a
// phrase.
func longestPhrase(s string) (bytes int) {
	first, _ := utf8.DecodeRuneInString(s)
	begin := openers()
	may := begin.by[first] | begin.any
	if may&1 != 0 {
		bytes = fitting(fillers, s)
	}
	for i, c := range courtesies {
		if may&(2<<(2*i)) != 0 {
			bytes = max(bytes, fitting(c.han, s))
		}
		if may&(4<<(2*i)) != 0 {
			bytes = max(bytes, fitting(c.latin, s))
		}
	}
	return bytes
}

// openers tells which expressions may fit a text that begins with a character: a bit
// for the fillers, then two for each courtesy. Nine texts of ten begin with none.
var openers = sync.OnceValue(func() (all struct {
	by  map[rune]uint32
	any uint32
}) {
	all.by = map[rune]uint32{}
	list := []*regexp.Regexp{fillers}
	for _, c := range courtesies {
		list = append(list, c.han, c.latin)
	}
	for i, re := range list {
		tree, err := syntax.Parse(re.String(), syntax.Perl)
		known, skips := false, false
		if err == nil {
			known, skips = opens(tree, func(r rune) { all.by[r] |= 1 << i })
		}
		if !known || skips {
			all.any |= 1 << i
		}
	}
	return all
})

// opens calls yield with each character that a text may begin with that an expression
// fits, unless known is false: then there is no telling. skips tells that the
// expression fits an empty text, too.
func opens(re *syntax.Regexp, yield func(rune)) (known, skips bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText:
		return true, true
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return false, false
		}
		yield(re.Rune[0])
		return true, false
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] > 64 {
				return false, false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				yield(r)
			}
		}
		return true, false
	case syntax.OpCapture, syntax.OpPlus:
		return opens(re.Sub[0], yield)
	case syntax.OpStar, syntax.OpQuest:
		known, _ = opens(re.Sub[0], yield)
		return known, true
	case syntax.OpRepeat:
		known, skips = opens(re.Sub[0], yield)
		return known, skips || re.Min == 0
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if known, skips = opens(sub, yield); !known || !skips {
				return known, skips
			}
		}
		return true, true
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			known, may := opens(sub, yield)
			if !known {
				return false, false
			}
			skips = skips || may
		}
		return true, skips
	}
	return false, false
}

func fitting(re *regexp.Regexp, s string) (bytes int) {
	if at := re.FindStringIndex(s); at != nil {
		return at[1]
	}
	return 0
}

// phrase tells the courtesy of one phrase, none for a filler.
func phrase(s string) (kind kindsOf, ok bool) {
	if fitting(fillers, s) == len(s) {
		return 0, true
	}
	for i, c := range courtesies {
		if fitting(c.han, s) == len(s) || fitting(c.latin, s) == len(s) {
			return 1 << i, true
		}
	}
	return 0, false
}

// symbol tells what is neither a letter nor a digit nor a mark that asks: a smiley.
func symbol(r rune) bool {
	return r != '?' && r != '？' && !text.Han(r) && !text.Letter(r) && !unicode.IsDigit(r) && r > 0x7f && (unicode.IsSymbol(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r))
}

// courteous takes a message that only is polite for the courtesy that it is, and leaves
// the polite part of another message out of its needs.
func courteous(needs []Need, message string) ([]Need, Courtesy) {
	if message == "" {
		return needs, ""
	}
	plain := text.Plain(message)
	if len(needs) == 0 {
		return needs, courtesyOf(plain)
	}
	if slices.ContainsFunc(needs, func(n Need) bool { return n.Danger || n.Sub() == WhoAreYou }) {
		return needs, ""
	}
	if kind := courtesyIn(plain); kind != "" {
		return needs[:0], kind
	}
	if !worded(plain) {
		return needs[:0], Wordless
	}
	bare := bareOf(plain)
	if asksWait.MatchString(bare) {
		return needs[:0], Waiting
	}
	if len(needs) == 1 && (needs[0].Status != "" || needs[0].Confidence < surely) && sendsPicture.MatchString(bare) {
		return needs[:0], Sending
	}
	if len(needs) == 1 && needs[0].Status == Unanswered && !needs[0].Outside && garbled(plain) {
		return needs[:0], Garbled
	}
	if len(needs) == 1 || slices.ContainsFunc(needs, func(n Need) bool { return n.Condition != nil }) {
		return needs, "" // what a need depends on is named by its place
	}
	kept := slices.DeleteFunc(slices.Clone(needs), func(n Need) bool { return n.Origin == Spoken && courtesyIn(text.Plain(n.Text)) != "" })
	if !slices.ContainsFunc(kept, func(n Need) bool { return n.Origin == Spoken }) {
		return needs, ""
	}
	return kept, ""
}

// bareOf is a plain text without the marks at its ends.
func bareOf(plain string) string { return strings.Trim(plain, " .。!！,，?？~") }

// garbled tells whether a plain text of Latin letters has too few vowels to be of any
// language's words: about two letters of five are vowels in those.
func garbled(plain string) bool {
	letters, vowels := 0, 0
	for _, r := range plain {
		switch {
		case text.Han(r):
			return false
		case unicode.IsDigit(r):
		case strings.ContainsRune("aeiouy", r):
			vowels++
			letters++
		case text.Letter(r):
			letters++
		}
	}
	return letters >= 5 && vowels*5 < letters
}

// worded tells whether a plain text holds any word or number.
func worded(plain string) bool {
	return strings.ContainsFunc(plain, func(r rune) bool { return text.Han(r) || text.Letter(r) || unicode.IsDigit(r) })
}

// courtesyOf tells which courtesy a plain text is that holds no need.
func courtesyOf(plain string) Courtesy {
	if !worded(plain) {
		return Wordless
	}
	if kind := courtesyIn(plain); kind != "" {
		return kind
	}
	switch bare := bareOf(plain); {
	case asksWait.MatchString(bare):
		return Waiting
	case sendsPicture.MatchString(bare):
		return Sending
	}
	runes := []rune(plain)
	for _, c := range told {
		for _, w := range c.words {
			if i := strings.Index(plain, w); i >= 0 && (w[0] >= 0x80 || wordEdge(runes, len([]rune(plain[:i])))) {
				return c.kind
			}
		}
	}
	return Assent
}

// told are words by which a message without a need is known that says a little more
// than a courtesy ("谢谢小林昨天打来").
var told = []struct {
	kind  Courtesy
	words []string
}{
	{Goodbye, []string{"再见", "拜拜", "先这样", "没事了", "没别的了", "没有了", "bye", "that's all", "see you", "nothing else"}},
	{Refusal, []string{"不用了", "不需要", "no thanks"}},
	{Thanks, []string{"谢", "感谢", "辛苦", "麻烦了", "thank", "thx", "cheers", "appreciate"}},
	{Greeting, []string{"你好", "您好", "哈喽", "哈啰", "嗨", "在吗", "在么", "在不在", "有人吗", "早上好", "上午好", "中午好", "下午好", "晚上好", "早安", "hi", "hello", "hey", "good morning", "good afternoon", "good evening", "anyone there", "you there"}},
}

// WhoAreYou is the subintent of a question about the adviser itself ("are you a
// robot?"); it is no matter of the shop's and must be answered truly.
const WhoAreYou = "who_are_you"

// aboutAdviser are whole messages that ask who answers here and what they can do.
var aboutAdviser = regexp.MustCompile(`^(请问|那|喂|hi|hello|hey)?[ ,，]*((你|您|你们)(是谁|是哪位|叫什么(名字)?|能(做|干|办|帮)(些|我)?(做|干|办)?(些)?(什么|啥|哪些事?)|会(做|干)?(些)?(什么|啥)|可以(做|干|帮我做|帮我)(些)?(什么|啥))|who (are you|am i (talking|speaking|chatting) (to|with))|what are you|what('s| is) your name|what (can|do) you do( for me)?|what can you help( me)?( with)?|how can you help( me)?)[ ?？吗呢啊呀.!]*$`)

var whoAreYou = regexp.MustCompile(`(你|您|你们|对面|那边|这边).{0,4}是.{0,6}(机器人|真人|活人|人工智能|ai|程序|机器|智能客服|自动回复)|是(机器人|真人|ai|人工智能)(吗|么|还是)|(跟|和).{0,3}(机器人|真人|ai).{0,3}(说话|聊天|对话).{0,2}(吗|么)|\b(are|r) (you|u|this)\b.{0,20}\b(robot|bot|chatbot|human|person|machine|ai|real|automated|computer)\b|\b(is|am) (this|it|i)\b.{0,24}\b(robot|bot|chatbot|machine|ai|real person|human|computer)\b`)

var asksForPerson = regexp.MustCompile(`转|找|换|叫|接|要|want|need|get me|give me|let me|put me|instead`)

// truthful marks questions about the adviser itself, which are not requests for a person.
func truthful(needs []Need) []Need {
	for i := range needs {
		n := &needs[i]
		if n.Origin != Spoken {
			continue
		}
		about := aboutAdviser.MatchString(strings.TrimSpace(text.Plain(n.Text)))
		if !about && !n.Outside && n.Intent != "service.human" && n.Status == "" {
			continue
		}
		if plain := text.Plain(n.Text); about || whoAreYou.MatchString(plain) && !asksForPerson.MatchString(plain) {
			sub := WhoAreYou
			n.Intent, n.Subintent, n.Status, n.Readings, n.Outside, n.Negated = "", &sub, Unanswered, nil, true, false
		}
	}
	return needs
}

// FillsIn tells whether a short message only gives what a form asks for, a day, a time
// or a number, and wants nothing that was surely understood.
func FillsIn(r *Recognition, message string) bool {
	if utf8.RuneCountInString(message) > 32 || r.Courtesy != "" && r.Courtesy != Wordless || strings.ContainsAny(message, "?？") {
		return false
	}
	digits, others := 0, 0
	for _, c := range text.Plain(message) {
		switch {
		case unicode.IsDigit(c):
			digits++
		case text.Han(c) || text.Letter(c):
			others++
		}
	}
	if digits >= 7 && others == 0 {
		return !slices.ContainsFunc(r.Needs, func(n Need) bool { return n.Intent != "" && n.Status == "" && n.Confidence >= surely })
	}
	spoken := 0
	for i := range r.Needs {
		n := &r.Needs[i]
		if n.Origin != Spoken {
			continue
		}
		spoken++
		if n.Danger || n.Status == "" && n.Confidence >= formDoubt || !slices.ContainsFunc(n.Entities, func(e Entity) bool { return e.Type == "date" || e.Type == "time" }) {
			return false
		}
	}
	return spoken == 1
}

// formDoubt is the confidence below which a day or a time is rather the answer to a form.
const formDoubt = 0.7
