package frame

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// Manual writes the man pages of a command line in a language, one a command: by file name, in the language of man(7).
func Manual(commands []Command, language string) (map[string][]byte, error) {
	catalog, err := messages.Load(language)
	if err != nil {
		return nil, err
	}
	a := &App{Getenv: func(string) string { return "" }, Now: time.Now, Err: terminal.File{File: os.Stderr}, Catalog: catalog} // a page has no width
	root := a.Root(commands)
	a.DescribeHelp()
	pages := map[string][]byte{}
	for _, c := range append(root.Commands(), root) {
		if c.IsAvailableCommand() || c == root {
			page := &manualPage{App: a, command: c}
			pages[manualName(c)+".1"] = page.write()
		}
	}
	return pages, nil
}

func manualName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manualPage is one page on its way.
type manualPage struct {
	*App
	bytes.Buffer
	command *cobra.Command
}

func (m *manualPage) write() []byte {
	c := m.command
	fmt.Fprintf(m, ".TH %s 1 \"\" \"p11bridge %s\" p11bridge\n", strings.ToUpper(manualName(c)), Version)
	m.Buffer.WriteString(".nh\n.ad l\n") // words of every language, and commands to copy, stay whole
	m.heading("name")
	fmt.Fprintf(m, "%s \\- %s\n", roff(manualName(c)), roff(c.Short))
	m.heading("synopsis")
	fmt.Fprintf(m, ".B %s\n", roff(c.UseLine()))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(m, ".br\n.B %s %s\n", roff(c.CommandPath()), roff(m.Text("usage.command", nil)))
	}
	m.heading("description")
	m.paragraphs(m.helpText(c))
	if c.HasAvailableSubCommands() {
		m.heading("commands")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				m.item(`\fB`+roff(sub.Name())+`\fR`, sub.Short)
			}
		}
	}
	m.options("options", c.NonInheritedFlags())
	m.options("global-options", c.InheritedFlags())
	if c.HasExample() {
		m.heading("examples")
		fmt.Fprintf(m, ".nf\n%s\n.fi\n", roffLines(c.Example))
	}
	m.heading("environment")
	m.Buffer.WriteString(".nf\n" + roffLines(strings.Join(variableNames(), "\n")) + "\n.fi\n.PP\n")
	m.paragraphs(m.Text("manual.environment.text", nil))
	m.heading("exit-status")
	for code := ExitDone; code <= ExitNotACopy; code++ {
		m.item(strconv.Itoa(code), m.Text("manual.exit."+strconv.Itoa(code), nil))
	}
	m.heading("see-also")
	m.seeAlso()
	return m.Bytes()
}

func (m *manualPage) heading(id string) {
	fmt.Fprintf(m, ".SH %s\n", roff(strings.ToUpper(m.Text("manual."+id, nil))))
}

func (m *manualPage) item(tag, text string) { fmt.Fprintf(m, ".TP\n%s\n%s\n", tag, roff(text)) }

// options writes the flags that are not hidden, each with what it takes.
func (m *manualPage) options(heading string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	m.heading(heading)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		takes, usage := pflag.UnquoteUsage(f)
		tag := `\fB` + roff("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			tag = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + tag
		}
		if takes != "" {
			tag += ` \fI` + roff(takes) + `\fR`
		}
		m.item(tag, usage)
	})
}

// paragraphs lets man(1) fill the lines anew; a line that is indented stays by itself.
func (m *manualPage) paragraphs(text string) {
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		switch {
		case line == "":
			m.Buffer.WriteString(".PP\n")
		case strings.HasPrefix(line, " "):
			m.Buffer.WriteString(".br\n" + roff(line) + "\n")
		default:
			m.Buffer.WriteString(roff(line) + "\n")
		}
	}
}

// seeAlso names every other page on the main one, and the main one on every other.
func (m *manualPage) seeAlso() {
	if m.command.HasParent() {
		m.Buffer.WriteString(".BR p11bridge (1)\n")
		return
	}
	var names []string
	for _, c := range m.command.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, ".BR "+roff(manualName(c))+" (1)")
		}
	}
	m.Buffer.WriteString(strings.Join(names, ",\n") + "\n")
}

// roff writes a text so that man(7) reads nothing into it.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}

func roffLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = roff(lines[i])
	}
	return strings.Join(lines, "\n")
}
