package split

// The closed lists of the grammar. They hold function words only: what a shop sells or a customer wants
// is learned from examples. All are compared in plain form (lower case, simplified, half width).

// linkWords join two needs and belong to neither.
var linkWords = []string{
	"另外", "此外", "除此之外", "还有", "还有就是", "还有一个", "还有个事", "还有一件事", "还有个问题", "对了", "顺便", "顺带", "顺道", "顺便问一下", "顺便问下",
	"另外再问一下", "另外问一下", "再问一下", "再问下", "再者", "其次", "最后", "接着", "然后", "之后", "并且", "而且", "同时", "与此同时", "以及", "再有", "再有就是",
	"再一个", "第一", "第二", "第三", "第四", "第五", "第一个问题", "第二个问题", "第三个问题", "第一件事", "第二件事", "第三件事", "首先", "一是", "二是", "三是", "加上", "不过", "但是", "但", "可是", "所以", "并", "且",
	"also", "and also", "and then", "then", "and", "plus", "and plus", "besides", "as well as", "in addition", "additionally", "furthermore", "moreover",
	"after that", "afterwards", "finally", "lastly", "secondly", "second", "firstly", "first", "third", "thirdly", "fourth", "fourthly", "next", "and finally", "and next", "by the way", "btw", "oh and", "oh", "while you're at it",
	"while i'm here", "one more thing", "another thing", "another question", "on top of that", "but", "but also", "and please also", "and after that", "and lastly", "as well", "so",
}

// weakWords may join two needs inside a clause, without a mark before them, but mostly do not; what
// stands after them decides. They belong to neither need.
var weakWords = []string{
	"并", "并且", "而且", "顺便", "顺带", "另外", "此外", "还有", "然后", "接着", "以及", "同时", "再", "再帮我", "还想", "还要", "对了",
	"and", "and also", "and then", "then", "also", "plus", "as well as", "after that", "by the way", "btw", "but", "and after that", "besides", "and finally", "and next", "oh and", "n", "&",
}

// strongWords are weak words that join clauses far more often than names.
var strongWords = []string{
	"顺便", "顺带", "另外", "此外", "对了", "再帮我", "还想", "还要",
	"and also", "and then", "then", "also", "after that", "by the way", "btw", "and after that", "besides", "and finally", "and next", "oh and",
}

// softWords are linking words that go on with the same matter as often as they begin another.
var softWords = []string{
	"但是", "但", "可是", "不过", "所以", "而且", "并且", "同时", "并", "且", "之后", "接着", "然后", "加上",
	"but", "so", "as well",
}

// fillerWords open a message or a clause and carry no need.
var fillerWords = []string{
	"你好", "您好", "你们好", "哈喽", "嗨", "喂", "亲", "亲亲", "在吗", "在不在", "有人吗", "客服你好", "客服您好", "你好啊", "老板", "客服", "请问", "请问一下", "请问下", "想问下", "想问一下", "我想问下", "我想问一下", "问一下", "问下", "问一句", "问句", "再问一句", "说一下", "说说",
	"侬好", "雷猴", "你好呀", "您好呀", "在么", "在嘛", "老师好", "师傅好", "老板好", "小姐姐", "小哥哥", "师傅", "老师", "各位", "麻烦问下", "麻烦问一下", "打扰一下", "打扰了", "嗯", "嗯嗯", "哦", "噢", "啊", "哎", "唉", "诶", "那个啥", "就是说", "话说", "好的", "好吧", "行", "谢谢", "多谢", "感谢", "谢谢啦", "谢谢了", "谢谢你", "麻烦了", "辛苦了",
	"hi", "hello", "hey", "hi there", "hello there", "hey there", "good morning", "good afternoon", "good evening", "ok", "okay", "well", "um", "uh", "thanks", "thank you", "many thanks", "cheers", "dear sir", "dear team", "excuse me", "quick question",
}

// addressWords are fillers only before a mark or a blank: in "客服说…" they are what is spoken of.
var addressWords = []string{"客服", "老板", "亲", "亲亲", "师傅", "老师", "各位", "小姐姐", "小哥哥", "行"}

// tailWords close a message and carry no need.
var tailWords = []string{
	"谢谢", "多谢", "感谢", "谢谢啦", "谢谢了", "谢谢你", "谢谢您", "麻烦了", "辛苦了", "拜托了",
	"thanks", "thank you", "many thanks", "thanks a lot", "thank you very much", "thanks in advance", "cheers", "as well", "too",
}

