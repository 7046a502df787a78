package classify

// lanes is the number of classes trained side by side: their weights of one feature stand together,
// so a feature is fetched once for all of them, and eight sums fit the registers.
const lanes = 8

// plainSums sets sum to the rows of w that index names, each times its value, added up in order. Training
// spends nine tenths of its time here and in plainMoves, so some processors have them by hand, three times
// as fast (rowSums, moveRows); these say what those must give, bit for bit.
func plainSums(sum *[lanes]float32, w []float32, index []int32, value []float32) {
	value = value[:len(index)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for k, f := range index {
		p := (*[lanes]float32)(w[int(f)*lanes:])
		v := value[k]
		s0 += float32(v * p[0])
		s1 += float32(v * p[1])
		s2 += float32(v * p[2])
		s3 += float32(v * p[3])
		s4 += float32(v * p[4])
		s5 += float32(v * p[5])
		s6 += float32(v * p[6])
		s7 += float32(v * p[7])
	}
	*sum = [lanes]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

// plainMoves adds to each row of w that index names step times its value, in order.
func plainMoves(w []float32, index []int32, value []float32, step *[lanes]float32) {
	value = value[:len(index)]
	t0, t1, t2, t3, t4, t5, t6, t7 := step[0], step[1], step[2], step[3], step[4], step[5], step[6], step[7]
	for k, f := range index {
		p := (*[lanes]float32)(w[int(f)*lanes:])
		v := value[k]
		p[0] += float32(v * t0)
		p[1] += float32(v * t1)
		p[2] += float32(v * t2)
		p[3] += float32(v * t3)
		p[4] += float32(v * t4)
		p[5] += float32(v * t5)
		p[6] += float32(v * t6)
		p[7] += float32(v * t7)
	}
}
