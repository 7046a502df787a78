package classify

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// matrix is the training set: a row an example, and in it the features that occur in more than one
// example. What occurs in one example alone can only meet itself while training, so of it the squared
// length is enough (alone): the optimum is the same and half of the work is gone.
type matrix struct {
	start []int32
	index []int32
	value []float32
	alone []float32
	width int // number of features; the last is the constant one
}

// idle is how many passes an example is left alone that no class had to learn anything from: seldom does it
// have to be learned from in the next. The last pass looks at all. (Shrinking, as in the paper below; three in
// ten to six in ten examples are idle, and accuracy moves by 0.08 points at most, either way, on six training parts.)
const idle = 2

// solve finds, for up to eight classes at a time, the weights w that minimise
//
//	½‖w‖² + Σ costᵢ·max(0, 1 − yᵢ w·xᵢ)²
//
// by dual coordinate descent (Hsieh, Chang, Lin, Keerthi, Sundararajan: A dual coordinate descent
// method for large-scale linear SVM, ICML 2008, algorithm 1 with a new permutation each round). It begins
// with the signed dual variables given, lanes an example, which it changes, and returns the weights, lanes
// a feature. The result depends on the arguments alone.
func solve(m *matrix, dual []float32, label []int32, first int32, o Options) (w []float32) {
	n := len(m.start) - 1
	w = make([]float32, m.width*lanes)
	for i := range n {
		if a := (*[lanes]float32)(dual[i*lanes:]); *a != [lanes]float32{} {
			moveRows(w, m.index[m.start[i]:m.start[i+1]], m.value[m.start[i]:m.start[i+1]], a)
		}
	}
	diagonal := float32(1 / (2 * o.Cost))
	positive := float32(1 / (2 * o.Cost * o.Balance))
	order := make([]int32, n)
	size := make([]float32, n)
	for i := range order {
		order[i] = int32(i)
		q := m.alone[i]
		for k := m.start[i]; k < m.start[i+1]; k++ {
			q += float32(m.value[k] * m.value[k])
		}
		size[i] = q
	}
	random := rand.New(rand.NewPCG(o.Seed, uint64(first)))
	rest := make([]uint8, n) // passes that an example is not looked at
	for round := 0; round < o.Rounds; round++ {
		random.Shuffle(n, func(a, b int) { order[a], order[b] = order[b], order[a] })
		worst := float32(0)
		for _, i := range order {
			if rest[i] > 0 && round < o.Rounds-1 {
				rest[i]--
				continue
			}
			index, value := m.index[m.start[i]:m.start[i+1]], m.value[m.start[i]:m.start[i+1]]
			var sum [lanes]float32
			rowSums(&sum, w, index, value)
			a := (*[lanes]float32)(dual[int(i)*lanes:])
			own := label[i] - first
			var step [lanes]float32
			moved, active := false, false
			for c := range int32(lanes) {
				y, d := float32(-1), diagonal
				if c == own {
					y, d = 1, positive
				}
				old := float32(y * a[c])
				g := float32(y*(sum[c]+float32(a[c]*m.alone[i]))) - 1 + float32(old*d)
				if old == 0 && g >= 0 {
					continue
				}
				active = true
				worst = max(worst, g, -g)
				next := max(0, old-g/(size[i]+d))
				if next == old {
					continue
				}
				step[c] = float32(y * (next - old))
				a[c] = float32(y * next)
				moved = true
			}
			if !active && round > 0 {
				rest[i] = idle
			}
			if !moved {
				continue
			}
			moveRows(w, index, value, &step)
		}
		if worst < o.Tolerance {
			break
		}
	}
	return w
}

// leftOut estimates, for up to eight classes, the margins that each example would have had, had it not
// been learned from: the margin less what the example itself put into the weights. keep is the share
// of that which others would have put there in its place. Lanes an example.
func leftOut(m *matrix, w, dual []float32, keep float32) []float32 {
	n := len(m.start) - 1
	out := make([]float32, n*lanes)
	for i := range n {
		index, value := m.index[m.start[i]:m.start[i+1]], m.value[m.start[i]:m.start[i+1]]
		sum := (*[lanes]float32)(out[i*lanes:])
		rowSums(sum, w, index, value)
		own := float32(0)
		for _, v := range value {
			own += float32(v * v)
		}
		a := (*[lanes]float32)(dual[i*lanes:])
		for c := range lanes {
			sum[c] -= float32(float32((1-keep)*a[c]) * own)
		}
	}
	return out
}

// inParallel calls work(0) … work(n-1), each once, on as many threads as the process may use. Which
// thread does which must not matter to the work.
func inParallel(n int, work func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for i := range n {
			work(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				work(i)
			}
		})
	}
	wait.Wait()
}

// inverse is the weight of a feature that occurs in df of n examples: the square root of the usual
// inverse document frequency. In short sentences the plain one lets rare names outweigh what is asked
// (10 examples an intent: 70.8 to 71.7 %; Chinese domains: 91.7 to 92.6 %, on training parts).
func inverse(n, df int) float64 { return math.Sqrt(math.Log(float64(1+n)/float64(1+df)) + 1) }