// conditionOpeners begin a clause on whose truth the next one depends.
var conditionOpeners = []string{
	"如果", "要是", "若", "若是", "假如", "假使", "倘若", "万一", "只要", "除非", "实在", "如若", "一旦", "等",
	"if", "if so", "if not", "unless", "in case", "provided", "as long as", "assuming", "should it", "when it", "once it",
}

// otherwiseWords make a need depend on the failure of the one before it.
var otherwiseWords = []string{"否则", "不然", "要不然", "不然的话", "不行就", "不行的话", "要不就", "实在不行", "otherwise", "or else", "if not", "failing that", "if that doesn't work", "if that fails", "if you can't", "if you cannot", "if it's not possible", "if that's not possible"}

// givenWords make a need depend on the success of the one before it.
var givenWords = []string{"if so", "if yes", "in that case", "then in that case", "这样的话", "那样的话", "如果可以", "可以的话", "行的话", "如果行", "如果有", "有的话"}

// ordinalWords number what somebody lists when a mark or a clause follows; before a measure word they count:
// "第一，我要退款" begins a list, "第三次问了" and "third time this year" do not.
var ordinalWords = []string{"第一", "第二", "第三", "第四", "第五", "first", "second", "third", "fourth", "next"}

// speakerWords begin a clause of its own after "second".
var speakerWords = []string{"i", "i'm", "i've", "i'd", "my", "we", "we're", "our", "the", "there", "it", "you", "your", "they", "if", "about", "regarding", "please", "cancel", "send", "tell", "help", "give", "show", "add", "remove", "make", "get", "let", "connect", "put", "find", "explain"}

// politeWords stand before a verb and say nothing of it.
var politeWords = []string{"please", "pls", "kindly", "just", "can you", "could you", "would you"}

// sharers are pronouns that can share the clause before "and"; prepositions follow them then.
var (
	sharers      = []string{"i", "me", "us", "him", "her", "them", "myself"}
	prepositions = []string{"at", "in", "on", "for", "near", "to", "with", "from", "by", "around", "before", "after", "next", "tomorrow", "tonight", "today"}
)

// vainWords ask or urge without saying for what; besideVain may stand beside them.
var (
	vainWords = []string{
		"查", "查查", "查下", "查一下", "查一查", "看", "看看", "看下", "看一下", "瞧瞧", "处理", "处理下", "处理一下", "解决", "解决下", "解决一下", "弄一下", "想想办法", "想个办法", "核实一下", "核实下", "确认一下", "确认下",
		"怎么办", "咋办", "怎么弄", "咋弄", "咋整", "怎么整", "怎么搞", "怎么搞的", "怎么回事", "咋回事", "啥情况", "什么情况", "啥原因", "什么原因", "什么问题", "啥毛病", "什么毛病", "怎么处理", "怎么解决", "为什么", "为啥", "是不是坏了", "是不是坏", "是坏了吗", "是不是有问题", "是不是出问题了", "哪里出问题了", "哪里出了问题",
		"急", "急用", "急着用", "着急", "等着用", "在线等", "挺急", "很急", "可以吗", "可以不", "可不可以", "来得及", "来不来得及", "赶得上", "行吗", "行不", "行不行", "成不", "成吗", "好吗", "好不好", "好不", "对吗", "对吧", "是吧", "是吗", "对不对", "是不是", "有办法吗", "有没有办法", "不对", "不对不对", "等等", "等一下", "等下", "算了", "就算了",
		"what should i do", "what do i do", "what can i do", "what now", "please check", "can you check", "could you check", "please help", "can you help", "could you help", "help me", "what's going on", "what is going on", "is that ok", "is that okay", "is that possible", "is this possible", "would that be possible", "asap", "urgent", "it's urgent", "check it", "please look into it", "look into it", "can you look into it", "could you look into it", "can you look into this", "any idea", "any ideas", "any idea why", "is something wrong", "is anything wrong", "what went wrong", "is it broken", "what's wrong", "what is wrong", "what's wrong with it", "how come", "why is that", "why", "can you do that", "could you do that", "can you sort", "can you sort it", "can you sort this", "what is the matter", "what's the matter", "what is the matter with it", "what's the matter with it", "what gives", "is that all right", "is that alright", "can you sort it out", "please sort it out", "sort it out", "is that normal", "is this normal", "right", "correct", "please advise", "can you fix it", "how do i fix it", "how do i fix this", "how can i fix it",
	}
	besideVain = []string{
		"你们", "你", "您", "帮", "帮我", "帮忙", "给", "给我", "麻烦", "请", "能", "能不能", "可以", "快", "快点", "赶紧", "赶快", "尽快", "马上", "先", "到底", "究竟", "这", "那", "这个", "这是", "该", "应该", "我", "要", "得", "想", "都", "也", "又", "还", "好", "的", "吗", "呢", "啊", "呀", "吧", "嘛", "呗", "哦", "咧", "了", "不", "没", "一下", "下", "真", "挺", "很", "比较", "有点", "那", "就", "不能的话", "不行的话", "没有的话", "没的话", "不然",
		"please", "pls", "so", "really", "then", "now", "for me", "me", "and", "just", "quite", "rather", "is it", "it's", "it is",
	}
)

