package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

type snapshotOptions struct {
	out     string
	force   bool
	redact  bool
	noLogin bool
}

// snapshotSchema is the version of snapshots that is written, and the only one that is read.
const snapshotSchema = "p11bridge.snapshot/1"

// snapshotView is a snapshot: what diagnose needs, and no secret.
type snapshotView struct {
	Schema   string             `json:"schema"`
	Created  time.Time          `json:"created"` // the validity of certificates is judged at this time
	Redacted bool               `json:"redacted"`
	Tokens   []*token.Inventory `json:"tokens"`
}

func newSnapshotCommand(a *app) *cobra.Command {
	o := &snapshotOptions{}
	c := &cobra.Command{
		Use:     "snapshot -o FILE",
		Short:   a.text("command.snapshot.short", nil),
		Long:    a.text("command.snapshot.long", nil),
		Example: examples("snapshot -o token.json", "snapshot -o token.json --redact --token demo --pin-source file:pin.txt"),
		Args:    noArguments,
		RunE: a.supervised(nil, func(ctx context.Context, _ []string) error {
			return runSnapshot(ctx, a, o)
		}),
	}
	c.Flags().StringVarP(&o.out, "out", "o", "", a.text("flag.out", nil))
	c.Flags().BoolVar(&o.force, "force", false, a.text("flag.force", nil))
	c.Flags().BoolVar(&o.redact, "redact", false, a.text("flag.redact", nil))
	c.Flags().BoolVar(&o.noLogin, "no-login", false, a.text("flag.no-login", nil))
	return c
}

func runSnapshot(ctx context.Context, a *app, o *snapshotOptions) error {
	if o.out == "" {
		return usage("error.out-missing", nil)
	}
	target := archive.Target{Path: o.out, Force: o.force, Scratch: a.child.page.setScratch}
	if err := target.Check(); err != nil {
		return err
	}
	view := snapshotView{Schema: snapshotSchema, Created: a.now().UTC().Truncate(time.Second), Redacted: o.redact}
	err := a.eachInventory(ctx, nil, o.noLogin, func(_ *token.Session, inventory *token.Inventory) error {
		snapshot := inventory.Snapshot()
		if o.redact {
			snapshot.Redact()
		}
		view.Tokens = append(view.Tokens, snapshot)
		return nil
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(view, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the snapshot: %w", err)
	}
	if len(text) > maxSnapshot {
		return &snapshotError{path: o.out, err: fmt.Errorf("it would be larger than %d MiB", maxSnapshot>>20)}
	}
	if err := archive.WriteFile(target, append(escapeInvisible(text), '\n')); err != nil {
		return err
	}
	if a.json {
		return a.told(a.writeJSON(map[string]any{"schema": "p11bridge.snapshot-written/1", "file": o.out, "tokens": len(view.Tokens), "redacted": o.redact}))
	}
	fmt.Fprintln(a.out, a.text("snapshot.done", messages.Args{"File": printable(o.out), "Count": len(view.Tokens)}))
	return a.told(nil)
}

// snapshotError says why a file is no snapshot that can be read here.
type snapshotError struct {
	path  string
	newer string // the schema of a later version
	err   error
}

// Error names the file.
func (e *snapshotError) Error() string {
	if e.newer != "" {
		return fmt.Sprintf("%s: schema %s is not known here", e.path, e.newer)
	}
	return fmt.Sprintf("%s: %v", e.path, e.err)
}

// Unwrap gives the cause.
func (e *snapshotError) Unwrap() error { return e.err }

// maxSnapshot bounds a snapshot, in bytes: some hundred thousand objects.
const maxSnapshot = 256 << 20

// readSnapshot reads a snapshot. A later schema, an unknown member or a missing part is refused: the verdicts would rest on
// it.
func readSnapshot(path string) (*snapshotView, error) {
	text, err := readLimited(path, maxSnapshot)
	if err != nil {
		return nil, err
	}
	bad := func(problem string) error { return &snapshotError{path: path, err: errors.New(problem)} }
	if len(text) > maxSnapshot {
		return nil, bad(fmt.Sprintf("it is larger than %d MiB", maxSnapshot>>20))
	}
	var members map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&members); err != nil {
		return nil, bad("it is not JSON, or cut off")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("something stands behind its end")
	}
	var schema string
	if err := json.Unmarshal(members["schema"], &schema); err != nil {
		return nil, bad("it is no p11bridge snapshot")
	}
	switch {
	case schema == snapshotSchema:
	case strings.HasPrefix(schema, "p11bridge.snapshot/"):
		return nil, &snapshotError{path: path, newer: schema}
	default:
		return nil, bad("it is no p11bridge snapshot")
	}
	if missing := missingMember(members); missing != "" {
		return nil, bad("it lacks " + missing)
	}
	view := &snapshotView{}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(view); err != nil {
		return nil, bad("a part of it has another form than p11bridge writes")
	}
	for _, inventory := range view.Tokens {
		if !inventory.Sound() {
			return nil, bad("an object in it is not whole")
		}
	}
	return view, nil
}

// missingMember names the first part that a snapshot must have and this one has not, or has as null.
func missingMember(members map[string]json.RawMessage) string {
	lacks := func(of map[string]json.RawMessage, names ...string) string {
		for _, name := range names {
			if text := bytes.TrimSpace(of[name]); len(text) == 0 || string(text) == "null" {
				return name
			}
		}
		return ""
	}
	if missing := lacks(members, "created", "redacted", "tokens"); missing != "" {
		return missing
	}
	var tokens []map[string]json.RawMessage
	if err := json.Unmarshal(members["tokens"], &tokens); err != nil {
		return "tokens"
	}
	for _, inventory := range tokens {
		if missing := lacks(inventory, "module", "token", "logged_in", "mechanisms", "objects"); missing != "" {
			return missing
		}
	}
	return ""
}
