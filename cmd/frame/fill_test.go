package frame

import "testing"

// TestCommandsInTextsAreFilled gives texts their names: what is known is put in as a shell takes it, with the flags that were given, and
// what is not known stays a word that a person fills.
func TestCommandsInTextsAreFilled(t *testing.T) {
	all := names{object: "key alone", leaving: "key alone", file: "a.pfx", backup: "new one.pfx", directory: "backups", given: []string{"--token", "demo", "--pin-source", "file:p.txt"}}
	const flags = " --token demo --pin-source 'file:p.txt'"
	for _, row := range []struct {
		names    names
		in, want string
	}{
		{all, "Run `p11bridge export OBJECT -o FILE`: x", "Run `p11bridge export 'key alone' -o 'new one.pfx'" + flags + "`: x"},
		{all, "See 'p11bridge verify FILE', x", "See `p11bridge verify a.pfx`, x"}, // no token, no quotation marks within quotation marks
		{all, "`p11bridge verify COPY.pfx --against OBJECT`", "`p11bridge verify COPY.pfx --against 'key alone'" + flags + "`"},
		{all, "`p11bridge export --all --dir DIR --token other`", "`p11bridge export --all --dir backups --token other --pin-source 'file:p.txt'`"},
		{all, "`p11bridge list` or `p11bridge restore FILE`", "`p11bridge list` or `p11bridge restore a.pfx" + flags + "`"},
		{all, "`tail -c BYTES FILE` and OBJECT, p11bridge export OBJECT", "`tail -c BYTES FILE` and OBJECT, p11bridge export OBJECT"},                                         // no command of ours between marks
		{all, "`p11bridge snapshot -o FILE` and `p11bridge request OBJECT -o FILE`", "`p11bridge snapshot -o FILE` and `p11bridge request 'key alone' -o FILE" + flags + "`"}, // which is no backup
		{names{object: "bob"}, "`p11bridge export OBJECT -o NEW.pfx`", "`p11bridge export OBJECT -o NEW.pfx`"},                                                                // nobody said that it can leave
		{names{file: "a\x1b.pfx"}, "`p11bridge verify FILE`", "`p11bridge verify FILE`"},
		{names{file: "a`b"}, "`p11bridge verify FILE`", "`p11bridge verify FILE`"},
		{names{}, "`p11bridge export OBJECT -o FILE` isn't 'p11bridge list", "`p11bridge export OBJECT -o FILE` isn't 'p11bridge list"},
	} {
		if got := row.names.fill(row.in); got != row.want {
			t.Errorf("%q becomes %q instead of %q", row.in, got, row.want)
		}
	}
}
