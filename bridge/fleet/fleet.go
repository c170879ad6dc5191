// Package fleet sums up what many machines told of their tokens and backups.
//
// Call New, Add for every document in any order, and Report at the end. Of each token the newest status and the newest snapshot count;
// the older ones are forgotten, so that memory grows with the tokens and the keys that need something, and not with the documents.
// Many tokens have one serial number, of zeros or none: those of browsers, and TPMs. Of them each key counts for itself, by its
// certificate, since nobody knows which of them are one token.
//
// Times are in UTC. There are no errors: what cannot be read is the caller's.
package fleet

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
)

// Statement is what one document told of one token, or of the backups in one directory.
type Statement struct {
	URI, Label string
	Serial     string       // of the token
	Directory  string       // with the URI of a token that the document is of, for what it told of backups whose keys are not on the tokens
	At         time.Time    // when
	Source     string       // where the document was
	Backups    bool         // it told of backups as well, as a status does
	Hidden     verdict.Code // why there may be more private keys than those that are named; empty where there are none
	Keys       []Key
}

// Key is one key, or one certificate whose key nobody could see.
type Key struct {
	URI, Label, ID, Subject string
	Token                   string              // the token's URI, where it is not the statement's
	Certificate             string              // its SHA-256 in hexadecimal; empty for none
	State                   archive.BackupState // empty where the document told of no backups and the key may leave
	Code                    verdict.Code        // the reason that decided
	NotAfter                time.Time           // of its certificate; zero for none
}

// name is the same for a key in every document of its token.
func (k Key) name() string { return cmp.Or(k.Certificate, k.URI) }

// Row is a key with its statement.
type Row struct {
	Key
	Token *Statement
}

// Fleet gathers what was told.
type Fleet struct {
	soon    time.Time
	places  map[string]*heard
	unnamed map[string]bool   // tokens with a serial number that tells nothing, by URI and source
	words   map[string]string // each text once
}

// heard is the newest of each kind.
type heard struct{ backups, snapshot *summary }

// summary is what is kept of what was told.
type summary struct {
	Statement
	counts map[archive.BackupState]int
	total  int
	known  map[uint64]bool // the keys of a status, by their names
}

// speaks reports whether the summary is missed where no newer one comes: not that of a token that may be another one by now, and has no keys.
func (s *summary) speaks() bool {
	return s.Directory == "" && (says(s.Serial) || s.total > 0 || s.Hidden != "")
}

// New begins. soon is the time from which on a certificate's end is worth no mention.
func New(soon time.Time) *Fleet {
	return &Fleet{soon: soon, places: map[string]*heard{}, unnamed: map[string]bool{}, words: map[string]string{}}
}

// seed makes the names of keys short.
var seed = maphash.MakeSeed()

// Add takes what a document told of one token, or of one directory.
func (f *Fleet) Add(statement Statement) {
	switch {
	case statement.Directory != "":
		f.keep("directory\x00"+statement.Directory+"\x00"+statement.URI+f.otherwise(statement), statement)
	case says(statement.Serial):
		f.keep(statement.URI, statement)
	default:
		f.addUnnamed(statement)
	}
}

// tells reports whether a serial number tells tokens apart.
func says(serial string) bool { return strings.Trim(serial, "0 ") != "" }

// otherwise tells tokens apart by their documents, where their serial numbers do not.
func (f *Fleet) otherwise(statement Statement) string {
	if says(statement.Serial) {
		return ""
	}
	return "\x00" + statement.Source
}

// addUnnamed adds each key for itself: another document of that URI may be of another token, and does not take its place.
func (f *Fleet) addUnnamed(statement Statement) {
	of := statement.URI + f.otherwise(statement)
	f.unnamed[of] = true
	for _, key := range statement.Keys {
		one := statement
		one.Hidden, one.Keys = "", []Key{key}
		place := "key\x00" + key.Certificate
		if key.Certificate == "" {
			place = of + "\x00" + key.URI
		}
		f.keep(place, one)
	}
	statement.Keys = nil
	f.keep(of, statement)
}