// wonderWords begin a guess at the cause of what was said before.
var wonderWords = []string{"是不是因为", "是因为", "难道是", "难不成", "会不会是因为", "会不会是", "莫非", "is it because", "is that because", "maybe it's", "could it be"}

// guessWords begin what is often such a guess, and sometimes a need: "是不是没放平", "是不是没货了".
var guessWords = []string{"是不是", "会不会", "不会是"}

// howWords begin a question that has no object of its own when it is short.
var howWords = []string{"怎么", "咋", "如何", "该怎么", "那怎么", "你们看怎么", "要怎么", "应该怎么", "你看怎么", "可以怎么"}

// reasonWords open a reason that its request follows.
var reasonWords = []string{"因为", "由于", "既然", "考虑到", "because", "due to", "owing to", "given that"}

// measureWords follow an ordinal that counts. Single characters, so that "第二发票" stays a list.
const measureWords = "次个天件台单款代批期年月季方轮名位条章节课版步页周号份只双套部张把杯瓶箱包盒层排站回遍手人时分笔间家种类档场届局段遭趟通封门块根顶副班级关"

// apart are characters after which 另外 says that something is separate, not that another need follows.
const apart = "要会得需想能再有用是还须"

// attained are characters that follow a verb and 不 where something cannot be done: 改不了, 赶不上.
const attained = "了成到上住出下来开完起动"

// linkNot are characters after 还有 that make it a verb: "还有货吗" asks whether some is left.
const linkNot = "钱货没多几库现名余剩券优折活位空票效用啥什哪别其人房车机红"

// verbal are characters that make a Chinese clause more than a name.
const verbal = "能可要会是有怎多什几哪谁不没给开送退换修改取查发寄到让得行想办交用"

// choices are characters of which one stands before the first of two things to choose from.
const choices = "是先学选买存报退换用修租走坐去"

// negators rule out the act that follows them.
var negators = []string{
	"不想", "不要", "不用", "不必", "不需要", "不打算", "别", "不是要", "不是想", "不愿", "不愿意", "无需", "先不", "先别", "不", "没想", "没要",
	"don't", "do not", "dont", "not", "no need to", "no need for", "don't want", "don't want to", "do not want to", "don't need", "don't need to", "rather not", "no", "never", "instead of", "without", "won't", "not looking for", "not looking to", "not asking for", "not asking to", "don't want a", "not a", "don't need a",
}

// actVerbs are the acts that a customer can rule out in favour of another.
var actVerbs = []string{
	"退", "退货", "退款", "退钱", "换", "换货", "修", "维修", "返修", "取消", "买", "下单", "改", "赔", "推荐", "转人工", "投诉", "补发", "重发", "开发票", "冻结", "注销", "升级", "续费", "寄",
	"refund", "return", "replace", "replacement", "exchange", "repair", "fix", "cancel", "buy", "order", "change", "send", "recommend", "compensate", "compensation", "voucher", "coupon", "upgrade", "renew", "close", "a refund", "a replacement", "a repair", "an exchange", "a voucher", "a coupon", "it back", "my money back", "my money", "the money", "money back", "any money",
}

// questionCues and actCues mark a clause that asks or demands something by itself.
var questionCues = []string{
	"吗", "么", "呢", "嘛", "什么", "啥", "怎么", "咋", "如何", "哪", "哪个", "哪里", "哪款", "哪儿", "谁", "多少", "多久", "多大", "多长", "几", "何时", "为什么", "为啥", "是不是", "能不能", "可不可以", "有没有", "要不要", "会不会", "算不算", "行不行", "好不好", "可以不", "能否", "是否", "到底", "区别", "差别", "不同", "?",
	"what", "which", "how", "when", "where", "why", "who", "whose", "is", "are", "do", "does", "did", "can", "could", "will", "would", "should", "may", "has", "have", "what's", "how's", "where's", "when's", "who's", "isn't", "aren't", "any",
}

