package classify

// rowSums and moveRows are in lanes_amd64.s, four lanes an instruction, by instructions that every such
// processor has. Each lane is rounded as plainSums and plainMoves round it, so the bits are the same.

// rowSums sets sum to the rows of w that index names, each times its value, added up in order. Every
// index must be of a whole row of w; that is not checked.
//
//go:noescape
func rowSums(sum *[lanes]float32, w []float32, index []int32, value []float32)

// moveRows adds to each row of w that index names step times its value, in order. Every index must be of
// a whole row of w; that is not checked.
//
//go:noescape
func moveRows(w []float32, index []int32, value []float32, step *[lanes]float32)