// keep takes the place of what is older.
func (f *Fleet) keep(place string, statement Statement) {
	known := f.places[place]
	if known == nil {
		known = &heard{}
		f.places[f.once(place)] = known
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
	s := &summary{Statement: statement, counts: map[archive.BackupState]int{}, total: len(statement.Keys), known: names(statement)}
	s.URI, s.Label, s.Source, s.Keys = f.once(statement.URI), f.once(statement.Label), f.once(statement.Source), nil
	for _, key := range statement.Keys {
		s.counts[key.State]++
		if !needs(key) && !f.ends(key) {
			continue
		}
		key.URI, key.Label, key.ID, key.Subject = strings.Clone(key.URI), f.once(key.Label), f.once(key.ID), strings.Clone(key.Subject)
		key.Token, key.Certificate = f.once(key.Token), strings.Clone(key.Certificate)
		key.State, key.Code = archive.BackupState(f.once(string(key.State))), verdict.Code(f.once(string(key.Code)))
		s.Keys = append(s.Keys, key)
	}
	return s
}

// names are those of the keys of a status.
func names(statement Statement) map[uint64]bool {
	if !statement.Backups {
		return nil
	}
	known := make(map[uint64]bool, len(statement.Keys))
	for _, key := range statement.Keys {
		known[maphash.String(seed, key.name())] = true
	}
	return known
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
	return !slices.Contains([]archive.BackupState{archive.StateUpToDate, archive.StateKeyGone}, key.State)
}

func (f *Fleet) ends(key Key) bool { return !key.NotAfter.IsZero() && key.NotAfter.Before(f.soon) }

// Report is the sum.
type Report struct {
	Tokens, Keys int
	Counts       map[archive.BackupState]int // of keys; the empty state: they may leave, and nobody told of a backup
	CannotLeave  []Row
	NeedsBackup  []Row
	NotKnown     []Row       // a login, a better answer or a status would tell
	Ends         []Row       // certificates that have ended or end soon, the first to end first
	Silent       []Statement // tokens whose document that counts is older than the time that was asked for, the oldest first; without their keys
}

// NeedsAttention reports whether something is to be done. A key that cannot leave needs no backup.
func (r *Report) NeedsAttention() bool {
	return len(r.NeedsBackup)+len(r.NotKnown)+len(r.Ends)+len(r.Silent) > 0
}

// Report sums up. Tokens whose status, or whose snapshot where there is no status, is from before silent are silent.
func (f *Fleet) Report(silent time.Time) *Report {
	r := &Report{Tokens: len(f.unnamed), Counts: map[archive.BackupState]int{}}
	quiet := map[string]bool{}
	for _, place := range slices.Sorted(maps.Keys(f.places)) {
		known := f.places[place]
		of := known.backups
		if of == nil {
			of = known.snapshot
		} else if newer := known.snapshot; newer != nil && newer.At.After(of.At) {
			f.addNew(r, of, newer)
		}
		f.add(r, of)
		if of.Directory == "" && says(of.Serial) {
			r.Tokens++
		}
		if said := of.URI + f.otherwise(of.Statement); of.speaks() && of.At.Before(silent) && !quiet[said] {
			quiet[said] = true
			statement := of.Statement
			statement.Keys = nil
			r.Silent = append(r.Silent, statement)
		}
	}
	slices.SortStableFunc(r.Ends, func(a, b Row) int { return a.NotAfter.Compare(b.NotAfter) })
	slices.SortStableFunc(r.Silent, func(a, b Statement) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.URI, b.URI)) })
	return r
}

// add takes in what is known of one place.
func (f *Fleet) add(r *Report, s *summary) {
	if s.Directory == "" {
		r.Keys += s.total
		for state, n := range s.counts {
			r.Counts[state] += n
		}
	}
	if s.Hidden != "" {
		r.NotKnown = append(r.NotKnown, Row{Key{URI: s.URI, Label: s.Label, State: archive.StateUnknown, Code: s.Hidden}, &s.Statement})
	}
	for _, key := range s.Keys {
		f.addKey(r, Row{key, &s.Statement})
	}
}

// addNew takes in the keys of a snapshot that is newer than the status, and which that does not know.
func (f *Fleet) addNew(r *Report, status, newer *summary) {
	for _, key := range newer.Keys {
		if key.State == "" && !status.known[maphash.String(seed, key.name())] {
			r.Keys++
			r.Counts[""]++
			f.addKey(r, Row{key, &newer.Statement})
		}
	}
}

func (f *Fleet) addKey(r *Report, row Row) {
	switch row.State {
	case archive.StateUpToDate, archive.StateKeyGone:
	case archive.StateCannotLeave:
		r.CannotLeave = append(r.CannotLeave, row)
	case archive.StateUnknown, "":
		r.NotKnown = append(r.NotKnown, row)
	default:
		r.NeedsBackup = append(r.NeedsBackup, row)
	}
	if f.ends(row.Key) {
		r.Ends = append(r.Ends, row)
	}
}