var actCues = []string{
	"帮", "帮我", "给我", "请", "麻烦", "我要", "我想", "想要", "要求", "需要", "希望", "推荐", "对比", "比较", "查", "查下", "看下", "看看", "退", "换", "改", "取消", "开", "转", "催", "投诉", "赔", "修", "报", "办", "订", "约", "买", "下单", "告诉", "解释", "介绍", "发", "补", "寄", "送", "解", "冻结", "注销", "删", "关", "查一下", "打不开", "登不", "收不到", "没收到", "不见", "坏", "碎", "裂", "漏", "卡", "烫", "响", "断", "丢", "少", "错", "失败", "没反应", "不了", "态度",
	"please", "i want", "i'd", "i'd like", "i need", "i would", "i'm looking", "looking for", "help", "tell", "show", "send", "give", "cancel", "change", "add", "remove", "return", "refund", "replace", "exchange", "repair", "fix", "track", "check", "find", "recommend", "compare", "explain", "book", "order", "update", "get me", "let me", "connect", "call", "transfer", "put", "make", "reset", "unlock", "close", "stop", "won't", "doesn't", "isn't", "can't", "cannot", "didn't", "hasn't", "haven't", "not", "never", "nobody", "broken", "broke", "missing", "wrong", "damaged", "stuck", "late",
}

// openings begin a question of its own, even where no mark or joining word stands before it ("add two to my
// order pls is the offer still on").
var openings = []string{
	"is it", "is the", "is there", "is my", "is this", "is that", "are you", "are the", "are there", "are they", "am i", "do you", "do i", "do they", "does it", "does the", "did you", "did my",
	"can i", "can you", "can we", "can it", "can someone", "could you", "could i", "could we", "will it", "will you", "will i", "would you", "would it", "should i", "has it", "has my", "have you", "u got", "have u", "can u", "do u", "r u",
	"how much", "how long", "how many", "how do", "how can", "how to", "when will", "when is", "when do", "when does", "when can", "where is", "where's", "wheres", "where do", "where can", "what is", "what's", "whats", "what are", "what time", "which one", "why is", "why was", "why did",
}

// inquiries are the words that a question begins with when it does not begin with its verb, which is one of the
// auxiliaries then.
var (
	inquiries   = []string{"what", "what's", "whats", "which", "how", "when", "when's", "where", "where's", "wheres", "why", "who", "who's", "whose"}
	auxiliaries = []string{"is", "are", "was", "were", "am", "do", "does", "did", "can", "could", "will", "would", "should", "has", "have", "had", "may", "to"}
)

// leads are words after which such a question is the object of the sentence or goes on with it ("tell me what is
// in it", "the days when is it", "and how much").
var leads = []string{
	"know", "ask", "asking", "tell", "see", "check", "me", "us", "you", "sure", "explain", "wonder", "wondering", "about", "on", "of", "for", "to", "at", "in", "by", "from", "with", "than", "if", "whether", "that", "which", "who", "what", "when", "where", "why", "how", "and", "or", "but", "so", "then", "also", "as", "because", "since", "while", "idea", "find", "show", "understand", "say", "says", "remember", "out", "exactly", "just", "actually", "now", "please check",
}

// fragments begin what only adds to the clause before it when it is short: "in navy", "without perfume".
var fragments = []string{"in", "on", "at", "for", "from", "with", "without", "under", "around", "by", "until", "till", "since", "before", "after", "near", "as", "not", "no", "nothing", "preferably", "ideally", "maybe", "or", "about", "max", "only"}

// relatives begin a clause that judges the one before it.
var relatives = []string{"which is", "which was", "which isn't", "which i", "which means", "which makes", "which we", "which has"}

// askings say that something is asked and not what.
var askings = []string{"i'd like to know", "i would like to know", "i want to know", "i need to know", "all i want to know is", "can you tell me", "could you tell me", "can u tell me", "please tell me", "tell me", "let me know", "just tell me", "do you know", "kindly confirm", "kindly tell", "kindly tell me", "please confirm", "please let me know", "can you check", "could you check", "check", "please check", "see", "can you see", "can you confirm", "wondering", "i wonder", "i was wondering", "i'm wondering", "any idea", "do you happen to know", "i'd love to know", "my question is", "i wanted to know", "i want to ask", "i wanted to ask", "i'd like to ask"}
