package softhsmtests

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// breach is the kind of a broken invariant.
type breach string

const (
	keyLost          breach = "keys lost"
	objectLost       breach = "objects lost"
	unreported       breach = "unreported objects"
	silentFile       breach = "unreported files"
	unnamed          breach = "errors that do not name the call"
	falseExit        breach = "false exits"
	falseRefusal     breach = "false refusals"
	falseFile        breach = "false files"
	fileLost         breach = "files lost"
	leftDraft        breach = "drafts left"
	secretShown      breach = "secrets told"
	stateShown       breach = "registers printed"
	moduleNamed      breach = "outputs that a module wrote"
	endless          breach = "runs without an end"
	censusImpossible breach = "tokens that cannot be read"
)

// breaches in the order in which they are counted out.
var breaches = []breach{keyLost, unreported, silentFile, unnamed, falseExit, falseRefusal, falseFile, fileLost, objectLost, leftDraft, secretShown, stateShown, moduleNamed, endless, censusImpossible}

// broken is one broken invariant.
type broken struct {
	breach
	what string
}

// after is what a run left behind, and what is known of the command and of its scene.
type after struct {
	stage     *stage
	scene     *scene
	directory string
	run       stageRun
	objects   []censusObject
	files     map[string][]byte
	broken    []broken
	inFile    map[string]bool // labels of keys that are in a whole PFX
}

func (a *after) breaks(kind breach, format string, args ...any) {
	a.broken = append(a.broken, broken{kind, fmt.Sprintf(format, args...)})
}

func (a *after) text() string { return a.run.stderr + a.run.stdout }

// lookAfter reads the token and the files, and holds them against what is true after every run, however it ended.
func (s *stage) lookAfter(scene *scene, directory string, run stageRun) *after {
	a := &after{stage: s, scene: scene, directory: directory, run: run, inFile: map[string]bool{}}
	var err error
	if a.objects, err = s.census.take(directory); err != nil {
		a.breaks(censusImpossible, "%v", err)
	}
	if a.files, err = readTree(directory); err != nil {
		a.breaks(fileLost, "%v", err)
	}
	if !run.inTime {
		a.breaks(endless, "it was killed after %s", tooLong)
	}
	a.checkFiles()
	a.checkObjects()
	a.checkSecrets()
	return a
}

// checkFiles wants every file that was there, no draft, and nothing under a final name but copies and records of copies.
func (a *after) checkFiles() {
	for name, text := range a.scene.files {
		if now, there := a.files[name]; !there || !bytes.Equal(now, text) {
			a.breaks(fileLost, "%s", name)
		}
	}
	for name, text := range a.files {
		if _, there := a.scene.files[name]; there && path.Ext(name) != ".pfx" {
			continue
		}
		switch path.Ext(name) {
		case ".part":
			a.breaks(leftDraft, "%s", name)
		case ".pfx":
			a.checkPFX(name)
		case ".json":
			a.checkRecord(name, text)
		}
	}
}

func (a *after) checkPFX(name string) {
	if text, there := a.scene.files[name]; there && bytes.Equal(text, a.files[name]) { // opened when the scene was set
		for label := range a.stage.keys {
			a.inFile[label] = a.inFile[label] || strings.Contains(name, label)
		}
		return
	}
	opened, err := openPFX(filepath.Join(a.directory, name), filepath.Join(a.directory, "password.txt"))
	if err != nil {
		a.breaks(falseFile, "%v", err)
		return
	}
	for label, key := range a.stage.keys {
		if samePublic(opened.key.Public(), key.Public()) {
			a.inFile[label] = true
			return
		}
	}
	a.breaks(falseFile, "%s holds a key that was never on the token", name)
}

// checkRecord wants the file of a record beside it, with the recorded SHA-256.
func (a *after) checkRecord(name string, text []byte) {
	var record struct{ Schema, File, SHA256 string }
	if err := json.Unmarshal(text, &record); err != nil {
		a.breaks(falseFile, "%s: %v", name, err)
		return
	}
	if record.File == "" { // a snapshot
		return
	}
	file, there := a.files[path.Join(path.Dir(name), record.File)]
	if !there || hexSHA256(file) != record.SHA256 {
		a.breaks(falseFile, "%s is of the file %q, which is not there", name, record.File)
	}
}

