package cluster

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// understood are sentences of a shop's ordinary matters.
var understood = []string{
	"能不能帮我查一下快递到哪了", "我想退货可以吗", "能不能换个颜色", "请问运费是多少", "你们几点下班", "我想问一下发票怎么开", "可以便宜点吗", "请问这个有货吗",
	"这个杯子多少钱", "能不能明天送到", "我想改一下地址", "请问保修多久",
	"can you tell me where my parcel is", "I want to return this", "how much is this cup", "do you ship abroad", "can I get an invoice please", "could you change the address", "is it in stock", "do you have this in blue",
}

// asked are what nobody understood, by topic.
var asked = map[string][]string{
	"刻字":     {"能不能在杯子上刻字", "可以刻字吗，刻名字", "想刻字送人，多少钱一个字", "请问你们提供刻字服务吗", "刻字要等几天"},
	"旧机":     {"旧手机能以旧换新吗", "以旧换新旧机怎么估价", "旧机回收给多少", "家里的旧机你们收吗", "我想以旧换新，旧机屏幕碎了"},
	"engrav": {"can you engrave a name on it", "do you do engraving", "how long does engraving take", "I want it engraved for a wedding", "engraving price please"},
}

func world(random *rand.Rand) (all []Sentence, topic []string) {
	for _, name := range []string{"刻字", "旧机", "engrav"} {
		for i, t := range asked[name] {
			all, topic = append(all, Sentence{t, fmt.Sprint(name, i)}), append(topic, name)
		}
	}
	for i, t := range []string{"哈哈哈哈", "今天天气真好", "asdf qwer", "who won the match last night", "我家狗会握手", "唱首歌给我听"} {
		all, topic = append(all, Sentence{t, fmt.Sprint("chat", i)}), append(topic, "")
	}
	random.Shuffle(len(all), func(i, j int) {
		all[i], all[j] = all[j], all[i]
		topic[i], topic[j] = topic[j], topic[i]
	})
	return all, topic
}

func TestSentencesOfOneThingComeTogetherUnderItsName(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	all, topic := world(rand.New(rand.NewPCG(seed, 0)))
	groups := Group(all, understood, Options{})
	found := map[string]int{}
	for _, g := range groups {
		names := map[string]int{}
		for _, i := range g.Members {
			names[topic[i]]++
		}
		t.Logf("%v: %d people, %v", g.Words, g.People, names)
		if len(names) > 1 || names[""] > 0 {
			t.Errorf("%v puts together what is not one: %v", g.Words, names)
			continue
		}
		name := topic[g.Members[0]]
		found[name] += len(g.Members)
		if !slices.ContainsFunc(g.Words, func(w string) bool {
			return strings.Contains(w, name) || name == "旧机" && strings.Contains(w, "旧")
		}) {
			t.Errorf("%s is called %v", name, g.Words)
		}
	}
	for name := range asked {
		if found[name] < 4 {
			t.Errorf("of %s only %d of 5 came together", name, found[name])
		}
	}
	if again := Group(all, understood, Options{}); !reflect.DeepEqual(again, groups) {
		t.Error("the same sentences give other groups")
	}
}

func TestOnePersonAloneIsNoTopic(t *testing.T) {
	t.Parallel()
	var all []Sentence
	for _, s := range asked["刻字"] {
		all = append(all, Sentence{s, "one"}, Sentence{s, "one"})
	}
	if g := Group(all, understood, Options{}); len(g) > 0 {
		t.Errorf("one person makes a topic: %v", g)
	}
	if g := Group(nil, understood, Options{}); len(g) > 0 {
		t.Errorf("nobody makes a topic: %v", g)
	}
	// A name that one person gives does not become the name of a group.
	all = nil
	for i, s := range asked["刻字"] {
		all = append(all, Sentence{s + " 周桂兰", "p" + fmt.Sprint(i%2*i)})
	}
	all[1].Text, all[3].Text = asked["刻字"][1], asked["刻字"][3]
	for _, g := range Group(all, understood, Options{}) {
		if strings.Contains(strings.Join(g.Words, ""), "桂") {
			t.Errorf("somebody's name: %v", g.Words)
		}
	}
}

func TestManySentencesAreBounded(t *testing.T) {
	t.Parallel()
	var all []Sentence
	for i := range 3 * Most {
		all = append(all, Sentence{fmt.Sprintf("topic%d about thing%d", i%50, i), fmt.Sprint(i)})
	}
	groups := Group(all, understood, Options{})
	n := 0
	for _, g := range groups {
		n += len(g.Members)
	}
	if n == 0 || n > Most {
		t.Errorf("%d sentences in %d groups", n, len(groups))
	}
}
