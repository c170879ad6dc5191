package messages

import (
	"bytes"
	"encoding/json"
	"errors"
)

// errCatalog means that a catalog is not in the form that scan reads.
var errCatalog = errors.New("not one object of texts")

// scan gives the members of a catalog's one object as they stand, with ids that hold no escapes. A run needs few of the texts: to parse
// all of them as JSON took a third of a short run. The values are not looked into but for their ends; what is wrong with one shows when it
// is asked for, and the tests ask for all.
func scan(raw []byte, member func(id string, value json.RawMessage)) error {
	rest := bytes.TrimSpace(raw)
	if len(rest) < 2 || rest[0] != '{' || rest[len(rest)-1] != '}' {
		return errCatalog
	}
	for rest = bytes.TrimSpace(rest[1 : len(rest)-1]); ; {
		end := valueEnd(rest)
		if end < 2 || rest[0] != '"' || bytes.IndexByte(rest[:end], '\\') >= 0 {
			return errCatalog
		}
		id := string(rest[1 : end-1])
		if rest = bytes.TrimSpace(rest[end:]); len(rest) == 0 || rest[0] != ':' {
			return errCatalog
		}
		rest = bytes.TrimSpace(rest[1:])
		if end = valueEnd(rest); end == 0 {
			return errCatalog
		}
		member(id, json.RawMessage(rest[:end:end]))
		if rest = bytes.TrimSpace(rest[end:]); len(rest) == 0 {
			return nil
		}
		if rest[0] != ',' {
			return errCatalog
		}
		rest = bytes.TrimSpace(rest[1:])
	}
}

// valueEnd is where a text, an array or an object ends that stands at the beginning; 0 where there is none.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			length := stringEnd(text[i:])
			if length == 0 {
				return 0
			}
			i += length - 1
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		default:
			if depth == 0 {
				return 0
			}
			continue
		}
		if depth <= 0 {
			return i + 1
		}
	}
	return 0
}

// stringEnd is where a text in quotes ends that stands at the beginning; 0 where it has no end.
func stringEnd(text []byte) int {
	for i := 1; ; {
		quote := bytes.IndexByte(text[i:], '"')
		if quote < 0 {
			return 0
		}
		i += quote + 1
		escapes := 0
		for text[i-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}
