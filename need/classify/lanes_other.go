//go:build !amd64

package classify

// rowSums is plainSums where nobody has written it for the processor.
func rowSums(sum *[lanes]float32, w []float32, index []int32, value []float32) {
	plainSums(sum, w, index, value)
}

// moveRows is plainMoves where nobody has written it for the processor.
func moveRows(w []float32, index []int32, value []float32, step *[lanes]float32) {
	plainMoves(w, index, value, step)
}
