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

// StatusSchema is the version of status documents that is written, and the only one that is read.
const StatusSchema = "p11bridge.status/1"

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
	Fault SnapshotFault
	Part  string // that is missing, or the limit that was passed
}

// SnapshotFault is what is wrong with a file that should be a snapshot. The catalogs have words for each.
type SnapshotFault string

// The faults that a snapshot can have.
const (
	SnapshotTooLarge   SnapshotFault = "too-large"
	snapshotNotJSON    SnapshotFault = "not-json"
	snapshotMoreBehind SnapshotFault = "more-behind"
	snapshotNone       SnapshotFault = "none"
	snapshotLacks      SnapshotFault = "lacks"
	snapshotOtherForm  SnapshotFault = "other-form"
	snapshotBadObject  SnapshotFault = "bad-object"
)

// LargestSnapshot is MaxSnapshot as people read it.
const LargestSnapshot = "256 MiB"

// Error names the file.
func (e *SnapshotError) Error() string {
	if e.newer != "" {
		return fmt.Sprintf("%s: schema %s is not known here", e.Path, e.newer)
	}
	return strings.TrimSpace(fmt.Sprintf("%s: snapshot: %s %s", e.Path, e.Fault, e.Part))
}

// MaxSnapshot bounds a snapshot, in bytes: some hundred thousand objects.
const MaxSnapshot = 256 << 20

// ReadSnapshot reads a snapshot. A later schema, an unknown member or a missing part is refused: the verdicts would rest on
// it.
func ReadSnapshot(path string) (*Snapshot, error) {
	text, err := frame.ReadLimited(path, MaxSnapshot)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxSnapshot {
		return nil, &SnapshotError{Path: path, Fault: SnapshotTooLarge, Part: LargestSnapshot}
	}
	return ParseSnapshot(path, text)
}

// ParseSnapshot is ReadSnapshot for what was read already. path is what errors name.
func ParseSnapshot(path string, text []byte) (*Snapshot, error) {
	bad := func(fault SnapshotFault) error { return &SnapshotError{Path: path, Fault: fault} }
	var members map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&members); err != nil {
		return nil, bad(snapshotNotJSON)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, bad(snapshotMoreBehind)
	}
	var schema string
	if err := json.Unmarshal(members["schema"], &schema); err != nil {
		return nil, bad(snapshotNone)
	}
	switch {
	case schema == SnapshotSchema:
	case strings.HasPrefix(schema, "p11bridge.snapshot/"):
		return nil, &SnapshotError{Path: path, newer: schema}
	default:
		return nil, bad(snapshotNone)
	}
	if missing := missingMember(members); missing != "" {
		return nil, &SnapshotError{Path: path, Fault: snapshotLacks, Part: missing}
	}
	shown := &Snapshot{}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(shown); err != nil {
		return nil, bad(snapshotOtherForm)
	}
	for _, inventory := range shown.Tokens {
		if !inventory.Sound() {
			return nil, bad(snapshotBadObject)
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
		frame.As(func(a *frame.App, e *SnapshotError) frame.Failure {
			if e.newer != "" {
				return frame.Failure{ID: "error.snapshot-newer", Args: messages.Args{"Path": foreign.Text(e.Path), "Schema": foreign.Text(e.newer)}, Code: frame.ExitFailed}
			}
			return frame.Failure{ID: "error.snapshot", Args: messages.Args{"Path": foreign.Text(e.Path), "Problem": messages.Own(a.Text("snapshot.fault."+string(e.Fault), messages.Args{"Part": messages.Own(e.Part)}))}, Code: frame.ExitFailed}
		}),
	}
}
