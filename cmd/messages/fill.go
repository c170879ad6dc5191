package messages

import "strings"

// fill puts the arguments into a text. It is false for a text that does more than that, or an argument that is not there: those are for
// templates, which take longer to be made ready than a short run does.
func fill(text string, data map[string]any) (string, bool) {
	const begins, ends = "{{.", "}}"
	var filled strings.Builder
	for {
		plain, action, more := strings.Cut(text, "{{")
		if !more {
			return filled.String() + text, true
		}
		name, after, whole := strings.Cut(strings.TrimPrefix(action, "."), ends)
		value, given := data[name].(string)
		if !whole || !given || !strings.HasPrefix(text[len(plain):], begins) {
			return "", false
		}
		filled.WriteString(plain + value)
		text = after
	}
}
