package softhsmtests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// picturesDirectory holds the pictures of README.md, as text: scripts/pictures makes them.
const picturesDirectory = "../docs/pictures"

// pictured are a key that can leave and one that cannot.
const pictured = `token "my card"
label="Maria Garcia" id=01 key=p256 policy=wrappable certificate=valid
label="Maria Garcia (card)" id=02 key=rsa2048 policy=locked certificate=valid`

// TestPictures makes the pictures of README.md by driving the program, and wants them to be what is in the repository. What differs
// from run to run does not count.
func TestPictures(t *testing.T) {
	t.Parallel()
	for _, language := range sampled(t, 4, messages.Languages()) {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, pictured)
			checkPicture(t, "guide."+language+".svg", guidePicture(t, p, language))
			d := p.diagnosed()
			d.snapshot(t)
			checkPicture(t, "page."+language+".svg", pagePicture(t, d.page(t, language)))
		})
	}
}

// TestPicturesLong makes those of the other languages.
func TestPicturesLong(t *testing.T) { TestPictures(t) }

func checkPicture(t *testing.T, name, picture string) {
	t.Helper()
	file := filepath.Join(picturesDirectory, name)
	if *update {
		if err := os.WriteFile(file, []byte(picture), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := unchangingPicture(picture), unchangingPicture(string(kept)); got != want {
		t.Errorf("%s is not what the program shows: scripts/pictures makes it anew\nshown: %s\nkept:  %s", file, got, want)
	}
}

var (
	markup  = regexp.MustCompile(`<[^>]*>`)
	dated   = regexp.MustCompile(`(?i)\b[0-9]{1,2}(er)? (de )?\p{L}+ (de )?[0-9]{4}\b`)
	builtAs = regexp.MustCompile(`p11bridge( \S+)? ·`)
)

// unchangingPicture are the words of a picture without what differs from run to run.
func unchangingPicture(picture string) string {
	text := dated.ReplaceAllString(onOneLine(markup.ReplaceAllString(picture, " ")), "DATE")
	return builtAs.ReplaceAllString(unchanging(text), "p11bridge ·")
}

// guidePicture leads through a backup as a person would, and gives the terminal as it stands then.
func guidePicture(t *testing.T, p *place, language string) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "m") // so short that the place of the file stands in one line
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	g := newGuidedAt(t, 80, language, false, folder, append(p.environment, "HOME="+p.directory))
	g.toKeys(t)
	g.choose(t, g.word("guide.key.title"), "Maria Garcia – "+g.word("guide.key.can"))
	g.backsUp(t, "guide.readers.modern", "prompt.pin", testPIN)
	g.command(t)
	g.leave(t)
	g.kept(t)
	s := screenOf(g.text())
	command := slices.IndexFunc(s.lines, func(line []cell) bool { return strings.HasPrefix(wordsOn(line), g.word("guide.command")) })
	if command < 0 || len(s.lines) < command+2 {
		t.Fatalf("the command is not shown:\n%.400s", g.text())
	}
	s.lines = slices.DeleteFunc(s.lines[:command+2], func(line []cell) bool {
		return strings.HasPrefix(wordsOn(line), g.word("progress.export")[:12]) // of which a fast machine says nothing
	})
	picture := s.svg("p11bridge guide")
	if !strings.Contains(picture, folder) {
		t.Errorf("the folder of the file is not shown:\n%s", picture)
	}
	return strings.ReplaceAll(picture, folder, "/home/maria")
}

// pagePicture is the first screen of a page, as a browser draws it within a picture.
func pagePicture(t *testing.T, file string) string {
	t.Helper()
	page := string(mustRead(t, file))
	_, rest, _ := strings.Cut(page, "<style>")
	style, rest, _ := strings.Cut(rest, "</style>")
	_, rest, _ = strings.Cut(rest, "<main>")
	first, _, found := strings.Cut(rest, `<section id="support">`)
	if !found {
		t.Fatalf("%s has no first screen", file)
	}
	const width, height = 760, 560
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">
<title>p11bridge diagnose --html</title>
<style>%s</style>
<foreignObject width="100%%" height="100%%">
<body xmlns="http://www.w3.org/1999/xhtml" style="height: 100%%">
<main>%s</main>
</body>
</foreignObject>
</svg>
`, width, height, width, height, style, first)
}
