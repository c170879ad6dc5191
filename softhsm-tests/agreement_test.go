package softhsmtests

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"p11bridge/token"
)

// agreement is a token with keys of every kind, whose attributes are drawn by lot: list, diagnose, status and export --all say the same of
// each, and it is what becomes of the key when it is exported.
type agreement struct {
	environment, access []string
	backups, password   string
}

// judgedKey is what the four commands say of one key.
type judgedKey struct {
	URI, Label string
	PrivateKey json.RawMessage `json:"private_key"`
	State      string          // of status
	Verdict    judgedVerdict
	Outcome    string `json:"-"` // of export --all
}

type judgedVerdict struct {
	Exportable *bool
	Reasons    []statedReason
}

// String is the verdict's word, and its reasons.
func (v judgedVerdict) String() string {
	codes := codesOf(v.Reasons)
	slices.Sort(codes)
	word := "not known"
	if v.Exportable != nil {
		word = map[bool]string{true: "yes", false: "no"}[*v.Exportable]
	}
	return word + " " + strings.Join(codes, " ")
}

func (v judgedVerdict) word() string { return strings.Fields(v.String())[0] }

func (v judgedVerdict) has(code string) bool { return slices.Contains(codesOf(v.Reasons), code) }

// judgedAll is the document of any of the four.
type judgedAll struct {
	Tokens []struct{ Identities []judgedKey }
	Keys   []judgedKey
	Counts map[string]int

	Exported, Refused, Failed []judgedKey
	UpToDate                  []judgedKey `json:"up_to_date"`
}

// lot draws the attributes of keys.
type lot struct{ *rand.Rand }

func (l lot) once(in int) bool { return l.IntN(in) == 0 }

// mechanisms are some that a key may be restricted to.
func (l lot) mechanisms() (allowed []byte) {
	for _, mechanism := range []uint64{1, 3, 9, 0x40, 0x41, 0xD, 0x43, 0x1041, 0x1044, 0x1050} {
		if l.once(4) {
			allowed = binary.NativeEndian.AppendUint64(allowed, mechanism)
		}
	}
	return allowed
}

// objects are a key and, mostly, a certificate, which need not be its own.
func (l lot) objects(t *testing.T, directory, label string, id byte, nss bool) []*object {
	t.Helper()
	kinds := []func() crypto.Signer{
		func() crypto.Signer { return newRSA(t) }, func() crypto.Signer { return newEC(t, elliptic.P256()) }, func() crypto.Signer { return newEC(t, elliptic.P384()) },
		func() crypto.Signer {
			seed := make([]byte, ed25519.SeedSize)
			binary.NativeEndian.PutUint64(seed, l.Uint64())
			return ed25519.NewKeyFromSeed(seed)
		},
	}
	key := kinds[l.IntN(len(kinds))]()
	if l.once(5) {
		id = 0xDD // shared with others
	}
	private := plantedKey(t, label, id, key, nss).is(token.CKASensitive, !l.once(3)).is(token.CKAExtractable, !l.once(4)).is(token.CKASign, !l.once(5))
	if l.once(5) {
		private.is(token.CKAAlwaysAuthenticate, true)
	}
	if l.once(3) {
		private.is(ckaModifiable, false)
	}
	if _, derives := key.(interface{ Params() *elliptic.CurveParams }); derives && l.once(3) {
		private.is(token.CKADerive, true)
	}
	if !nss && l.once(5) {
		private.is(token.CKAWrapWithTrusted, true)
	}
	if !nss && l.once(4) {
		private.bytes(ckaAllowedMechanisms, l.mechanisms())
	}
	objects := []*object{private}
	switch l.IntN(6) {
	case 0:
	case 1: // that of another key
		objects = append(objects, plantedCertificate(t, label, id, issue(t, directory, label, newEC(t, elliptic.P256())).certificatePEM))
	case 2: // under another CKA_ID
		objects = append(objects, plantedCertificate(t, label, id^0x80, issue(t, directory, label, key).certificatePEM))
	default:
		objects = append(objects, plantedCertificate(t, label, id, issue(t, directory, label, key).certificatePEM))
	}
	return objects
}

