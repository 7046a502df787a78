package candidate

import "strings"

// Blank splits what stands in the braces of a text: the name of what is put there and,
// for a count, the words that go with it. {days|day|days} is written "1 day", "2 days";
// {n|person is|people are} takes the verb along. Chinese has one form and needs none.
func Blank(inside string) (name, forms string) {
	name, forms, _ = strings.Cut(inside, "|")
	return name, forms
}

// Counted is a number with those of the words that go with it; as it is without words.
func Counted(number, forms string) string {
	if forms == "" {
		return number
	}
	one, many, _ := strings.Cut(forms, "|")
	if number == "1" {
		return "1 " + one
	}
	return number + " " + many
}
