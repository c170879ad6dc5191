package softhsmtests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// remote is a SoftHSM2 token behind p11-kit's remoting: p11-kit server serves it on a socket, and p11-kit-client.so is the
// module. In between, p11-kit 0.24 drops every mechanism whose parameters it cannot carry, all of AES among them.
type remote struct {
	directory string
	module    string
	server    *exec.Cmd
	socket    string
}

const remoteSpecimens = `token "remote"
label="wrappable" id=01 key=rsa2048 policy=wrappable certificate=valid
label="locked" id=02 key=p256 policy=locked certificate=valid
label="readable" id=03 key=p256 policy=readable certificate=valid
`

func newRemote(t *testing.T) *remote {
	t.Helper()
	r := &remote{directory: t.TempDir(), module: library(t, "pkcs11/p11-kit-client.so")}
	token := filepath.Join(r.directory, "token")
	if err := runMktoken(write(t, r.directory, "specimens", []byte(remoteSpecimens)), token); err != nil {
		t.Fatal(err)
	}
	write(t, r.directory, "password.txt", []byte(testPassword+"\n"))
	r.socket = filepath.Join(socketDirectory(t), "socket")
	r.server = exec.Command("p11-kit", "server", "--foreground", "--name", r.socket, "--provider", softHSM(t), "pkcs11:token=remote")
	r.server.Env = append(os.Environ(), "SOFTHSM2_CONF="+filepath.Join(token, "softhsm2.conf"))
	startServer(t, r.server)
	eventually(t, "p11-kit server", func() error {
		_, err := foreign(r.directory, r.environment(), "pkcs11-tool", "--module", r.module, "--list-slots")
		return err
	})
	return r
}

func (r *remote) environment() []string {
	return []string{"P11_KIT_SERVER_ADDRESS=unix:path=" + r.socket}
}

func (r *remote) file(name string) string { return filepath.Join(r.directory, name) }

func (r *remote) args(command string, args ...string) []string {
	return append([]string{command, "--module", r.module, "--token", "remote", "--json", "--trace", r.file("trace"),
		"--pin-source", "file:" + r.file("token/pin.txt")}, args...)
}

func (r *remote) exportArgs(label string, args ...string) []string {
	return r.args("export", append([]string{label, "-o", r.file(label + ".pfx"), "--password-source", "file:" + r.file("password.txt"), "--iterations", "1000"}, args...)...)
}

