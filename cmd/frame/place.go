package frame

import (
	"path/filepath"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// Place writes where a file is that was named without its folder: who chose the name does not know in which folder the program ran. The path
// stays in one piece where a line can hold it, so that it can be copied. A whole path was said with the name.
func (p *Printer) Place(indent, path string) {
	if filepath.IsAbs(path) {
		return
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return
	}
	shown := terminal.PathLines(terminal.Printable(whole), p.Width()-len(indent))
	text := p.Text("file.place", messages.Args{"Path": messages.Own(shown)})
	p.Raw([]byte(IndentLines(text, indent) + "\n"))
}
