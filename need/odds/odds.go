// Package odds turns what was measured of a text into a probability: the logistic regression behind the
// confidence and the belonging of need/classify and the confidence of need/kindred, step 4 of the flow.
//
//	beta := odds.Fit(rows, right, []float64{0, 1, 1}, []float64{0.01, 0.01, 0.01})
//	p := odds.Probability(beta[0] + beta[1]*margin + beta[2]*lead)
//
// The same arguments give the same numbers.
package odds

import "math"

// Probability is the probability that log odds stand for.
func Probability(logOdds float64) float64 { return 1 / (1 + math.Exp(-logOdds)) }

// Bounds of Fit: the largest number of steps, the step at which it ends, and the least curvature that an
// example is taken to have, so that examples far from any doubt cannot make the steps too long.
const (
	mostSteps      = 25
	smallStep      = 1e-9
	leastCurvature = 1e-5
)

// Fit finds the weights β that make yes likeliest, less ½·Σ ridgeₖ·βₖ²: a logistic regression by Newton's
// method. rows holds what is known of each example, one after another, as many numbers as there are
// weights; a constant is a number that is always one. start is where the search begins and stays as it is.
// A ridge above zero keeps a weight finite where every example is told right.
func Fit(rows []float64, yes []bool, start, ridge []float64) []float64 {
	dims := len(start)
	beta := append([]float64(nil), start...)
	g, h := make([]float64, dims), make([]float64, dims*dims)
	for range mostSteps {
		clear(h)
		for k := range dims {
			g[k], h[k*dims+k] = ridge[k]*beta[k], ridge[k]
		}
		for i, y := range yes {
			x := rows[i*dims : (i+1)*dims]
			z := 0.0
			for k, v := range x {
				z += float64(beta[k] * v)
			}
			p := Probability(z)
			curve, off := max(leastCurvature, float64(p*(1-p))), p
			if y {
				off--
			}
			for a, v := range x {
				g[a] += float64(off * v)
				part, row := float64(curve*v), h[a*dims:a*dims+a+1]
				for b := range row {
					row[b] += float64(part * x[b])
				}
			}
		}
		solve(h, g)
		largest := 0.0
		for k, step := range g {
			beta[k] -= step
			largest = max(largest, math.Abs(step))
		}
		if largest < smallStep {
			break
		}
	}
	return beta
}

// solve solves h·x = g by Cholesky's decomposition: of h the lower half is given and written over, x
// stands in g afterwards.
func solve(h, g []float64) {
	n := len(g)
	for i := range n {
		for j := range i + 1 {
			s := h[i*n+j]
			for k := range j {
				s -= float64(h[i*n+k] * h[j*n+k])
			}
			if i == j {
				h[i*n+i] = math.Sqrt(max(s, 1e-9))
			} else {
				h[i*n+j] = s / h[j*n+j]
			}
		}
	}
	for i := range n {
		for k := range i {
			g[i] -= float64(h[i*n+k] * g[k])
		}
		g[i] /= h[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			g[i] -= float64(h[k*n+i] * g[k])
		}
		g[i] /= h[i*n+i]
	}
}
