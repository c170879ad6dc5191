package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// SnapshotSchema is the version of snapshots that is written, and the only one that is read.
const SnapshotSchema = "p11bridge.snapshot/1"

// Snapshot is a snapshot: what diagnose needs, and no secret.
type Snapshot struct {
	Schema   string             `json:"schema"`
	Created  time.Time          `json:"created"` // the validity of certificates is judged at this time
	Redacted bool               `json:"redacted"`
	Tokens   []*token.Inventory `json:"tokens"`
	// Redaction says what a redacted snapshot does not hold, and what it does.
	Redaction *token.RedactionNote `json:"redaction,omitempty"`
}

// SnapshotError says why a file is no snapshot that can be read here.
type SnapshotError struct {
	Path  string
	newer string // the schema of a later version
	Err   error
}

// Error names the file.
func (e *SnapshotError) Error() string {
	if e.newer != "" {
		return fmt.Sprintf("%s: schema %s is not known here", e.Path, e.newer)
	}
	return fmt.Sprintf("%s: %v", e.Path, e.Err)
}

// Unwrap gives the cause.
func (e *SnapshotError) Unwrap() error { return e.Err }

// MaxSnapshot bounds a snapshot, in bytes: some hundred thousand objects.
const MaxSnapshot = 256 << 20

// ReadSnapshot reads a snapshot. A later schema, an unknown member or a missing part is refused: the verdicts would rest on
// it.
func ReadSnapshot(path string) (*Snapshot, error) {
	text, err := frame.ReadLimited(path, MaxSnapshot)
	if err != nil {
		return nil, err
	}
	bad := func(problem string) error { return &SnapshotError{Path: path, Err: errors.New(problem)} }
	if len(text) > MaxSnapshot {
		return nil, bad(fmt.Sprintf("it is larger than %d MiB", MaxSnapshot>>20))
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
	case schema == SnapshotSchema:
	case strings.HasPrefix(schema, "p11bridge.snapshot/"):
		return nil, &SnapshotError{Path: path, newer: schema}
	default:
		return nil, bad("it is no p11bridge snapshot")
	}
	if missing := missingMember(members); missing != "" {
		return nil, bad("it lacks " + missing)
	}
	shown := &Snapshot{}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(shown); err != nil {
		return nil, bad("a part of it has another form than p11bridge writes")
	}
	for _, inventory := range shown.Tokens {
		if !inventory.Sound() {
			return nil, bad("an object in it is not whole")
		}
		inventory.Index()
	}
	return shown, nil
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

// SnapshotErrors are the words for a file that is no snapshot.
func SnapshotErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *SnapshotError) frame.Failure {
			if e.newer != "" {
				return frame.Failure{ID: "error.snapshot-newer", Args: messages.Args{"Path": foreign.Text(e.Path), "Schema": foreign.Text(e.newer)}, Code: frame.ExitFailed}
			}
			return frame.Failure{ID: "error.snapshot", Args: messages.Args{"Path": foreign.Text(e.Path), "Problem": messages.Own(frame.OneLine(e.Err))}, Code: frame.ExitFailed}
		}),
	}
}
