package view

import (
	"strings"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// NameText is a distinguished name as it stands in a sentence: one that is empty is not shown as nothing.
func NameText(a *frame.App, name foreign.Text) messages.Value {
	if strings.TrimSpace(string(name)) == "" {
		return messages.Own(a.Text("name.empty", nil))
	}
	return name
}
