package classify_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/rapport-cx/rapport/need/classify"
)

func TestQualityNamesTheExamplesThatCannotBeRight(t *testing.T) {
	t.Parallel()
	examples := append(counter(),
		classify.Example{Text: "Where is my PARCEL?", Intent: "parcel"},
		classify.Example{Text: "我要退款！", Intent: "advice"},
	)
	q, err := classify.CrossValidate(context.Background(), examples, 4, classify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Duplicates) != 1 || q.Duplicates[0].Plain != "where is my parcel" || len(q.Duplicates[0].Examples) != 2 {
		t.Errorf("duplicates: %+v", q.Duplicates)
	}
	if len(q.Contradictions) != 1 || !reflect.DeepEqual(q.Contradictions[0].Intents, []string{"advice", "refund"}) {
		t.Errorf("contradictions: %+v", q.Contradictions)
	}
	if len(q.Doubtful) == 0 || q.Doubtful[0].Text != "我要退款！" || q.Doubtful[0].Taken != "refund" {
		t.Errorf("doubtful: %+v", q.Doubtful)
	}
	if len(q.Intents) != 3 || q.Accuracy <= 0.5 || q.Intents[0].F1 > q.Intents[2].F1 {
		t.Errorf("accuracy %.2f of %+v", q.Accuracy, q.Intents)
	}
	examplesSeen := 0
	for _, i := range q.Intents {
		examplesSeen += i.Examples
	}
	if examplesSeen != len(examples) {
		t.Errorf("%d of %d examples counted", examplesSeen, len(examples))
	}
	again, _ := classify.CrossValidate(context.Background(), examples, 4, classify.Options{})
	if !reflect.DeepEqual(q, again) {
		t.Error("the second report differs from the first")
	}
}

func TestQualityStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := classify.CrossValidate(ctx, counter(), 3, classify.Options{}); err == nil {
		t.Error("it went on")
	}
}
