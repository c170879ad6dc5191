// Package fleet sums up what many machines statement of their tokens and backups.
//
// Call New, Add for every document in any order, and Report at the end. Of each token the newest status and the newest snapshot count;
// the older ones are forgotten, so that memory grows with the tokens and the keys that need something, and not with the documents.
//
// Times are in UTC. There are no errors: what cannot be read is the caller's.
package fleet

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
)

// Statement is what one document statement of one token.
type Statement struct {
	URI, Label string
	At         time.Time // when
	Source     string    // where the document was
	Backups    bool      // it statement of backups as well, as a status does
	Keys       []Key
}

// Key is one key, or one certificate whose key nobody could see.
type Key struct {
	URI, Label, ID, Subject string
	State                   archive.BackupState // empty where the document statement of no backups and the key may leave
	Code                    verdict.Code        // the reason that decided
	NotAfter                time.Time           // of its certificate; zero for none
}

// Row is a key with its token.
type Row struct {
	Key
	Token *Statement
}

// Fleet gathers what was statement.
type Fleet struct {
	soon   time.Time
	tokens map[string]*heard
	words  map[string]string // each text once
}

// heard is the newest of each kind.
type heard struct{ backups, snapshot *summary }

// summary is what is kept of what was statement.
type summary struct {
	Statement
	counts map[archive.BackupState]int
	total  int
}

// New begins. soon is the time from which on a certificate's end is worth no mention.
func New(soon time.Time) *Fleet {
	return &Fleet{soon: soon, tokens: map[string]*heard{}, words: map[string]string{}}
}

// Add takes what a document statement of one token.
func (f *Fleet) Add(statement Statement) {
	known := f.tokens[statement.URI]
	if known == nil {
		known = &heard{}
		f.tokens[f.once(statement.URI)] = known
	}
	kept := &known.snapshot
	if statement.Backups {
		kept = &known.backups
	}
	if *kept != nil && !statement.At.After((*kept).At) {
		return
	}
	*kept = f.sum(statement)
}

// sum keeps the keys that need something, and counts the others.
func (f *Fleet) sum(statement Statement) *summary {
	s := &summary{Statement: statement, counts: map[archive.BackupState]int{}, total: len(statement.Keys)}
	s.URI, s.Label, s.Source, s.Keys = f.once(statement.URI), f.once(statement.Label), f.once(statement.Source), nil
	for _, key := range statement.Keys {
		s.counts[key.State]++
		if !needs(key) && !f.ends(key) {
			continue
		}
		key.URI, key.Label, key.ID, key.Subject = strings.Clone(key.URI), f.once(key.Label), f.once(key.ID), strings.Clone(key.Subject)
		key.State, key.Code = archive.BackupState(f.once(string(key.State))), verdict.Code(f.once(string(key.Code)))
		s.Keys = append(s.Keys, key)
	}
	return s
}

// once gives equal texts the same memory.
func (f *Fleet) once(text string) string {
	if known, is := f.words[text]; is {
		return known
	}
	text = strings.Clone(text)
	f.words[text] = text
	return text
}

func needs(key Key) bool {
	return !slices.Contains([]archive.BackupState{archive.StateUpToDate, archive.StateKeyGone, ""}, key.State)
}

func (f *Fleet) ends(key Key) bool { return !key.NotAfter.IsZero() && key.NotAfter.Before(f.soon) }

// Report is the sum.
type Report struct {
	Tokens, Keys int
	Counts       map[archive.BackupState]int // of keys; the empty state: they may leave, and nobody statement of a backup
	CannotLeave  []Row
	NeedsBackup  []Row
	NotKnown     []Row       // a login or a better answer would tell
	Ends         []Row       // certificates that have ended or end soon, the first to end first
	Silent       []Statement // tokens that were last heard of before the time that was asked for, the longest silent first; without their keys
}

// NeedsAttention tells that something is to be done. A key that cannot leave needs no backup.
func (r *Report) NeedsAttention() bool {
	return len(r.NeedsBackup)+len(r.NotKnown)+len(r.Ends)+len(r.Silent) > 0
}

// Report sums up. Tokens that were last heard of before silent are statement as silent.
func (f *Fleet) Report(silent time.Time) *Report {
	r := &Report{Tokens: len(f.tokens), Counts: map[archive.BackupState]int{}}
	uris := make([]string, 0, len(f.tokens))
	for uri := range f.tokens {
		uris = append(uris, uri)
	}
	slices.Sort(uris)
	for _, uri := range uris {
		known := f.tokens[uri]
		newest, of := known.snapshot, known.backups
		if newest == nil || of != nil && of.At.After(newest.At) {
			newest = of
		}
		if of == nil {
			of = known.snapshot
		}
		f.add(r, of)
		if newest.At.Before(silent) {
			statement := newest.Statement
			statement.Keys = nil
			r.Silent = append(r.Silent, statement)
		}
	}
	slices.SortStableFunc(r.Ends, func(a, b Row) int { return a.NotAfter.Compare(b.NotAfter) })
	slices.SortStableFunc(r.Silent, func(a, b Statement) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.URI, b.URI)) })
	return r
}

func (f *Fleet) add(r *Report, s *summary) {
	r.Keys += s.total
	for state, n := range s.counts {
		r.Counts[state] += n
	}
	for _, key := range s.Keys {
		row := Row{key, &s.Statement}
		switch {
		case key.State == archive.StateCannotLeave:
			r.CannotLeave = append(r.CannotLeave, row)
		case key.State == archive.StateUnknown:
			r.NotKnown = append(r.NotKnown, row)
		case needs(key):
			r.NeedsBackup = append(r.NeedsBackup, row)
		}
		if f.ends(key) {
			r.Ends = append(r.Ends, row)
		}
	}
}