const (
	ckaModifiable        = token.Attribute(0x170)
	ckaAllowedMechanisms = token.Attribute(0x40000600)
)

// drawn are the objects of so many keys. Each test draws the same ones in every run; AGREEMENT=SEED draws others, and AGREEMENT_KEYS more.
func drawn(t *testing.T, directory string, nss bool, keys int) (objects []*object) {
	t.Helper()
	seed := uint64(keys)
	for name, set := range map[string]func(uint64){"AGREEMENT": func(n uint64) { seed = n }, "AGREEMENT_KEYS": func(n uint64) { keys = int(n) }} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			set(n)
		}
	}
	l := lot{rand.New(rand.NewPCG(seed, 0))}
	for i := range keys {
		objects = append(objects, l.objects(t, directory, fmt.Sprintf("key %d", i), byte(i+1), nss)...)
	}
	return objects
}

func (a *agreement) ask(t *testing.T, args ...string) (judged judgedAll, byURI map[string]judgedKey, code int) {
	t.Helper()
	r := p11bridge(t, a.environment, slices.Concat(args, []string{"--json"}, a.access)...)
	if err := json.Unmarshal([]byte(r.stdout), &judged); err != nil {
		t.Fatalf("%q: exit code %d, %v\n%s%s", args, r.code, err, r.stdout, r.stderr)
	}
	byURI = map[string]judgedKey{}
	for _, of := range judged.Tokens {
		for _, key := range of.Identities {
			if string(key.PrivateKey) != "null" {
				byURI[key.URI] = key
			}
		}
	}
	for outcome, keys := range map[string][]judgedKey{"": judged.Keys, "exported": judged.Exported, "up to date": judged.UpToDate, "refused": judged.Refused, "failed": judged.Failed} {
		for _, key := range keys {
			key.Outcome = outcome
			byURI[key.URI] = key
		}
	}
	return judged, byURI, r.code
}

// try asks the four commands, exports every key, and holds all answers against each other.
func (a *agreement) try(t *testing.T) {
	t.Helper()
	written := []string{"--password-source", a.password, "--iterations", "1000"}
	_, listed, _ := a.ask(t, "list")
	_, diagnosed, _ := a.ask(t, "diagnose")
	_, probed, _ := a.ask(t, "diagnose", "--probe")
	_, first, _ := a.ask(t, "status", "--dir", a.backups)
	_, all, allCode := a.ask(t, append([]string{"export", "--all", "--dir", a.backups}, written...)...)
	last, state, stateCode := a.ask(t, "status", "--dir", a.backups)
	if len(listed) == 0 || len(diagnosed) != len(listed) || len(probed) != len(listed) || len(first) != len(listed) || len(all) != len(listed) || len(state) != len(listed) {
		t.Fatalf("list has %d keys, diagnose %d and %d, status %d and %d, export --all %d", len(listed), len(diagnosed), len(probed), len(first), len(state), len(all))
	}
	want := 0
	for uri, said := range listed {
		after := state[uri]
		if after.State != "up-to-date" && after.State != "cannot-leave" {
			want = 5
		}
		export := p11bridge(t, a.environment, slices.Concat([]string{"export", uri, "-o", filepath.Join(a.backups, "alone", said.Label+".pfx"), "--json"}, a.access, written)...)
		for _, wrong := range disagreements(said, diagnosed[uri], probed[uri], first[uri], all[uri], after, export) {
			t.Errorf("%s: %s\nlist: %s\ndiagnose --probe: %s\nstatus: %s, then %s\nexport --all: %s, export: exit code %d\n%s", uri, wrong, said.Verdict, probed[uri].Verdict, first[uri].State, after.State,
				all[uri].Outcome, export.code, export.stdout+export.stderr)
		}
	}
	if stateCode != want || allCode != want {
		t.Errorf("the exit codes are %d of status and %d of export --all, not %d: %v", stateCode, allCode, want, last.Counts)
	}
	t.Logf("%d keys: %v", len(listed), last.Counts)
}

