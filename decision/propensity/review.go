package propensity

import (
	"math"
	"slices"
)

// Review is how well predictions were: of Samples, the mean of −ln of the chance that
// was given to what happened, the calibration error (in ten bins of equally many
// predictions), and the chance that of two customers the one who took the offer had
// been given the greater one.
type Review struct {
	Samples     int     `json:"samples"`
	LogLoss     float64 `json:"log_loss"`
	Calibration float64 `json:"calibration_error"`
	AUC         float64 `json:"auc"`
}

// fewest outcomes that tell anything about the quality of predictions.
const fewest = 500

// Compare learns from the older four fifths of samples, which are in the order of
// time, and reviews the predictions of the newest fifth: of the model, and of the
// baseline. Both are nil when there are too few.
func Compare(samples []Sample) (model, baseline *Review) {
	cut := len(samples) * 4 / 5
	if len(samples) < fewest {
		return nil, nil
	}
	n := NewNaive()
	for _, s := range samples[:cut] {
		n.Add(s)
	}
	m := Train(samples[:cut], samples[cut-1].At)
	var learned, naive []float64
	var taken []bool
	for _, s := range samples[cut:] {
		learned = append(learned, Logistic(s.Prior+m.Estimate(m.Read(s.Context), s.Offer).LogOdds))
		naive = append(naive, Logistic(n.Estimate(s.Context, s.Offer.Action).LogOdds))
		taken = append(taken, s.Accepted)
	}
	return review(learned, taken), review(naive, taken)
}

func review(predicted []float64, taken []bool) *Review {
	r := &Review{Samples: len(predicted)}
	order := make([]int, len(predicted))
	for i, p := range predicted {
		order[i] = i
		p = min(max(p, 1e-9), 1-1e-9)
		if taken[i] {
			r.LogLoss -= math.Log(p) / float64(len(predicted))
		} else {
			r.LogLoss -= math.Log(1-p) / float64(len(predicted))
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case predicted[a] < predicted[b]:
			return -1
		case predicted[a] > predicted[b]:
			return 1
		}
		return 0
	})
	const bins = 10
	for k := range bins {
		p, y := 0.0, 0.0
		for _, i := range order[k*len(order)/bins : (k+1)*len(order)/bins] {
			if p += predicted[i]; taken[i] {
				y++
			}
		}
		r.Calibration += math.Abs(p-y) / float64(len(order))
	}
	// The rank sum, ties at their mean rank.
	positive, ranks := 0.0, 0.0
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && predicted[order[j]] == predicted[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if taken[k] {
				positive++
				ranks += float64(i+j+1) / 2
			}
		}
		i = j
	}
	if negative := float64(len(order)) - positive; positive > 0 && negative > 0 {
		r.AUC = (ranks - positive*(positive+1)/2) / (positive * negative)
	}
	return r
}
