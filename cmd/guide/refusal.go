package guide

import (
	"context"
	"errors"
	"slices"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

// way is one thing that can be done where a key cannot be backed up.
type way struct {
	text string
	do   func(context.Context) error
}

// errTryAllTheSame means that the export is wanted although the token lists no way for the key to leave.
var errTryAllTheSame = errors.New("try the export all the same")

// untried are the reasons of keys that an export tries all the same: only the token's answer decides.
var untried = []verdict.Code{verdict.NoWrappingMechanism, verdict.WrapRefused}

// meetRefusal says why the key cannot be backed up, and asks what to do instead. It is passed over where the key can leave.
func (b *backup) meetRefusal(ctx context.Context) (bool, error) {
	if b.key.exportable() {
		return false, nil
	}
	title := "guide.cannot.title"
	if b.key.hidden() || b.key.Verdict.Exportable == nil {
		title = "guide.cannot.unknown"
	}
	q := terminal.Choice{Title: b.Text(title, messages.Args{"Label": b.key.Label}), Description: b.explained()}
	ways := b.ways()
	for _, w := range ways {
		q.Answers = append(q.Answers, b.Text(w.text, nil))
	}
	for {
		i, err := b.choose(ctx, q)
		if err != nil {
			return true, err
		}
		switch err := ways[i].do(ctx); {
		case errors.Is(err, errTryAllTheSame):
			return true, nil
		case errors.Is(err, errOtherKey):
			return true, terminal.ErrBack
		case errors.Is(err, terminal.ErrBack): // out of the way's first question
			q.Proposed = i
		case err != nil:
			return true, err
		default:
			return true, errDone
		}
	}
}

// errOtherKey means that another key is wanted.
var errOtherKey = errors.New("another key")

func (b *backup) ways() []way {
	always := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	var ways []way
	if slices.Contains(untried, b.key.reason().Code) {
		ways = append(ways, way{"guide.cannot.try", always(errTryAllTheSame)})
	}
	if b.key.hidden() { // the question before it begins with the login
		ways = append(ways, way{"guide.cannot.login", always(errOtherKey)})
	}
	if !b.key.because(verdict.KeyGeneratedOnToken) { // else there never was a file
		ways = append(ways, way{"guide.cannot.original", b.checkCopy})
	}
	return append(ways,
		way{"guide.cannot.request", func(ctx context.Context) error { return b.request(ctx, b) }},
		way{"guide.cannot.report", func(ctx context.Context) error {
			return b.report(ctx, b.token, view.FileName(string(b.key.Label), b.key.ID))
		}},
		way{"guide.cannot.other", always(errOtherKey)},
	)
}

// explained is why the key cannot be backed up, as it can be read out over the telephone.
func (b *backup) explained() string {
	reason := b.key.reason()
	if reason.Code == "" {
		return ""
	}
	if blocked := b.token.blocked(); b.key.hidden() && blocked.Code != "" {
		return b.ReasonText(blocked, "summary") + " " + b.Plainly(reason)
	}
	return b.Plainly(reason)
}

// snapshotExtension and pageExtension are the ends of the two files of a report.
const (
	snapshotExtension = ".json"
	pageExtension     = ".html"
)

func pageBeside(snapshot string) string {
	return strings.TrimSuffix(snapshot, snapshotExtension) + pageExtension
}

// report saves what support needs: a snapshot of the token, and the page that explains it.
func (c *conversation) report(ctx context.Context, t heldToken, name string) error {
	var path string
	ask := func(ctx context.Context) (bool, error) {
		proposed := path
		if proposed == "" {
			proposed = newName(name+"-report", snapshotExtension)
		}
		found, err := c.newFile(ctx, proposed, func(text string) error { return archive.Target{Path: pageBeside(text)}.Check() })
		if err == nil {
			path = found
		}
		return true, err
	}
	write := func(ctx context.Context) (bool, error) {
		if err := c.takeSnapshot(ctx, t, path); err != nil {
			return true, err
		}
		return true, c.perform(ctx, []string{"diagnose", "--from", path, "--html", pageBeside(path)})
	}
	if err := walk(ctx, ask, write); err != nil {
		return err
	}
	return c.say("guide.report.done", messages.Args{"File": messages.Own(terminal.Printable(path)), "Page": messages.Own(terminal.Printable(pageBeside(path)))})
}

// takeSnapshot logs in where anybody can: a token without another attempt at its PIN is shown to support as it is.
func (c *conversation) takeSnapshot(ctx context.Context, t heldToken, path string) error {
	arguments := []string{"snapshot", "-o", path}
	if t.blocked().Code != "" {
		return c.perform(ctx, t.onToken(append(arguments, "--no-login")...))
	}
	return c.performOn(ctx, t, arguments)
}