// TestRemotingHidesMechanisms holds verdict and export together where the way out that the token has cannot be seen: what
// is told is what happens when it is tried, and the answers are the evidence.
func TestRemotingHidesMechanisms(t *testing.T) {
	t.Parallel()
	r := newRemote(t)
	listed := p11bridge(t, r.environment(), r.args("list")...)
	if listed.code != 0 {
		t.Fatalf("list: exit code %d\n%s", listed.code, listed.stderr)
	}
	for label, reason := range map[string]string{"wrappable": "no-wrapping-mechanism", "locked": "key-not-extractable", "readable": "exportable-by-attributes"} {
		verdict := listed.identity(t, label).Verdict
		if codes := codesOf(verdict.Reasons); len(codes) == 0 || codes[0] != reason || verdict.Exportable != (label == "readable") {
			t.Errorf("the verdict on %s is %+v", label, verdict)
		}
	}
	for _, c := range []struct {
		label, reason string
		args          []string
		tried         []string // mechanisms
	}{
		{"wrappable", "no-wrapping-mechanism", nil, []string{"CKM_AES_KEY_WRAP_PAD", "CKM_AES_KEY_WRAP_KWP", "CKM_AES_KEY_WRAP"}},
		{"wrappable", "no-wrapping-mechanism", []string{"--require-shroud"}, []string{"CKM_AES_CBC_PAD"}},
		{"readable", "method-refused", []string{"--require-shroud"}, []string{"CKM_AES_CBC_PAD"}},
		{"locked", "key-not-extractable", nil, nil},
		{"locked", "key-not-extractable", []string{"--require-shroud"}, nil},
	} {
		t.Run(strings.Join(append([]string{c.label}, c.args...), " "), func(t *testing.T) {
			got := p11bridge(t, r.environment(), r.exportArgs(c.label, c.args...)...)
			if c.reason == "method-refused" {
				got.methodRefused(t, r.file(c.label+".pfx"))
			} else {
				got.refused(t, c.reason, r.file(c.label+".pfx"))
			}
			trace := mustRead(t, r.file("trace"))
			for _, mechanism := range c.tried {
				if !bytes.Contains(trace, []byte("C_WrapKey CKR_MECHANISM_INVALID")) || !strings.Contains(got.stdout, mechanism+": C_WrapKey: CKR_MECHANISM_INVALID") {
					t.Errorf("C_WrapKey with %s is no evidence\n%s", mechanism, got.stdout)
				}
			}
			if len(c.tried) == 0 && bytes.Contains(trace, []byte("C_WrapKey")) {
				t.Errorf("the token was asked:\n%s", trace)
			}
			if err := closed(string(trace)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("readable", func(t *testing.T) {
		got := p11bridge(t, r.environment(), r.exportArgs("readable")...)
		got.exported(t, "attributes", "independent-reader")
		if err := opensslOpens(r.file("readable.pfx"), r.file("password.txt"), false); err != nil {
			t.Error(err)
		}
	})
}

// readsPassword has the product read the file's password up to its end, which it waits for then: the inventory was read by then, and nothing was
// exported yet.
func (r *remote) readsPassword(t *testing.T, pipe, password *os.File, ended <-chan error) {
	t.Helper()
	if _, err := password.WriteString(testPassword); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the password is read", func() error {
		if len(ended) > 0 {
			t.Fatalf("it ended too early: %v", <-ended)
		}
		left, err := unix.IoctlGetInt(int(pipe.Fd()), unix.TIOCINQ) // FIONREAD
		if err == nil && left > 0 {
			err = fmt.Errorf("%d bytes are left", left)
		}
		return err
	})
	if trace := mustRead(t, r.file("trace")); !bytes.Contains(trace, []byte("C_GetAttributeValue CKR_OK")) || bytes.Contains(trace, []byte("C_CreateObject")) {
		t.Fatalf("it does not wait between the inventory and the export:\n%s", trace)
	}
}

// TestRemoteTokenIsLost takes the far end away in the middle of an export: the session is open and the objects are known,
// and the product waits for the rest of the file's password.
func TestRemoteTokenIsLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, label string
		signal      unix.Signal
		said        []string
	}{
		{"killed", "wrappable", unix.SIGKILL, []string{"C_CreateObject answered CKR_DEVICE_ERROR"}},
		{"killed", "readable", unix.SIGKILL, []string{"C_GetAttributeValue answered CKR_DEVICE_ERROR"}},
		{"stopped", "wrappable", unix.SIGSTOP, []string{"did not return from C_CreateObject within 3", "--timeout"}},
		{"stopped", "readable", unix.SIGSTOP, []string{"did not return from C_GetAttributeValue within 3", "--timeout"}},
	} {
		t.Run(c.name+" "+c.label, func(t *testing.T) {
			t.Parallel()
			r := newRemote(t)
			read, password, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			ctx, cancel := context.WithDeadline(t.Context(), lastMoment())
			defer cancel()
			command := product(ctx, r.environment(), r.args("export", c.label, "-o", r.file(c.label+".pfx"), "--password-source", "fd:3", "--iterations", "1000", "--timeout", "3s")...)
			command.ExtraFiles = []*os.File{read}
			var stdout, stderr bytes.Buffer
			command.Stdout, command.Stderr = &stdout, &stderr
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- command.Wait() }()
			r.readsPassword(t, read, password, ended)
			if err := signalSession(r.server.Process.Pid, c.signal); err != nil {
				t.Fatal(err)
			}
			_, err = password.WriteString("\n")
			if err := errors.Join(err, password.Close()); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			err = <-ended
			got := conclude(t, command, err, time.Since(start), stdout.String(), stderr.String())
			if got.code != 1 || got.document.Schema != "p11bridge.error/1" || got.document.ExitCode != 1 {
				t.Errorf("exit code %d\n%s", got.code, got.stdout)
			}
			for _, text := range c.said {
				if !strings.Contains(got.stderr, text) {
					t.Errorf("standard error does not say %q:\n%s", text, got.stderr)
				}
			}
			absent(t, r.file(c.label+".pfx"))
		})
	}
}
