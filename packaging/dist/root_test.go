package dist

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// installed is what is done with the .deb in a Debian that has nothing but itself.
const installed = `
set -eux
export DEBIAN_FRONTEND=noninteractive
. /etc/os-release
echo "debian $VERSION_CODENAME"
before=$(dpkg-query --show | sort)
find / -xdev -path /tmp -prune -o -path /var -prune -o -path /proc -prune -o -print | sort > /tmp/before

# What it depends on is enough to say what it is and why no token is seen.
apt-get update -qq
apt-get install --yes -qq --no-install-recommends /packages/*.deb
p11bridge version
p11bridge --help
test "$(stat -c %a:%U /etc/p11bridge /etc/p11bridge/environment | tr '\n' ' ')" = '750:root 640:root '
code=0; p11bridge demo || code=$?
test "$code" = 1
bash -c 'set +u; for f in /usr/share/bash-completion/completions/p11bridge; do . $f; done; complete -p p11bridge'

# What it recommends makes it whole.
apt-get install --yes -qq --no-install-recommends softhsm2
p11bridge demo
useradd --create-home somebody
setpriv --reuid somebody --regid somebody --init-groups env HOME=/home/somebody p11bridge demo > /tmp/demo
grep 'bob' /tmp/demo
p11bridge --lang es status --help | grep -i copia

# Nothing stays behind that the package brought.
apt-get purge --yes -qq p11bridge
test ! -e /usr/bin/p11bridge
test ! -e /etc/p11bridge
find / -xdev -path /tmp -prune -o -path /var -prune -o -path /proc -prune -o -print | sort > /tmp/after
comm -13 /tmp/before /tmp/after | grep p11bridge && exit 1
echo removed
`

// installedRPM is the same with the .rpm, by rpm itself. The database of packages is rpm's own, in which no Debian package stands: --nodeps, and
// what it wants is looked at apart.
const installedRPM = `
set -eux
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install --yes -qq --no-install-recommends rpm softhsm2
test "$(rpm -qp --requires /packages/*.rpm | grep -v '^rpmlib(' | grep -v '^/bin/sh$')" = 'glibc >= '"$(rpm -qp --requires /packages/*.rpm | sed -n 's/^glibc >= //p')"
rpm --install --nodeps /packages/*.rpm
rpm --verify --nodeps p11bridge
test "$(stat -c %a:%U /etc/p11bridge /etc/p11bridge/environment | tr '\n' ' ')" = '750:root 640:root '
test -e /usr/share/zsh/site-functions/_p11bridge
p11bridge demo
echo P11BRIDGE_TOKEN=ca >> /etc/p11bridge/environment
rpm --install --replacepkgs --nodeps /packages/*.rpm
grep P11BRIDGE_TOKEN=ca /etc/p11bridge/environment
rpm --erase p11bridge
test ! -e /usr/bin/p11bridge
test ! -e /usr/lib/systemd/system/p11bridge-status.service
grep P11BRIDGE_TOKEN=ca /etc/p11bridge/environment.rpmsave
echo rpm removed
`

// demoRan is what the demo says of the key that cannot leave, at its end.
const demoRan = "This key can never leave the token."

// TestInMinimalDebianLong installs, uses and removes the .deb and the .rpm, has the units work under systemd, and carries out the
// Containerfile, each in a root that has nothing but Debian: the release after the one that the packages are made on.
func TestInMinimalDebianLong(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a root file system of its own needs root")
	}
	root, err := os.MkdirTemp("/var/tmp", "p11bridge-dist-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { output(t, "rm", "-rf", "--one-file-system", root) })
	output(t, repository+"/scripts/debian-root", "--bare", "trixie", root+"/debian")
	output(t, "install", "-D", "--target-directory="+root+"/debian/packages", one(t, "*_amd64.deb"), one(t, "*.x86_64.rpm"))
	output(t, "install", "-D", "--target-directory="+root+"/debian/packages/all", one(t, "*_amd64.deb"), one(t, "*_arm64.deb"))

	t.Run("package", func(t *testing.T) {
		said := inRoot(t, root+"/debian", installed)
		for _, needed := range []string{"debian trixie", demoRan, "softhsm2", "removed"} {
			if !strings.Contains(said, needed) {
				t.Errorf("%q is not in:\n%s", needed, said)
			}
		}
	})
	t.Run("rpm", func(t *testing.T) {
		said := inRoot(t, root+"/debian", installedRPM)
		if !strings.Contains(said, demoRan) || !strings.Contains(said, "\nrpm removed\n") {
			t.Errorf("with rpm:\n%s", said)
		}
	})
	t.Run("systemd", func(t *testing.T) { unitsUnderSystemd(t, root+"/debian") })
	t.Run("Containerfile", func(t *testing.T) {
		said := inRoot(t, root+"/debian", containerScript(t))
		if !strings.Contains(said, demoRan) {
			t.Errorf("the demo did not run:\n%s", said)
		}
	})
}

// inRoot runs a script in the root; what it writes there is gone afterwards.
func inRoot(t *testing.T, root, script string) string {
	t.Helper()
	command := exec.Command(repository+"/scripts/in-root", root, "root", "/bin/sh", "-c", script)
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return string(said)
}

// containerScript is what an engine does with the Containerfile, as a script, and then what `podman run IMAGE demo` does.
func containerScript(t *testing.T) string {
	t.Helper()
	text := strings.ReplaceAll(read(t, repository+"/packaging/Containerfile"), "\\\n", " ")
	script, user, directory := "set -eux\nexport DEBIAN_FRONTEND=noninteractive\n", "", ""
	var entry []string
	steps := 0
	for _, line := range strings.Split(text, "\n") {
		instruction, rest, _ := strings.Cut(line, " ")
		switch instruction {
		case "", "#", "FROM", "CMD":
		case "COPY":
			from, to, ok := strings.Cut(rest, " ")
			if !ok || filepath.Base(from) != from {
				t.Fatalf("COPY of %q", rest)
			}
			script += "cp /packages/all/" + from + " " + to + "\n"
		case "RUN":
			steps++
			script += rest + "\n"
		case "USER":
			user = rest
		case "WORKDIR":
			directory = rest
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &entry); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("no test knows %q", line)
		}
	}
	if steps < 2 || user == "" || user == "root" || len(entry) != 1 || !regexp.MustCompile(`^/home/`).MatchString(directory) {
		t.Fatalf("%d steps, user %q, directory %q, entry point %q", steps, user, directory, entry)
	}
	return script + "cd " + directory + "\nsetpriv --reuid " + user + " --regid " + user + " --init-groups env HOME=" + directory + " " + entry[0] + " demo\n"
}
