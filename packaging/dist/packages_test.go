package dist

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// made are the packages, made once for all tests by scripts/packages from the sources as they are.
var made string

func TestMain(m *testing.M) {
	directory, err := filepath.Abs(repository + "/build/dist")
	if err == nil {
		err = makePackages(repository, directory)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	made = directory
	os.Exit(m.Run())
}

func makePackages(sources, directory string, environment ...string) error {
	script := exec.Command("scripts/packages", directory)
	script.Dir, script.Env = sources, append(os.Environ(), environment...)
	if output, err := script.CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/packages: %w\n%s", err, output)
	}
	return nil
}

// one gives the path of the one package of a kind.
func one(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(made, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %q, %v", pattern, paths, err)
	}
	return paths[0]
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var problems bytes.Buffer
	command := exec.Command(name, args...)
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, problems.String())
	}
	return string(text)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// staged is what the Linux packages of an architecture install below /usr.
func staged(architecture string) string { return repository + "/build/stage/linux-" + architecture }

// architecture is one that there are packages for, by the names that Debian and rpm have for it.
type architecture struct{ deb, rpm string }

func architectures() []architecture { return []architecture{{"amd64", "x86_64"}, {"arm64", "aarch64"}} }

// binary is the program as it is packaged for this machine.
func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(staged("amd64") + "/bin/p11bridge")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// everyPackageHas is what the packages hold, below /usr.
func everyPackageHas(t *testing.T) []string {
	t.Helper()
	files := []string{
		"bin/p11bridge", "share/bash-completion/completions/p11bridge", "share/fish/vendor_completions.d/p11bridge.fish",
		"lib/systemd/system/p11bridge-status.service", "lib/systemd/system/p11bridge-status.timer", "lib/systemd/system/p11bridge-backup.service",
		"lib/systemd/system/p11bridge-backup.path", "lib/systemd/system/p11bridge-drill.service", "lib/systemd/system/p11bridge-drill.timer", "lib/sysusers.d/p11bridge.conf", "share/p11bridge/p11bridge.rules.yml",
	}
	for _, name := range []string{"copyright", "THIRD_PARTY", "changelog.gz", "sbom.cdx.json", "README.md", "watching.md", "fleet.md", "runbook.md"} {
		files = append(files, "share/doc/p11bridge/"+name)
	}
	commands := regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(section(output(t, binary(t), "--help"), "Commands:"), -1)
	if len(commands) < 15 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, language := range []string{"", "es/", "ca/", "fr/"} {
		files = append(files, "share/man/"+language+"man1/p11bridge.1.gz")
		for _, command := range commands {
			files = append(files, "share/man/"+language+"man1/p11bridge-"+command[1]+".1.gz")
		}
	}
	return files
}

// section is what stands under a heading, up to the next empty line.
func section(text, heading string) string {
	_, after, _ := strings.Cut(text, heading+"\n")
	part, _, _ := strings.Cut(after, "\n\n")
	return part
}

func TestContents(t *testing.T) {
	wanted := everyPackageHas(t)
	for _, a := range architectures() {
		t.Run(a.deb, func(t *testing.T) { contents(t, wanted, a) })
	}
}

func contents(t *testing.T, wanted []string, a architecture) {
	debPath, rpmPath := one(t, "*_"+a.deb+".deb"), one(t, "*."+a.rpm+".rpm")
	deb := strings.Fields(output(t, "sh", "-c", "dpkg-deb --fsys-tarfile "+debPath+" | tar -t"))
	rpm := strings.Fields(output(t, "rpm", "--query", "--package", "--list", rpmPath))
	archive := strings.Fields(output(t, "tar", "-tf", one(t, "*-linux-"+a.deb+".tar.gz")))
	top, _, _ := strings.Cut(archive[0], "/")
	for _, file := range wanted {
		if !slices.Contains(deb, "./usr/"+file) {
			t.Errorf("the .deb lacks /usr/%s", file)
		}
		if !slices.Contains(rpm, "/usr/"+file) {
			t.Errorf("the .rpm lacks /usr/%s", file)
		}
		if !slices.Contains(archive, top+"/"+file) {
			t.Errorf("the archive lacks %s", file)
		}
	}
	if !slices.Contains(deb, "./usr/share/zsh/vendor-completions/_p11bridge") || !slices.Contains(rpm, "/usr/share/zsh/site-functions/_p11bridge") {
		t.Error("zsh's completion is not where zsh looks")
	}
	for _, directory := range []string{"/usr", "/usr/bin", "/usr/lib/systemd/system"} {
		if slices.Contains(rpm, directory) {
			t.Errorf("the .rpm owns %s, which is the system's", directory)
		}
	}
	fields := output(t, "dpkg-deb", "--field", debPath)
	for said, need := range map[string]string{
		fields: "Recommends: softhsm2\n", fields + " ": "Architecture: " + a.deb + "\n", output(t, "rpm", "-qp", "--recommends", rpmPath): "softhsm\n",
		output(t, "rpm", "-qp", "--queryformat", "%{ARCH}\n", rpmPath): a.rpm + "\n",
	} {
		if !strings.Contains(said, need) {
			t.Errorf("%s lacks %s", said, need)
		}
	}
}

