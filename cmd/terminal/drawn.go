package terminal

// The rules of a drawn question:
//   - Nothing is asked of the terminal itself, and no events are wanted from it: its answer would be typed into the next
//     question, which may be the one for the PIN.
//   - What was typed before it stood, and did not show, is thrown away: it may be a secret, and would be drawn.
//   - Esc goes back, Ctrl-C leaves, Ctrl-Z stops the program. Ctrl-V pastes nothing: the form would look into the clipboard.
//   - What was drawn is gone once the question is answered or left; an answer stands in its place.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/huh/v2"
	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

func (f Form) drawChoice(ctx context.Context, q Choice) (int, error) {
	columns := UsualColumns
	if tty, err := OpenOutput(); err == nil {
		columns, _ = size(tty)
		tty.Close()
	}
	options := make([]huh.Option[int], len(q.Answers))
	for i, answer := range q.Answers {
		options[i] = huh.NewOption(inList(answer, columns), i)
	}
	chosen := q.Proposed
	list := huh.NewSelect[int]().Title(q.Title).Description(q.Description).Options(options...).Value(&chosen)
	fit := func(columns, rows int) string {
		keys := f.Words.ChoiceKeys
		height := q.height(columns, rows, keys)
		if height > 0 { // not all of them show
			keys = f.Words.Count(len(q.Answers)) + "   " + keys
		}
		list.Height(height)
		return keys
	}
	if err := f.draw(ctx, list, fit); err != nil {
		return 0, err
	}
	return chosen, f.leave(q.Title, q.Answers[chosen])
}

// answerMark is the width of what stands before each answer.
const answerMark = 2

// inList is an answer in lines that a terminal of so many columns holds: what follows of a line hangs below its beginning, which the form
// does not see to.
func inList(answer string, columns int) string {
	return Wrap(answer, max(1, min(columns, MostColumns)-answerMark))
}

// height is the room for the list: all of it, or, where that is more than the terminal has, what fits above the keys.
func (q Choice) height(columns, rows int, keys string) int {
	const apart, least = 2, 5
	room := rows - apart - Lines(keys, min(columns, MostColumns))
	if q.lines(columns) <= room {
		return 0
	}
	return max(least, room)
}

// size is the terminal's, as far as it is told.
func size(tty *os.File) (width, height int) {
	if width, height, err := term.GetSize(int(tty.Fd())); err == nil && width > 0 && height > 0 {
		return width, height
	}
	return UsualColumns, usualRows
}

// lines is how many the list takes on a terminal of so many columns.
func (q Choice) lines(columns int) int {
	width := min(columns, MostColumns)
	lines := Lines(q.Title, width)
	if q.Description != "" {
		lines += Lines(q.Description, width)
	}
	for _, answer := range q.Answers {
		lines += Lines(answer, max(1, width-answerMark))
	}
	return lines
}

func (f Form) drawLine(ctx context.Context, q Line) (string, error) {
	line := q.Proposed
	width := MostColumns
	input := huh.NewInput().Title(q.Title).Description(q.Description).Value(&line).Validate(func(text string) error {
		if problem := q.Problem(q.meant(text)); problem != "" {
			return errors.New(Wrap(problem, width)) // the form would break a name at its dot
		}
		return nil
	})
	fit := func(columns, _ int) string {
		width = min(columns, MostColumns)
		return f.Words.LineKeys
	}
	if err := f.draw(ctx, input, fit); err != nil {
		return "", err
	}
	line = q.meant(line)
	return line, f.leave(q.Title, Printable(line))
}

