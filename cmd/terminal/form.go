package terminal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// ErrBack means that the person wants the question before this one.
var ErrBack = errors.New("back to the question before")

// ErrLeft means that the person wants no further question.
var ErrLeft = errors.New("the conversation was left")

// Form puts questions whose answers are no secrets. It draws lists that arrow keys move in; a plain one writes numbered
// lines, for screen readers and for terminals on which nothing can be drawn. Every question can be left: by ErrBack or by
// ErrLeft.
type Form struct {
	Plain   bool
	Colours Colours
	Words   FormWords
}

// FormWords are the texts of a form that are the same for every question.
type FormWords struct {
	ChoiceKeys string // which keys do what at a list
	LineKeys   string // the same where a line is typed
	Number     string // asks for the number of a choice
	Line       string // asks for a line
	Back       string // the choice that goes back
	NoChoice   string // there is no such number

	Count func(int) string // how many answers there are, where not all show
}

// Choice is a question that one of several answers fits.
type Choice struct {
	Title       string
	Description string
	Answers     []string
	Proposed    int // which of them stands out at first
}

// Line is a question that a line answers.
type Line struct {
	Title       string
	Description string
	Proposed    string              // what an empty answer means
	Problem     func(string) string // what is wrong with an answer, empty for nothing
}

// meant is what an answer stands for: an empty one for the proposal.
func (q Line) meant(answer string) string {
	if answer = strings.TrimSpace(answer); answer == "" {
		return q.Proposed
	}
	return answer
}

// Interactive reports whether a person sits at the terminal that this program reads from and writes to.
func Interactive(in, out File) bool {
	return term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())) && Present()
}

// Choose puts the question and gives the number of the answer.
func (f Form) Choose(ctx context.Context, q Choice) (int, error) {
	if f.Plain {
		return f.chooseByNumber(ctx, q)
	}
	return f.drawChoice(ctx, q)
}

// Line puts the question and gives the line.
func (f Form) Line(ctx context.Context, q Line) (string, error) {
	if f.Plain {
		return f.askLine(ctx, q)
	}
	return f.drawLine(ctx, q)
}

// backNumber is typed, where nothing is drawn, to go back.
const backNumber = "0"

func (f Form) chooseByNumber(ctx context.Context, q Choice) (int, error) {
	var text strings.Builder
	fmt.Fprintln(&text, "\n"+f.Colours.Bold(q.Title))
	if q.Description != "" {
		fmt.Fprintln(&text, q.Description)
	}
	for i, answer := range q.Answers {
		fmt.Fprintf(&text, "%3d. %s\n", i+1, strings.ReplaceAll(answer, "\n", "\n     "))
	}
	fmt.Fprintf(&text, "  %s. %s\n", backNumber, f.Words.Back)
	question := text.String()
	for {
		typed, err := f.typed(ctx, question+fmt.Sprintf("%s [%d] ", f.Words.Number, q.Proposed+1))
		if err != nil {
			return 0, err
		}
		if typed == "" {
			return q.Proposed, nil
		}
		if number, err := strconv.Atoi(typed); err == nil && number >= 1 && number <= len(q.Answers) {
			return number - 1, nil
		}
		question = f.Words.NoChoice + "\n"
	}
}

func (f Form) askLine(ctx context.Context, q Line) (string, error) {
	question := "\n" + f.Colours.Bold(q.Title) + "\n"
	if q.Description != "" {
		question += q.Description + "\n"
	}
	question += fmt.Sprintf("  %s. %s\n", backNumber, f.Words.Back)
	prompt := f.Words.Line + " "
	if q.Proposed != "" {
		prompt += "[" + q.Proposed + "] "
	}
	for {
		typed, err := f.typed(ctx, question+prompt)
		if err != nil {
			return "", err
		}
		typed = q.meant(typed)
		problem := q.Problem(typed)
		if problem == "" {
			return typed, nil
		}
		question = problem + "\n"
	}
}

// typed reads a line. Esc goes back; Ctrl-C and Ctrl-D leave, and so does a terminal that goes away.
func (f Form) typed(ctx context.Context, question string) (string, error) {
	answer, err := ask(ctx, question, false)
	if errors.Is(err, errEscape) {
		return "", ErrBack
	}
	if errors.Is(err, ErrGone) {
		return "", ErrLeft
	}
	if err != nil {
		return "", err
	}
	defer answer.Wipe()
	typed := strings.TrimSpace(answer.Reveal())
	if typed == backNumber {
		return "", ErrBack
	}
	return typed, nil
}
