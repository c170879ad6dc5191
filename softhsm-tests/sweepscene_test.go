package softhsmtests

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A scene is a directory in which a command of the sweep begins: a token, backups, certificates. Every run has a fresh copy.
// All names are relative to it, so that a copy needs no change.
type scene struct {
	directory string
	objects   []censusObject    // on the token
	files     map[string][]byte // those that are there at the beginning and must stay
}

// stage is what all runs of the sweep share.
type stage struct {
	directory string
	module    string // testdata/faulty.c
	oneOf     int    // of so many faults of a sample one is tried
	samples   int    // how many were taken
	census    censusTaker
	scenes    map[string]*scene
	keys      map[string]crypto.Signer // all that may leave, by label
	secrets   [][]byte                 // what may stand in no output
}

const (
	stageSpecimens = `label="Schwertlilie" id=a1b2c3 key=rsa2048 policy=wrappable certificate=valid
label="Akelei" id=d4e5f6 key=p256 policy=wrappable certificate=valid
label="Lavendel" id=b7c8d9 key=p256 policy=readable certificate=valid
`
	tokenArgument    = "--token=test"
	pinArgument      = "--pin-source=file:token/pin.txt"
	passwordArgument = "--password-source=file:password.txt"
	fewIterations    = "--iterations=1000"
)

// newStage sets the scenes:
//
//	full      every key on the token, a copy of each in copies, and what export --all makes in backups
//	alone     full without copies and backups: a key that leaves is lost where the run itself makes no copy
//	missing   full without the private keys on the token
//	empty     full with no object on the token but those of Akelei
//	asked     full, and a new key that a certificate, issued.pem, was made for
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{directory: t.TempDir(), module: faultyModule(t), census: newCensusTaker(t), scenes: map[string]*scene{}, keys: map[string]crypto.Signer{}}
	full := s.path("full")
	specimens := write(t, s.directory, "specimens", []byte(stageSpecimens))
	if err := errors.Join(os.Mkdir(full, 0o700), runMktoken(specimens, filepath.Join(full, "token"))); err != nil {
		t.Fatal(err)
	}
	write(t, full, "token/softhsm2.conf", []byte("directories.tokendir = token/tokens\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"))
	write(t, full, "password.txt", []byte(testPassword+"\n"))
	if err := os.Mkdir(filepath.Join(full, "copies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"Schwertlilie", "Akelei", "Lavendel"} {
		file := "copies/" + label + ".pfx"
		s.must(t, full, "export", label, "-o", file, passwordArgument, fewIterations)
		opened, err := openPFX(filepath.Join(full, file), filepath.Join(full, "password.txt"))
		if err != nil {
			t.Fatal(err)
		}
		s.keys[label] = opened.key
	}
	s.must(t, full, "export", "--all", "--dir", "backups", passwordArgument, fewIterations)
	s.secrets = secretForms(t, s.keys)
	s.settle(t, "full")

	s.derive(t, "alone", func(directory string) {
		if err := errors.Join(os.RemoveAll(filepath.Join(directory, "copies")), os.RemoveAll(filepath.Join(directory, "backups"))); err != nil {
			t.Fatal(err)
		}
	})
	s.derive(t, "missing", func(directory string) {
		for _, o := range s.scenes["full"].objects {
			if o.class == "private" {
				s.removeObject(t, directory, o)
			}
		}
	})
	s.derive(t, "empty", func(directory string) {
		for _, o := range s.scenes["full"].objects {
			if o.label != "Akelei" {
				s.removeObject(t, directory, o)
			}
		}
	})
	s.derive(t, "asked", func(directory string) {
		s.must(t, directory, "request", "Akelei", "--label", "Rittersporn", "-o", "request.pem")
		for _, args := range [][]string{
			{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "30"},
			{"x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "10", "-out", "issued.pem"},
		} {
			if _, err := foreign(directory, nil, "openssl", args...); err != nil {
				t.Fatal(err)
			}
		}
	})
	return s
}

func (s *stage) path(name string) string { return filepath.Join(s.directory, name) }

// derive makes a scene of the full one.
func (s *stage) derive(t *testing.T, name string, change func(directory string)) {
	t.Helper()
	if err := copyTree(s.path("full"), s.path(name)); err != nil {
		t.Fatal(err)
	}
	change(s.path(name))
	s.settle(t, name)
}

// settle notes what a scene holds.
func (s *stage) settle(t *testing.T, name string) {
	t.Helper()
	objects, err := s.census.take(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	files, err := readTree(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	s.scenes[name] = &scene{directory: s.path(name), objects: objects, files: files}
}

// must runs the product without a fault.
func (s *stage) must(t *testing.T, directory string, args ...string) {
	t.Helper()
	if r := s.run(directory, nil, append(args, tokenArgument, pinArgument)...); r.code != 0 {
		t.Fatalf("p11bridge %q: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
}

var classOption = map[string]string{"private": "privkey", "public": "pubkey", "certificate": "cert"}

func (s *stage) removeObject(t *testing.T, directory string, o censusObject) {
	t.Helper()
	_, err := foreign(directory, []string{"SOFTHSM2_CONF=token/softhsm2.conf"}, "pkcs11-tool", "--module", s.census.module, "--token-label", "test",
		"--login", "--pin", testPIN, "--delete-object", "--type", classOption[o.class], "--id", o.id)
	if err != nil {
		t.Fatal(err)
	}
}

// stageRun is one run of the product in a directory.
type stageRun struct {
	code           int // -1 for an end by a signal
	stdout, stderr string
	inTime         bool
}

// tooLong is when a run of the sweep is killed: it only tells a run that ends from one that does not, on the busiest machine.
const tooLong = 10 * time.Minute

// run starts the product with the real module and further environment. It is killed where it takes too long.
func (s *stage) run(directory string, environment []string, args ...string) stageRun {
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	command := s.command(ctx, directory, environment, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	r := stageRun{code: -1, stdout: stdout.String(), stderr: stderr.String(), inTime: ctx.Err() == nil}
	if command.ProcessState != nil {
		r.code = command.ProcessState.ExitCode()
	} else {
		r.stderr += err.Error()
	}
	return r
}

func (s *stage) command(ctx context.Context, directory string, environment []string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "p11bridge", args...)
	command.Dir = directory
	command.WaitDelay = 5 * time.Second
	command.Env = append(os.Environ(), "LC_ALL=C", "SOFTHSM2_CONF=token/softhsm2.conf", "P11BRIDGE_MODULE="+s.census.module)
	command.Env = append(command.Env, environment...)
	return command
}

// copyTree copies files with their permissions.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		if entry.IsDir() {
			return os.Mkdir(target, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o600)
	})
}

// readTree reads all files but the token's, by their names.
func readTree(directory string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		name := strings.TrimPrefix(strings.TrimPrefix(path, directory), "/")
		switch {
		case err != nil:
			return err
		case name == "token":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	return files, err
}
