// Package engine is the corridor of the house: Answer walks one enquiry through
// every room in order, Observe takes in what happened. It holds the order, the
// deadlines and the one commit, and nothing else: what a room knows stays there.
//
// Time, randomness and ids come in as values, so that every decision can be made
// again.
package engine