// disagreements are the rules that the answers of one key break.
func disagreements(listed, diagnosed, probed, first, all, after judgedKey, export *result) (wrong []string) {
	leaves, alone := export.code == 0, listed.Verdict.has("certificate-not-identified") // export --all knows no name for its file
	other := slices.Contains(codesOf(export.document.Reasons), "certificate-does-not-match-key")
	without := export.code == 1 && listed.Verdict.word() == "yes" // it lacks a certificate
	unshown := after.State == "key-not-shown" && listed.Verdict.has("key-linked-by-id")
	for rule, broken := range map[string]bool{
		"diagnose says what list says":                                diagnosed.Verdict.String() != listed.Verdict.String(),
		"what leaves could leave":                                     leaves && listed.Verdict.word() != "yes",
		"a probe says what an export does":                            !other && !without && leaves != (probed.Verdict.word() == "yes"),
		"status judges as a probe":                                    after.Verdict.word() != probed.Verdict.word(),
		"export --all does what an export does":                       leaves != (all.Outcome == "exported" || all.Outcome == "up to date") && !alone,
		"what was exported is up to date":                             leaves && !alone && after.State != "up-to-date" && !unshown,
		"what an export refuses cannot leave, and nothing else":       !other && (export.code == 3) != (after.State == "cannot-leave"),
		"a state that an export does not change stands before it":     (after.State == "cannot-leave") != (first.State == "cannot-leave"),
		"a key leaves, stays, lacks its certificate, or is not known": !slices.Contains([]int{0, 3, 5}, export.code) && !without,
	} {
		if broken {
			wrong = append(wrong, rule)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// testAgreement has SoftHSM, and NSS with and without a primary password.
func testAgreement(t *testing.T, keys int) {
	t.Helper()
	place := func(t *testing.T, a agreement, directory string) {
		var err error
		if a.backups, err = os.MkdirTemp(disk, "p11bridge-agreement-"); err != nil { // a file counts only where it is brought to a medium
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(a.backups); err != nil {
				t.Error(err)
			}
		})
		if err := os.Mkdir(filepath.Join(a.backups, "alone"), 0o700); err != nil {
			t.Fatal(err)
		}
		a.password = "file:" + write(t, directory, "password.txt", []byte(testPassword+"\n"))
		a.try(t)
	}
	t.Run("SoftHSM", func(t *testing.T) {
		p := newPlace(t, `token "matrix"`)
		plant(t, p.environment, softHSM(t), "matrix", testPIN, "", drawn(t, p.directory, false, keys))
		place(t, agreement{environment: p.environment, access: []string{"--token", "matrix", "--pin-source", p.pin}}, p.directory)
	})
	for name, db := range map[string]*nss{"NSS": newNSS(t), "NSS without a password": withoutPassword(t)} {
		t.Run(name, func(t *testing.T) {
			pin, access := nssPIN, []string{"--nss-db", db.database, "--pin-source", "file:" + db.pin}
			if name != "NSS" {
				pin, access = "", access[:2]
			}
			library := db.library(t, token.ReadWrite)
			plant(t, nil, library.Path, "NSS Certificate DB", pin, library.InitString, drawn(t, db.directory, true, keys))
			place(t, agreement{access: access}, db.directory)
		})
	}
}

// TestAgreement has few keys, and TestAgreementLong more.
func TestAgreement(t *testing.T) {
	t.Parallel()
	testAgreement(t, 6)
}

// TestAgreementLong is TestAgreement with more keys.
func TestAgreementLong(t *testing.T) {
	t.Parallel()
	testAgreement(t, 30)
}
