// Package evaluate measures steps 2 and 4 of the flow, identity and need, on labelled data that a file or
// folder holds: it fits or trains on what it may see, answers through the very code that serves, and reports.
// `rapport eval identity|intents|needs PATH` is its only caller in the product; nothing of it runs while serving.
//
// It knows formats, not datasets: a format is recognised by the files and columns that are there.
package evaluate

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rapport-cx/rapport/need/classify"
)

// Set is labelled text. Test is empty where the source has one part only: then Intents measures by
// cross-validation.
type Set struct {
	Path  string
	Train []classify.Example
	Test  []classify.Example
}

// Load reads the labelled sentences at path: a folder with train and test parts (CSV files with the
// columns text and category, or folders with seq.in and label, or blocks of a token and its slot a
// line), or one such part, or a JSON list of objects with text and domain (or intent). part names
// another training part of the folder, such as "train_10"; empty means "train".
func Load(path, part string) (Set, error) {
	if part == "" {
		part = "train"
	}
	set := Set{Path: path}
	info, err := os.Stat(path)
	if err != nil {
		return set, fmt.Errorf("evaluate: %w", err)
	}
	if !info.IsDir() {
		set.Train, err = loadFile(path)
		return set, err
	}
	if _, err := os.Stat(filepath.Join(path, "seq.in")); err == nil {
		set.Train, err = loadPair(path)
		return set, err
	}
	if set.Train, err = loadPart(path, part); err != nil {
		return set, err
	}
	if set.Test, err = loadPart(path, "test"); errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return set, err
}

// loadPart reads the part of a folder that has this name, in whatever format it is there.
func loadPart(folder, name string) ([]classify.Example, error) {
	base := filepath.Join(folder, name)
	if info, err := os.Stat(base); err == nil && info.IsDir() {
		return loadPair(base)
	}
	for _, ending := range []string{".csv", ".json", ".txt"} {
		if _, err := os.Stat(base + ending); err == nil {
			return loadFile(base + ending)
		}
	}
	return nil, fmt.Errorf("evaluate: %s: no part %q (%[2]s.csv, %[2]s.json, %[2]s.txt or %[2]s/seq.in): %w", folder, name, os.ErrNotExist)
}

func loadFile(path string) ([]classify.Example, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	defer file.Close()
	var examples []classify.Example
	switch filepath.Ext(path) {
	case ".csv":
		examples, err = readCSV(file)
	case ".json":
		examples, err = readJSON(file)
	case ".txt":
		var blocks []Block
		if blocks, err = readBlocks(file); err == nil {
			for _, b := range blocks {
				if len(b.Intents) != 1 {
					return nil, fmt.Errorf("evaluate: %s: %q has %d intents, one is needed here", path, b.Text, len(b.Intents))
				}
				examples = append(examples, classify.Example{Text: b.Text, Intent: b.Intents[0]})
			}
		}
	default:
		err = errors.New("the format is not known: .csv, .json, .txt or a folder is needed")
	}
	if err == nil && len(examples) == 0 {
		err = errors.New("no labelled sentence")
	}
	if err != nil {
		return nil, fmt.Errorf("evaluate: %s: %w", path, err)
	}
	return examples, nil
}

func readCSV(r io.Reader) ([]classify.Example, error) {
	reader := csv.NewReader(r)
	head, err := reader.Read()
	if err != nil {
		return nil, err
	}
	textAt, labelAt := -1, -1
	for i, name := range head {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "text", "sentence", "utterance":
			textAt = i
		case "category", "intent", "label":
			labelAt = i
		}
	}
	if textAt < 0 || labelAt < 0 {
		return nil, fmt.Errorf("the columns are %q; text and category are needed", head)
	}
	var examples []classify.Example
	for {
		record, err := reader.Read()
		if err == io.EOF {
			return examples, nil
		}
		if err != nil {
			return nil, err
		}
		examples = append(examples, classify.Example{Text: record[textAt], Intent: record[labelAt]})
	}
}

func readJSON(r io.Reader) ([]classify.Example, error) {
	var list []struct{ Text, Domain, Intent string }
	if err := json.NewDecoder(r).Decode(&list); err != nil {
		return nil, err
	}
	examples := make([]classify.Example, len(list))
	for i, l := range list {
		if l.Domain == "" {
			l.Domain = l.Intent
		}
		examples[i] = classify.Example{Text: l.Text, Intent: l.Domain}
	}
	return examples, nil
}

func loadPair(folder string) ([]classify.Example, error) {
	texts, err := readLines(filepath.Join(folder, "seq.in"))
	if err != nil {
		return nil, err
	}
	labels, err := readLines(filepath.Join(folder, "label"))
	if err != nil {
		return nil, err
	}
	if len(texts) != len(labels) {
		return nil, fmt.Errorf("evaluate: %s: %d sentences but %d labels", folder, len(texts), len(labels))
	}
	examples := make([]classify.Example, len(texts))
	for i := range texts {
		examples[i] = classify.Example{Text: texts[i], Intent: labels[i]}
	}
	return examples, nil
}

func readLines(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines, nil
}

// Block is one utterance of a file of tokens and slots, with its intents in order.
type Block struct {
	Text    string
	Intents []string
}

func readBlocks(r io.Reader) ([]Block, error) {
	var blocks []Block
	var tokens []string
	scanner := bufio.NewScanner(r)
	for line := 1; scanner.Scan(); line++ {
		fields := strings.Fields(scanner.Text())
		switch {
		case len(fields) == 0:
		case len(fields) == 1 && len(tokens) > 0:
			blocks = append(blocks, Block{Text: strings.Join(tokens, " "), Intents: strings.Split(fields[0], "#")})
			tokens = nil
		case len(fields) == 2:
			tokens = append(tokens, fields[0])
		default:
			return nil, fmt.Errorf("line %d: %q is neither a token with its slot nor the intents of a block", line, scanner.Text())
		}
	}
	return blocks, scanner.Err()
}
