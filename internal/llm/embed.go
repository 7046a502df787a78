package llm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rapport-cx/rapport/engine"
)

// embedRequest and embedAnswer are the parts of the embeddings interface that are used.
type embedRequest struct {
	Model  string   `json:"model"`
	Input  []string `json:"input"`
	Format string   `json:"encoding_format"`
}

type embedAnswer struct {
	Data []struct {
		Index     *int      `json:"index"`
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
}

// Bounds of embeddings.
const (
	mostDims     = 8192
	vectorBytes  = 128 << 10 // of the answer for one text: 8192 numbers of 15 digits
	batch        = 32        // known sentences of one call
	batchTime    = 60 * time.Second
	saveEvery    = 4096 // sentences after which what came is kept
	mostEmbedded = 64   // texts of one question
)

var _ engine.Embedder = (*Endpoint)(nil)

// Model implements engine.Embedder.
func (e *Endpoint) Model() string { return e.o.EmbedModel }

// Embed implements engine.Embedder.
func (e *Endpoint) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) > mostEmbedded {
		return nil, fmt.Errorf("llm: %d texts at once, the most are %d", len(texts), mostEmbedded)
	}
	vectors := make([][]float32, len(texts))
	in := embedRequest{Model: e.o.EmbedModel, Input: texts, Format: "float"}
	err := e.call(ctx, &e.embedding, "/embeddings", in, mostBytes+vectorBytes*len(texts), func(answer []byte) error {
		var a embedAnswer
		if err := json.Unmarshal(answer, &a); err != nil {
			return err
		}
		if len(a.Data) != len(texts) {
			return fmt.Errorf("%d embeddings for %d texts", len(a.Data), len(texts))
		}
		for k, d := range a.Data {
			i := k
			if d.Index != nil {
				i = *d.Index
			}
			if i < 0 || i >= len(texts) || vectors[i] != nil {
				return fmt.Errorf("an embedding of text %d, which was not sent or is there twice", i)
			}
			if err := embedding(d.Embedding, len(a.Data[0].Embedding)); err != nil {
				return fmt.Errorf("text %d: %w", i, err)
			}
			vectors[i] = d.Embedding
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return vectors, nil
}

// embedding says what is wrong with a vector.
func embedding(v []float32, dims int) error {
	if len(v) == 0 || len(v) > mostDims || len(v) != dims {
		return fmt.Errorf("an embedding of %d dimensions, beside one of %d", len(v), dims)
	}
	square := 0.0
	for _, x := range v {
		square += float64(float64(x) * float64(x))
	}
	if !(square > 0) || math.IsInf(square, 0) {
		return errors.New("an embedding without length")
	}
	return nil
}

// Known implements engine.Embedder. What it is given is kept on disk, if there is a
// place for it, so that a start asks for nothing that is known.
func (e *Endpoint) Known(ctx context.Context, texts []string) ([][]float32, error) {
	e.keeping.Lock()
	defer e.keeping.Unlock()
	kept, err := openCache(e.o.Cache, e.o.EmbedModel, cmp.Or(e.o.CacheBytes, usualCache))
	if err != nil {
		return nil, err
	}
	missing := kept.missing(texts)
	fresh := 0
	for len(missing) > 0 {
		some := missing[:min(batch, len(missing))]
		vectors, err := e.some(ctx, some)
		if err == nil {
			err = kept.add(some, vectors)
		}
		if err != nil { // what came is not asked for again
			return nil, errors.Join(err, kept.save())
		}
		if fresh += len(some); fresh >= saveEvery {
			fresh = 0
			if err := kept.save(); err != nil {
				return nil, err
			}
		}
		missing = missing[len(some):]
	}
	if err := kept.save(); err != nil {
		return nil, err
	}
	return kept.all(texts), nil
}

func (e *Endpoint) some(ctx context.Context, texts []string) ([][]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	return e.Embed(ctx, texts)
}