// draw runs one field as a form of its own. Whenever the terminal has another size, fit is told, and gives what is said of the keys.
func (f Form) draw(ctx context.Context, field huh.Field, fit func(columns, rows int) (keys string)) error {
	Loud()
	tty, err := openConsole(false)
	if err != nil {
		return ErrNone
	}
	defer tty.Close()
	in, out := tty.files()
	width, height := size(out)
	keys := huh.NewNote().Description(fit(width, height))
	form := huh.NewForm(huh.NewGroup(field, keys)).WithWidth(min(width, MostColumns))
	left := false
	filter := func(_ tea.Model, message tea.Msg) tea.Msg {
		switch message := message.(type) {
		case tea.InterruptMsg:
			return tea.QuitMsg{} // which draws once more: a question that was left is gone
		case tea.WindowSizeMsg:
			keys.Description(fit(message.Width, message.Height))
			form.WithWidth(min(message.Width, MostColumns))
		}
		pressed, is := message.(tea.KeyPressMsg)
		if !is {
			return message
		}
		switch pressed.String() {
		case "ctrl+c":
			left = true
		case "ctrl+v":
			return nil
		case "ctrl+z":
			if orphaned() { // the form would wait for ever to go on
				return nil
			}
			return tea.SuspendMsg{}
		}
		return message
	}
	form.WithTheme(huh.ThemeFunc(f.theme)).WithKeyMap(formKeys()).WithShowHelp(false).WithAccessible(false).
		WithProgramOptions(tea.WithInput(in), tea.WithOutput(quiet{out}), tea.WithEnvironment(f.environment()), tea.WithFilter(filter), tea.WithoutSignalHandler(), tea.WithWindowSize(width, height)).
		WithViewHook(func(v tea.View) tea.View {
			v.ReportFocus = false
			return v
		})
	err = form.RunWithContext(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case left:
		return ErrLeft
	case errors.Is(err, huh.ErrUserAborted):
		return ErrBack
	case err != nil:
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return nil
}

// quiet is a terminal that is not asked about itself and whose keyboard stays as it is: the form would ask for the keyboard's
// protocol and change it, whatever the terminal is, and a process that is killed would leave it so.
type quiet struct{ *os.File }

// keyboard are the sequences for that: to report keys in other ways and no longer to do so, and the question whether the terminal does.
var keyboard = strings.NewReplacer("\x1b[?u", "", "\x1b[=1;1u", "", "\x1b[=0;1u", "", "\x1b[>4;2m", "", "\x1b[>4m", "", "\x1b[>4;0m", "")

// Write implements io.Writer. The form writes whole sequences.
func (q quiet) Write(text []byte) (int, error) {
	if _, err := q.WriteString(keyboard.Replace(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// formKeys are the keys of a form. A list is not searched in: that would be a line of its own with keys of its own.
func formKeys() *huh.KeyMap {
	keys := huh.NewDefaultKeyMap()
	keys.Quit = key.NewBinding(key.WithKeys("ctrl+c", "esc"))
	keys.Select.Filter.SetEnabled(false)
	return keys
}

// environment is what the form is told of the terminal: a name for which it asks no questions, and draws by what every terminal
// understands. The console of Linux, for one, knows no CBT (ECMA-48 §8.3.7).
func (f Form) environment() []string {
	environment := []string{"TERM=vt100", "SSH_TTY=" + Path}
	if !f.Colours {
		environment = append(environment, "NO_COLOR=1")
	}
	return environment
}

// theme marks what is chosen by a sign and not by colour alone.
func (f Form) theme(dark bool) *huh.Styles {
	styles := huh.ThemeBase(dark)
	styles.Focused.Base = lipgloss.NewStyle()
	styles.Blurred.Base = lipgloss.NewStyle()
	styles.FieldSeparator = lipgloss.NewStyle().SetString("\n")
	styles.Focused.SelectSelector = lipgloss.NewStyle().SetString("> ")
	if f.Colours {
		styles.Focused.Title = lipgloss.NewStyle().Bold(true)
		styles.Focused.SelectedOption = lipgloss.NewStyle().Bold(true)
		styles.Focused.ErrorMessage = lipgloss.NewStyle().Foreground(lipgloss.Color("1"))
	}
	return styles
}

// leave writes the answer where the question stood.
func (f Form) leave(title, answer string) error {
	tty, err := OpenOutput()
	if err != nil {
		return ErrNone
	}
	defer tty.Close()
	width, _ := size(tty)
	first, _, _ := strings.Cut(answer, "\n")
	if _, err := fmt.Fprintln(tty, Wrap(title+" "+f.Colours.Bold(first), min(width, MostColumns))); err != nil {
		return ErrGone
	}
	return nil
}
