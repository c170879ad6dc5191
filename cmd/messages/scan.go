package messages

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// errCatalog means that a catalog is not in the form that scan reads.
var errCatalog = errors.New("not one object with each of its members on lines of its own")

// indent is how far the members of an object stand to the right of it.
const indent = "  "

// scan gives the members of an object as they stand, with ids that hold no escapes. depth is how many objects it is in. A run needs few of
// the texts: to parse all of them as JSON took a third of a short run. So the lines decide: a member begins on a line of its own, indented as
// is usual, and no text has a line end in it. What is wrong with a value shows when it is asked for, and the tests ask for all.
func scan(raw []byte, depth int, member func(id string, value json.RawMessage)) error {
	outer := "\n" + strings.Repeat(indent, depth)
	begins, ends := []byte(outer+indent+`"`), []byte(outer+"}")
	rest, whole := bytes.CutPrefix(bytes.TrimSpace(raw), append([]byte("{"), begins...))
	rest, closed := bytes.CutSuffix(rest, ends)
	for more := whole && closed; more; {
		var one []byte
		one, rest, more = bytes.Cut(rest, begins)
		id, value, separate := bytes.Cut(one, []byte(`": `))
		if more {
			value, whole = bytes.CutSuffix(value, []byte(","))
		}
		if !separate || !whole {
			return errCatalog
		}
		member(string(id), value[:len(value):len(value)])
	}
	if !whole || !closed {
		return errCatalog
	}
	return nil
}

// member is the value of one member of an object that is in none, as scan gives it; nil where there is no such member.
func member(raw []byte, id string) json.RawMessage {
	const begins = "\n" + indent + `"`
	_, rest, found := bytes.Cut(raw, []byte(begins+id+`": `))
	if !found {
		return nil
	}
	value, _, more := bytes.Cut(rest, []byte(begins))
	if more {
		value, _ = bytes.CutSuffix(value, []byte(","))
	} else {
		value, _ = bytes.CutSuffix(bytes.TrimSpace(value), []byte("\n}"))
	}
	return value[:len(value):len(value)]
}
