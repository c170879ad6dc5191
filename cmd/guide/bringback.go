package guide

import (
	"cmp"
	"context"

	"p11bridge/cmd/terminal"
)

// restoration is what a restore is asked for.
type restoration struct {
	openedCopy
	key        string // of several in the file; empty where there is one, or all are wanted
	all        bool
	token      heldToken
	exportable bool
}

// bringBack leads to `restore`.
func (c *conversation) bringBack(ctx context.Context) error {
	r := &restoration{openedCopy: openedCopy{conversation: c}}
	defer r.wipe()
	return walk(ctx, r.chooseFile, r.open, r.refuse, r.chooseKey, c.chooseToken("guide.token.onto", &r.token), r.chooseExportable, r.restore)
}

// refuse has `verify` say why a file is no valid copy. Another file may be one.
func (r *restoration) refuse(ctx context.Context) (bool, error) {
	if r.judged.valid() {
		return false, nil
	}
	arguments := []string{"verify", r.file}
	if _, err := r.run(ctx, arguments, r.given()); err != nil {
		return false, err
	}
	return false, cmp.Or(r.show(arguments), errDone)
}

// chooseKey asks which key is meant, where the file holds several.
func (r *restoration) chooseKey(ctx context.Context) (bool, error) {
	r.key, r.all = "", false
	if len(r.judged.Keys) < 2 {
		return false, nil
	}
	q := terminal.Choice{Title: r.Text("guide.several.title", nil), Answers: []string{r.Text("guide.several.all", nil)}}
	for _, key := range r.judged.Keys {
		answer := key.Name.String()
		if key.Subject != nil {
			answer += "\n" + key.Subject.String()
		}
		q.Answers = append(q.Answers, answer)
	}
	i, err := r.choose(ctx, q)
	if err != nil {
		return true, err
	}
	if r.all = i == 0; !r.all {
		r.key = string(r.judged.Keys[i-1].Name)
	}
	return true, nil
}

// chooseExportable asks the question that decides about every later backup, and says the consequence of both answers.
func (r *restoration) chooseExportable(ctx context.Context) (bool, error) {
	i, err := r.pick(ctx, "guide.exportable.title", "guide.exportable.description", nil, 0, "guide.exportable.no", "guide.exportable.yes")
	if err == nil {
		r.exportable = i == 1
	}
	return true, err
}

func (r *restoration) restore(ctx context.Context) (bool, error) {
	arguments := []string{"restore", r.file}
	switch {
	case r.all:
		arguments = append(arguments, "--all")
	case r.key != "":
		arguments = append(arguments, "--key", r.key)
	}
	if r.exportable {
		arguments = append(arguments, "--exportable")
	}
	return true, r.change(ctx, r.token, arguments, r.given())
}
