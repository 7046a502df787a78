// Package pack turns industry packs (folders of YAML with embedded rules) into a
// strategy.Version. It works when a strategy is published and is never on the way
// of a customer: parse, check, test, compile, train.
//
//	c := &pack.Compiler{FS: packs.Files}
//	version, source, err := c.Compile(ctx, source)
//
// It is the only room that knows the rule library (CEL): a compiled rule leaves it
// as decision.Rule or signal.Filter. Whatever is wrong with a pack comes out at
// once, as [Faults], each with its file, line and column.
//
// What it never lets through: a rule that may cost more than its limit, a text
// that is missing in one of the two languages, a right that depends on who the
// customer is.
package pack
