// Package pack turns industry packs (folders of YAML with embedded rules) into a
// strategy.Version. It works when a strategy is published and is never on the way
// of a customer: parse, check, test, compile, train.
package pack
