package softhsmtests

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write into docs/interop.md what this machine's programs do")

const interopDocument = "../docs/interop.md"

// interopColumn is what was measured of one version of one tool. The document has a column for each version that was ever
// measured; a machine measures those that it has.
type interopColumn struct {
	title         string // "pk12util (NSS) 3.110"
	tool, version string
	checked       string   // what was compared
	read, written []string // by row
}

func newInteropColumn(tool interopTool, version string, rows int) interopColumn {
	title := tool.name
	if version != "" {
		shown := version
		if numbers := strings.Split(version, "."); len(numbers) > 2 {
			shown = strings.Join(numbers[:2], ".")
		}
		title += " " + map[string]string{"pk12util": "(NSS) ", "certtool": "(GnuTLS) "}[tool.name] + shown
	}
	return interopColumn{title: title, tool: tool.name, version: version, checked: tool.checked, read: make([]string, rows), written: make([]string, rows)}
}

// checkInteropDocument wants the document to say what was measured, or writes it so.
func checkInteropDocument(t *testing.T, rows []interopRow, measured []interopColumn) {
	t.Helper()
	kept, err := os.ReadFile(interopDocument)
	if err != nil {
		t.Fatal(err)
	}
	columns := keptColumns(t, string(kept), rows)
	for _, column := range measured {
		i := slices.IndexFunc(columns, func(c interopColumn) bool { return c.title == column.title })
		switch {
		case i >= 0:
			columns[i] = column
		case *update:
			columns = append(columns, column)
		default:
			t.Logf("%s has no column of %s", interopDocument, column.title)
		}
	}
	slices.SortStableFunc(columns, byToolAndVersion)
	document := interopText(rows, columns)
	if _, programs, there := strings.Cut(string(kept), programsHeading); there {
		document += programsHeading + programs
	}
	t.Log("\n" + document)
	if *update {
		if err := os.WriteFile(interopDocument, []byte(document), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if document != string(kept) {
		t.Errorf("%s is not what was measured; 'go test ./softhsm-tests -run TestInteropLong -update' writes it", interopDocument)
	}
}

func byToolAndVersion(a, b interopColumn) int {
	place := func(c interopColumn) int {
		return slices.IndexFunc(interopTools, func(tool interopTool) bool { return tool.name == c.tool })
	}
	switch {
	case place(a) != place(b):
		return place(a) - place(b)
	case a.title == b.title:
		return 0
	case older(lastWord(a.title), lastWord(b.title)):
		return -1
	}
	return 1
}

func lastWord(text string) string { return text[strings.LastIndexByte(text, ' ')+1:] }

// keptColumns reads the columns of a document: its first table of rows is what the tools read, the second what they wrote.
func keptColumns(t *testing.T, document string, rows []interopRow) []interopColumn {
	t.Helper()
	var columns []interopColumn
	tables := 0
	for line := range strings.Lines(document) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) < 4 {
			continue
		}
		if cells[0] == "key" {
			if tables++; tables == 1 {
				for _, title := range cells[3:] {
					name, _, _ := strings.Cut(title, " ")
					tool := interopTools[slices.IndexFunc(interopTools, func(tool interopTool) bool { return tool.name == name })]
					column := newInteropColumn(tool, "", len(rows))
					column.title = title
					columns = append(columns, column)
				}
			}
			continue
		}
		i := slices.IndexFunc(rows, func(row interopRow) bool { return slices.Equal(row.cells(), cells[:3]) })
		if i < 0 || len(cells) != len(columns)+3 {
			continue
		}
		for n, cell := range cells[3:] {
			if tables == 1 {
				columns[n].read[i] = cell
			} else {
				columns[n].written[i] = cell
			}
		}
	}
	if tables != 2 {
		t.Fatalf("%s has %d tables of rows", interopDocument, tables)
	}
	return columns
}

func (row interopRow) cells() []string {
	if isASCII(row.password) {
		return []string{row.kind, row.profile, "ASCII"}
	}
	return []string{row.kind, row.profile, "not ASCII"}
}

// writtenByOthers is said below the files that others wrote.
const writtenByOthers = `
- certtool takes the bytes of a name's UTF-8 for characters.
- GnuTLS reads on behind a password that is longer in NFC, as क़ is: mostly zero bytes, and the file is read here; else GnuTLS itself mostly cannot. Behind
  12 or 28 units of UTF-16 it takes the length of the next block of its memory into the password. certtool opens such a file of its own; p11bridge does not,
  since that length is nowhere in the file nor in the password.
- go-pkcs12 takes no friendlyName for a private key.
`

// interopText is the whole document.
func interopText(rows []interopRow, columns []interopColumn) string {
	var b strings.Builder
	line := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	header := func(cells ...string) {
		line(cells...)
		line(slices.Repeat([]string{"---"}, len(cells))...)
	}
	var titles, checked []string
	for _, column := range columns {
		titles, checked = append(titles, column.title), append(checked, column.checked)
	}
	table := func(keep func(interopRow) bool, cell func(interopColumn, int) string) {
		header(append([]string{"key", "profile", "password"}, titles...)...)
		for i, row := range rows {
			if !keep(row) {
				continue
			}
			cells := row.cells()
			for _, column := range columns {
				cells = append(cells, cell(column, i))
			}
			line(cells...)
		}
	}
	b.WriteString(`# Who reads what

Measured, not promised: ` + "`go test ./softhsm-tests -run TestInteropLong`" + ` makes the files by the command line, has the other programs
open them, and fails where this page says something else of the versions that the machine has (` + "`-update`" + ` writes their columns
anew). Here they are those of Debian 12 and 13. Every file holds a key, its certificate and the certificate above it;
friendlyName is not ASCII.

## Written by p11bridge export

"yes" means that these were compared with what is on the token:

`)
	header(titles...)
	line(checked...)
	b.WriteString("\nWhat is missing there, the program does not show.\n\n")
	table(func(interopRow) bool { return true }, func(c interopColumn, i int) string { return c.read[i] })
	b.WriteString(`
- OpenSSL before 3.4, Java before 26, GnuTLS before 3.8.8 and old NSS do not know the MAC of RFC 9579 (profile ` + "`pbmac1`" + `)
  and refuse the file. Use that profile where the reader is known.
- OpenSSL needs no ` + "`-legacy`" + ` for the profile ` + "`legacy`" + `: it has 3DES, and no RC2.
- OpenSSL 3.0 prints a friendlyName in Latin-1.

## Written by others, read by p11bridge verify

Each program wrote what it had read from the file above, in its own way. "yes" means a valid copy: it opens, the key is
the certificate's, and the certificate above it is there as well.

`)
	table(func(row interopRow) bool { return row.profile == "modern" }, func(c interopColumn, i int) string { return c.written[i] })
	b.WriteString(writtenByOthers)
	return b.String()
}
