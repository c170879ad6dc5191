package frame

import (
	"encoding/hex"
	"strings"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// describeRemains says the failure itself, then what it has left on the token, and how that is removed.
func describeRemains(a *App, e *token.RemainsError) Failure {
	f := a.Describe(e.Err)
	var parts []string
	if f.More != "" {
		parts = append(parts, f.More)
	}
	for _, group := range []struct {
		id      string
		objects []*token.Object
	}{{"remains.there", e.Objects}, {"remains.unsure", e.Unsure}} {
		if len(group.objects) > 0 {
			parts = append(parts, a.Text(group.id, nil))
			for _, o := range group.objects {
				parts = append(parts, a.remainingObject(e.Token, o))
			}
		}
	}
	f.More = strings.Join(append(parts, a.removing(e)...), "\n")
	return f
}

// saved names the files that a worker had finished before it died.
func (a *App) saved(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return a.Text("remains.files", nil) + "\n" + PrintableList(paths)
}

// changed names what a worker that died may have changed on a token, by the names that it noted, where the token could not be
// looked at again.
func (a *App) changed(c supervise.Changes) string {
	var parts []string
	if len(c.Added) > 0 {
		parts = append(parts, a.added(c.Added))
	}
	if len(c.Destroyed) > 0 {
		parts = append(parts, a.keys("remains.destroyed-unsure", c.Destroyed))
	}
	return strings.Join(parts, "\n")
}

// inPart says that not all is named.
func (a *App) inPart(is bool) string {
	if !is {
		return ""
	}
	return a.Text("remains.in-part", nil)
}

// keys names keys below a text.
func (a *App) keys(id string, names []string) string {
	text := a.Text(id, nil)
	for _, name := range names {
		text += "\n  " + foreign.Text(name).String()
	}
	return text
}

func (a *App) added(names []string) string {
	lines, others := []string{a.Text("remains.unsure", nil)}, false
	var commands []string
	for _, name := range names {
		lines = append(lines, "  "+foreign.Text(name).String())
		if uri, _, err := parseWanted(name); err == nil && uri.Path["type"] == "private" {
			commands = append(commands, a.deleting(uri.String()))
		} else {
			others = true
		}
	}
	lines = append(lines, commands...)
	if others {
		lines = append(lines, a.Text("remains.others", nil))
	}
	return strings.Join(lines, "\n")
}

// deleting is the command that removes a private key.
func (a *App) deleting(uri string) string {
	command := "p11bridge delete " + terminal.ShellQuote(uri)
	if a.Module != "" {
		command += " --module " + terminal.ShellQuote(a.Module)
	}
	return a.Text("remains.delete", messages.Args{"Command": foreign.Text(command)})
}

// remainingObject names one object so that it is no other.
func (a *App) remainingObject(info *token.Info, o *token.Object) string {
	args := messages.Args{
		"Class": messages.Own(o.Class.String()), "ID": messages.Own(hex.EncodeToString(o.ID())), "Label": o.Label(),
		"URI": foreign.Text(info.URI().With(o).String()),
	}
	if o.Certificate == nil {
		return a.Text("remains.object", args)
	}
	args["Subject"], args["Fingerprint"] = o.Certificate.Subject, messages.Own(o.Certificate.SHA256())
	return a.Text("remains.certificate", args)
}

// removing says how what is left is removed: a private key by a command of ours, which looks before it destroys.
func (a *App) removing(e *token.RemainsError) []string {
	var lines []string
	others := false
	for _, o := range append(append([]*token.Object{}, e.Objects...), e.Unsure...) {
		if o.Class != token.CKOPrivateKey {
			others = true
			continue
		}
		lines = append(lines, a.deleting(e.Token.URI().With(o).String()))
	}
	if others {
		lines = append(lines, a.Text("remains.others", nil))
	}
	return lines
}
