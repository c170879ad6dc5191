package guide

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

// openedCopy is a file with the password that opens it, as far as it was found out.
type openedCopy struct {
	*conversation
	file     string
	password *secret.Text
	judged   judgement
}

// judgement is what the conversation reads of verify --json.
type judgement struct {
	Valid *bool `json:"valid"`
	Keys  []struct {
		Name              foreign.Text  `json:"name"`
		CertificateSHA256 string        `json:"certificate_sha256"`
		Subject           *foreign.Text `json:"subject"`
	} `json:"keys"`
	Reasons []struct {
		Code verdict.Code `json:"code"`
	} `json:"reasons"`
}

func (j judgement) valid() bool { return j.Valid != nil && *j.Valid }

// wrongPassword reports whether the password does not open the file, which may be a valid copy.
func (j judgement) wrongPassword() bool {
	for _, reason := range j.Reasons {
		if reason.Code == verdict.PasswordIncorrect {
			return true
		}
	}
	return false
}

// wipe forgets the password.
func (o *openedCopy) wipe() {
	o.password.Wipe()
	o.password = nil
}

// given hands the password to a command.
func (o *openedCopy) given() frame.GivenSecret {
	return frame.GivenSecret{Flag: "--password-source", Text: o.password}
}

// copyExtensions are those of files that may be copies.
var copyExtensions = []string{".pfx", ".p12"}

// chooseFile asks for one of the copies in this folder, or for a path.
func (o *openedCopy) chooseFile(ctx context.Context) (bool, error) {
	path, err := o.existingFile(ctx, "guide.copy.title", copyExtensions, o.file)
	if err == nil {
		o.file = path
	}
	return true, err
}

// existingFile asks for a file: one of this folder's that have such an extension, or any other by its path.
func (c *conversation) existingFile(ctx context.Context, title string, extensions []string, chosen string) (string, error) {
	there := filesWith(extensions)
	readable := func(text string) error {
		_, err := frame.ReadLimited(typedPath(text), 1)
		return err
	}
	for {
		if len(there) > 0 {
			q := terminal.Choice{Title: c.Text(title, nil), Proposed: max(0, slices.Index(there, chosen))}
			for _, name := range there {
				q.Answers = append(q.Answers, terminal.Printable(name))
			}
			q.Answers = append(q.Answers, c.Text("guide.copy.other", nil))
			i, err := c.choose(ctx, q)
			if err != nil {
				return "", err
			}
			if i < len(there) {
				return typedPath(there[i]), nil
			}
		}
		path, err := c.line(ctx, title, "guide.copy.path", nil, "", readable)
		if err == nil || len(there) == 0 || !errors.Is(err, terminal.ErrBack) {
			return typedPath(path), err
		}
	}
}

// filesWith lists the files of this folder that have one of the extensions.
func filesWith(extensions []string) []string {
	entries, err := os.ReadDir(".")
	if err != nil { // a path can be typed all the same
		return nil
	}
	var names []string
	for _, entry := range entries {
		lower := strings.ToLower(entry.Name())
		if entry.Type().IsRegular() && slices.ContainsFunc(extensions, func(extension string) bool { return strings.HasSuffix(lower, extension) }) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// passwordTries is how often a password is asked for in one go.
const passwordTries = 3

// open asks for the password and has the file judged. Where the password does not open it, it is asked for again.
func (o *openedCopy) open(ctx context.Context) (bool, error) {
	for left := passwordTries; left > 0; left-- {
		o.wipe()
		if err := o.askPassword(ctx); err != nil {
			return true, err
		}
		if err := o.judge(ctx); err != nil {
			return true, err
		}
		if !o.judged.wrongPassword() {
			return true, nil
		}
		if left > 1 {
			if err := o.say("guide.password.wrong", messages.Args{"Count": messages.Number(left - 1)}); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

func (o *openedCopy) askPassword(ctx context.Context) error {
	password, err := interruptible(ctx, func(ctx context.Context) (*secret.Text, error) {
		return o.KnownPassword(ctx, "prompt", o.file)
	})
	o.password = password
	return asBack(err)
}

// judge runs verify for its document alone; the words come from the command that is run in the end.
func (o *openedCopy) judge(ctx context.Context) error {
	var out bytes.Buffer
	if err := o.quietly(ctx, &out, []string{"verify", o.file, "--json"}, o.given()); err != nil {
		return err
	}
	o.judged = judgement{}
	if err := json.Unmarshal(out.Bytes(), &o.judged); err != nil {
		return fmt.Errorf("read what verify told: %w", err)
	}
	return nil
}
