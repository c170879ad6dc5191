package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"p11bridge/cmd/terminal"
	"p11bridge/token"
)

const jsonIndent = "  "

// Write writes the snapshot, object by object: a token may have a hundred thousand. The inventories are as they were read from their
// tokens; what is not to leave the machine is left out here, and what leads to a person is replaced by the redaction, if there is one.
// The error is a *SnapshotError where the document is larger than one that is read.
func (s *Snapshot) Write(path string, out io.Writer, redaction *token.Redaction) error {
	w := &snapshotWriter{path: path, out: out, redaction: redaction}
	opened := *s
	opened.Tokens = nil
	if redaction != nil {
		opened.Redacted, opened.Redaction = true, redaction.Note()
	}
	w.around(opened, "tokens", "", func(indent string) {
		for i, inventory := range s.Tokens {
			w.separate(i, indent)
			w.inventory(inventory, indent)
		}
		w.end(len(s.Tokens), indent)
	})
	w.text([]byte("\n"))
	return w.err
}

// snapshotWriter writes parts of a snapshot. After the first error it writes nothing more.
type snapshotWriter struct {
	path      string
	out       io.Writer
	redaction *token.Redaction
	size      int
	err       error
}

func (w *snapshotWriter) inventory(inventory *token.Inventory, indent string) {
	opened := inventory.WithoutObjects()
	if w.redaction != nil {
		w.note(w.redaction.Redact(opened))
	}
	w.around(opened, "objects", indent, func(indent string) {
		for i, o := range inventory.Objects {
			if w.err != nil {
				return
			}
			w.separate(i, indent)
			w.object(o.Snapshot(), indent)
		}
		w.end(len(inventory.Objects), indent)
	})
}

func (w *snapshotWriter) object(o *token.Object, indent string) {
	if w.redaction != nil {
		w.note(w.redaction.RedactObject(o))
	}
	w.text(w.encoded(o, indent))
}

// around writes a document with a list in the place of the member of that name, which is null in it. list is told the indent of
// the list's elements.
func (w *snapshotWriter) around(document any, member, indent string, list func(indent string)) {
	inner := indent + jsonIndent
	name := fmt.Sprintf("\n%s%q: ", inner, member) // no text in a document has a line end
	earlier, after, found := bytes.Cut(w.encoded(document, indent), []byte(name+"null"))
	if !found {
		w.note(fmt.Errorf("encode the snapshot: no %s", member))
	}
	w.text(append(earlier, name+"["...))
	list(inner + jsonIndent)
	w.text(after)
}

// separate goes to the line of a list's element.
func (w *snapshotWriter) separate(i int, indent string) {
	if i > 0 {
		w.text([]byte(","))
	}
	w.text([]byte("\n" + indent))
}

// end ends a list of so many elements.
func (w *snapshotWriter) end(n int, indent string) {
	if n > 0 {
		w.text([]byte("\n" + indent[len(jsonIndent):]))
	}
	w.text([]byte("]"))
}

func (w *snapshotWriter) encoded(document any, indent string) []byte {
	text, err := json.MarshalIndent(document, indent, jsonIndent)
	if err != nil {
		w.note(fmt.Errorf("encode the snapshot: %w", err))
	}
	return text
}

func (w *snapshotWriter) text(text []byte) {
	if w.err != nil {
		return
	}
	n, err := w.out.Write(terminal.EscapeInvisible(text))
	if w.note(err); err == nil {
		w.size += n
	}
	if w.size > MaxSnapshot {
		w.note(&SnapshotError{Path: w.path, Fault: SnapshotTooLarge, Part: LargestSnapshot})
	}
}

func (w *snapshotWriter) note(err error) {
	if w.err == nil {
		w.err = err
	}
}
