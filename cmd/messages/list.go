package messages

import (
	"encoding/json"
	"strconv"
	"strings"
)

// A text that is a list of steps stands in a catalog as an array. A step that begins with "@" is the text step.NAME, which
// several lists share; every other is a text of its own, ID.1, ID.2 and so on.

// spread puts the steps of a list in the place of its array, if there is a list of that id: its own texts under their ids, and the ids of all.
func (c *Catalog) spread(id string) {
	for _, texts := range []map[string]json.RawMessage{c.english, c.own} {
		list := texts[id]
		var steps []string
		var elements []json.RawMessage
		if len(list) == 0 || list[0] != '[' || json.Unmarshal(list, &steps) != nil || json.Unmarshal(list, &elements) != nil {
			continue
		}
		delete(texts, id)
		c.lists[id] = nil // another language's is the same
		for i, step := range steps {
			if shared, is := strings.CutPrefix(step, "@"); is {
				c.lists[id] = append(c.lists[id], "step."+shared)
				continue
			}
			own := id + "." + strconv.Itoa(i+1)
			c.lists[id] = append(c.lists[id], own)
			if _, replaced := texts[own]; !replaced {
				texts[own] = elements[i]
			}
		}
	}
}

// spreadFor is spread for the list that a text is a step of, if it is one.
func (c *Catalog) spreadFor(id string) {
	if dot := strings.LastIndexByte(id, '.'); dot > 0 {
		c.spread(id[:dot])
	}
}

// List gives the ids of a list's texts in their order, nil where there is no list of that id. It is the same in every language.
func (c *Catalog) List(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.find(id)
	c.spread(id)
	return c.lists[id]
}
