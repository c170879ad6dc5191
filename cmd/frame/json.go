package frame

import (
	"bytes"
	"encoding/json"
	"fmt"

	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
)

// writeJSON writes the one document that --json promises. Characters that a terminal would act on are written as \u
// escapes: labels come from tokens, and the document may be read on a screen.
func (a *App) writeJSON(document any, mark supervise.Mark) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	mark.Document = true
	return a.writeMarked(a.out, terminal.EscapeInvisible(out.Bytes()), mark)
}

// NoNil makes an absent list an empty one, since JSON tells null from [].
func NoNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