func TestChecksums(t *testing.T) {
	sums := strings.Split(strings.TrimSpace(read(t, made+"/SHA256SUMS")), "\n")
	if len(sums) != 10 {
		t.Fatalf("SHA256SUMS: %q", sums)
	}
	for _, line := range sums {
		sum, name, _ := strings.Cut(line, "  ")
		digest := sha256.Sum256([]byte(read(t, filepath.Join(made, name))))
		if hex.EncodeToString(digest[:]) != sum {
			t.Errorf("%s has another SHA-256", name)
		}
	}
}

// TestOneVersion: the number in cmd/frame names the packages, and the changelog knows it.
func TestOneVersion(t *testing.T) {
	var document struct {
		Version, Commit, Go string
		Libraries           []struct{ Module, Version string }
	}
	if err := json.Unmarshal([]byte(output(t, binary(t), "version", "--json")), &document); err != nil {
		t.Fatal(err)
	}
	if document.Commit == "unknown" || len(document.Libraries) < 20 {
		t.Errorf("version tells %+v", document)
	}
	for _, a := range architectures() {
		one(t, "p11bridge_"+document.Version+"-1_"+a.deb+".deb")
		one(t, "p11bridge-"+document.Version+"-1."+a.rpm+".rpm")
		one(t, "p11bridge-"+document.Version+"-linux-"+a.deb+".tar.gz")
	}
	one(t, "p11bridge-"+document.Version+"-windows-amd64.zip")
	changelog := read(t, repository+"/CHANGELOG.md")
	if !regexp.MustCompile(`(?m)^## (Unreleased: )?` + regexp.QuoteMeta(document.Version) + `\b`).MatchString(changelog) {
		t.Errorf("CHANGELOG.md has no heading for %s", document.Version)
	}
	if page := gunzip(t, staged("amd64")+"/share/man/man1/p11bridge.1.gz"); !strings.Contains(page, "p11bridge "+document.Version) {
		t.Error("the man page tells another version")
	}
}

func gunzip(t *testing.T, path string) string {
	t.Helper()
	reader, err := gzip.NewReader(strings.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestManPagesAreWellFormed: groff has nothing to say about any of them.
func TestManPagesAreWellFormed(t *testing.T) {
	pages, err := filepath.Glob(staged("amd64") + "/share/man/man1/*.gz")
	if err != nil || len(pages) < 16 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	more, err := filepath.Glob(staged("amd64") + "/share/man/*/man1/*.gz")
	if err != nil || len(more) != 3*len(pages) {
		t.Fatalf("%d pages in other languages, %v", len(more), err)
	}
	for _, path := range append(pages, more...) {
		groff := exec.Command("groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z")
		groff.Stdin = strings.NewReader(gunzip(t, path))
		if said, err := groff.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s: %v %s", path, err, said)
		}
	}
}

// TestTwoBuildsAreTheSameLong makes the packages again in another folder, without git and without what the compiler remembers.
func TestTwoBuildsAreTheSameLong(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "another folder")
	if err := os.MkdirAll(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = repository
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	copied := exec.Command("tar", "--create", "--null", "--files-from=-", "--ignore-failed-read", "--file="+elsewhere+"/../sources.tar")
	copied.Dir, copied.Stdin = repository, bytes.NewReader(names)
	if said, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	output(t, "tar", "--extract", "--directory="+elsewhere, "--file="+elsewhere+"/../sources.tar")
	var document struct{ Commit string }
	if err := json.Unmarshal([]byte(output(t, binary(t), "version", "--json")), &document); err != nil {
		t.Fatal(err)
	}
	epoch := exec.Command("git", "log", "-1", "--format=%ct")
	epoch.Dir = repository
	seconds, err := epoch.Output()
	if err != nil {
		t.Fatal(err)
	}
	err = makePackages(elsewhere, elsewhere+"/out", "GOCACHE="+t.TempDir(), "TOOLS_CACHE="+strings.TrimSpace(output(t, "go", "env", "GOCACHE")), "COMMIT="+document.Commit, "SOURCE_DATE_EPOCH="+strings.TrimSpace(string(seconds)), "TZ=Asia/Tokyo", "LC_ALL=C")
	if err != nil {
		t.Fatal(err)
	}
	first, second := read(t, made+"/SHA256SUMS"), read(t, elsewhere+"/out/SHA256SUMS")
	if first != second {
		t.Errorf("here:\n%selsewhere:\n%s", first, second)
	}
}

// TestArchiveIsNobodys: no name of a user or a machine, no time but the commit's.
func TestArchiveIsNobodys(t *testing.T) {
	times := map[int64]bool{}
	for _, a := range architectures() {
		for reader := tar.NewReader(strings.NewReader(gunzip(t, one(t, "*-linux-"+a.deb+".tar.gz")))); ; {
			header, err := reader.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			times[header.ModTime.Unix()] = true
			if header.Uid != 0 || header.Uname != "" && header.Uname != "root" {
				t.Errorf("%s belongs to %d %q", header.Name, header.Uid, header.Uname)
			}
		}
	}
	if len(times) != 1 {
		t.Errorf("%d times", len(times))
	}
	here, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range binaries(t) {
		if strings.Contains(read(t, path), here) {
			t.Errorf("%s names %s", path, here)
		}
	}
}
