package softhsmtests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withDescriptors runs p11bridge under bash, which opens or closes descriptors first: redirections as a shell writes them.
func (p *place) withDescriptors(t *testing.T, redirections string, args ...string) *result {
	t.Helper()
	command := exec.CommandContext(t.Context(), "bash", append([]string{"-c", `exec p11bridge "$@" ` + redirections, "bash"}, args...)...)
	command.Env = append(append(os.Environ(), "LC_ALL=C"), p.environment...)
	return finish(t, command)
}

// TestDescriptorIsTheUsers names file descriptors that nobody opened, and the same ones open. Go's runtime keeps files of
// its own under the lowest free numbers, those of the control group among them: their content must be no PIN and no
// password.
func TestDescriptorIsTheUsers(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	version := 1 // of the control groups: Go's runtime holds two files there, and one where it is 2
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		version = 2
	}
	t.Logf("control groups, version %d", version)
	for fd := 3; fd <= 12; fd++ {
		source := fmt.Sprintf("fd:%d", fd)
		out := p.path("dave.pfx")
		export := func(pin, password string) []string {
			return []string{"export", "dave", "-o", out, "--force", "--iterations", "1000", "--trace", p.path("trace"), "--pin-source", pin, "--password-source", password}
		}
		refuse := func(what string, code int, r *result) {
			t.Helper()
			if r.code != code || !strings.Contains(r.stderr, source+" ") || !strings.Contains(r.stderr, "not started with a file descriptor of this number") {
				t.Errorf("%s: exit code %d, %q", what, r.code, r.stderr)
			}
			if _, err := os.Stat(out); err == nil {
				t.Errorf("%s: there is a file", what)
			}
		}
		closed := fmt.Sprintf("%d<&-", fd)
		refuse("no PIN on "+source, 4, p.withDescriptors(t, closed, export(source, p.password)...))
		if trace, err := os.ReadFile(p.path("trace")); err != nil || strings.Contains(string(trace), "C_Login") {
			t.Errorf("%s: a login was tried (%v)", source, err)
		}
		refuse("no password on "+source, 1, p.withDescriptors(t, closed, export(p.pin, source)...))
		open := fmt.Sprintf("%d<", fd)
		for _, r := range []*result{
			p.withDescriptors(t, open+strings.TrimPrefix(p.pin, "file:"), export(source, p.password)...),
			p.withDescriptors(t, open+strings.TrimPrefix(p.password, "file:"), export(p.pin, source)...),
		} {
			if r.code != 0 {
				t.Errorf("%s is open: exit code %d, %q", source, r.code, r.stderr)
			}
		}
		if r := p.withDescriptors(t, closed, "verify", out, "--password-source", source); r.code != 1 || !strings.Contains(r.stderr, "not started with") {
			t.Errorf("verify, nothing on %s: exit code %d, %q", source, r.code, r.stderr)
		}
		if r := p.withDescriptors(t, open+strings.TrimPrefix(p.password, "file:"), "verify", out, "--password-source", source); r.code != 0 {
			t.Errorf("verify, %s is open: exit code %d, %q", source, r.code, r.stderr)
		}
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDescriptorIsReadOnce names one descriptor twice, and the two that are no sources.
func TestDescriptorIsReadOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	pin := strings.TrimPrefix(p.pin, "file:")
	r := p.withDescriptors(t, "3<"+pin, "export", "dave", "-o", p.path("dave.pfx"), "--pin-source", "fd:3", "--password-source", "fd:3")
	if r.code != 2 || !strings.Contains(r.stderr, "would both read fd:3") {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
	for _, fd := range []string{"1", "2"} {
		r := p.withDescriptors(t, fd+"<>"+pin, "list", "--pin-source", "fd:"+fd)
		if r.code != 4 {
			t.Errorf("fd:%s: exit code %d", fd, r.code)
		}
	}
	if found, err := filepath.Glob(p.path("*.pfx")); err != nil || len(found) > 0 {
		t.Errorf("there is %q (%v)", found, err)
	}
}
