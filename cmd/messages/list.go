package messages

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A text that is a list of steps stands in a catalog as an array. A step that begins with "@" is the text step.NAME, which
// several lists share; every other is a text of its own, ID.1, ID.2 and so on.

// flat gives a catalog file whose arrays are numbered texts, and the ids of the steps of each list.
func flat(name string, raw []byte, lists map[string][]string) (map[string]json.RawMessage, error) {
	var texts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, fmt.Errorf("catalog %s: %w", name, err)
	}
	for id, text := range texts {
		var steps []string
		if text[0] != '[' || json.Unmarshal(text, &steps) != nil {
			continue
		}
		delete(texts, id)
		lists[id] = nil // another language's is the same
		for i, step := range steps {
			if shared, is := strings.CutPrefix(step, "@"); is {
				lists[id] = append(lists[id], "step."+shared)
				continue
			}
			own := id + "." + strconv.Itoa(i+1)
			lists[id] = append(lists[id], own)
			encoded, err := json.Marshal(step)
			if err != nil {
				return nil, fmt.Errorf("catalog %s: %w", name, err)
			}
			texts[own] = encoded
		}
	}
	return texts, nil
}

// List gives the ids of a list's texts in their order, nil where there is no list of that id. It is the same in every language.
func (c *Catalog) List(id string) []string { return c.lists[id] }