// checkObjects wants every key on the token or in a file, and every other object on the token.
func (a *after) checkObjects() {
	for _, o := range a.scene.objects {
		if o.class == "private" {
			continue
		}
		if !slices.ContainsFunc(a.objects, func(now censusObject) bool { return now.class == o.class && now.id == o.id && now.label == o.label }) {
			a.breaks(objectLost, "%v", o)
		}
	}
	for _, label := range a.lostKeys() {
		if !a.inFile[label] {
			a.breaks(keyLost, "%s", label)
		}
	}
}

// held reports whether the key is on the token and signs.
func held(objects []censusObject, public crypto.PublicKey) bool {
	return slices.ContainsFunc(objects, func(o censusObject) bool { return o.isPrivate(public) })
}

// lostKeys are those that were on the token and are there no longer.
func (a *after) lostKeys() (labels []string) {
	for label, key := range a.stage.keys {
		if held(a.scene.objects, key.Public()) && !held(a.objects, key.Public()) {
			labels = append(labels, label)
		}
	}
	return labels
}

// added are the objects that the run put on the token.
func (a *after) added() (objects []censusObject) {
	rest := slices.Clone(a.scene.objects)
	for _, o := range a.objects {
		same := func(old censusObject) bool { return old.class == o.class && old.id == o.id && old.label == o.label }
		if i := slices.IndexFunc(rest, same); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		objects = append(objects, o)
	}
	return objects
}

// checkReported wants each object that a failed run left named by its CKA_ID, and each key that it took away by its label.
func (a *after) checkReported() {
	text := strings.ToLower(a.text())
	for _, label := range a.lostKeys() {
		if !strings.Contains(text, strings.ToLower(label)) {
			a.breaks(unreported, "%s is gone", label)
		}
	}
	for _, o := range a.added() {
		if o.id == "" || !strings.Contains(text, o.id) && !strings.Contains(text, percented(o.id)) {
			a.breaks(unreported, "%v", o)
		}
	}
}

// checkFilesReported wants each file that a failed run left under its final name named. Records go with their files.
func (a *after) checkFilesReported() {
	for name := range a.files {
		if _, there := a.scene.files[name]; !there && path.Ext(name) != ".json" && path.Ext(name) != ".part" && !strings.Contains(a.text(), path.Base(name)) {
			a.breaks(silentFile, "%s", name)
		}
	}
}

// percented is a CKA_ID as a URI has it, in small letters.
func percented(id string) string {
	var text strings.Builder
	for i := 0; i+1 < len(id); i += 2 {
		text.WriteString("%" + id[i:i+2])
	}
	return text.String()
}

// checkSecrets wants no secret in what was said and in what was written, but within the PFX.
func (a *after) checkSecrets() {
	shown := [][]byte{[]byte(a.run.stdout), []byte(a.run.stderr)}
	for name, text := range a.files {
		if _, there := a.scene.files[name]; !there && path.Ext(name) != ".pfx" {
			shown = append(shown, text)
		}
	}
	for i, secret := range a.stage.secrets {
		for _, text := range shown {
			if bytes.Contains(text, secret) {
				a.breaks(secretShown, "the form %d of a secret", i)
				return
			}
		}
	}
}

// secretForms lists the PIN, the password and the secret numbers of keys, in the forms in which they could be told.
func secretForms(t *testing.T, keys map[string]crypto.Signer) [][]byte {
	t.Helper()
	forms := [][]byte{[]byte(testPIN), []byte(testPassword)}
	add := func(number []byte) {
		upper := bytes.ToUpper([]byte(hex.EncodeToString(number)))
		forms = append(forms, number, []byte(hex.EncodeToString(number)), upper)
		for shift := range 3 { // where the number begins in a text of base64 is not known
			text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), number...))
			forms = append(forms, []byte(text[4:len(text)-4]))
		}
	}
	add([]byte(testPIN))
	add([]byte(testPassword))
	for label, key := range keys {
		switch key := key.(type) {
		case *rsa.PrivateKey:
			add(key.D.Bytes())
			add(key.Primes[0].Bytes())
			add(key.Primes[1].Bytes())
		case *ecdsa.PrivateKey:
			scalar, err := key.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			add(scalar)
		default:
			t.Fatalf("%s is a %T", label, key)
		}
	}
	return forms
}
