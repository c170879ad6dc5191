package archive

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzParseRecord reads whatever may stand beside a backup. A record that is taken names a file of its own directory, and is
// the same when it is written and read again.
func FuzzParseRecord(f *testing.F) {
	good, err := json.Marshal(someRecord())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(asciiOnly(good))
	f.Add([]byte(`{"schema":"p11bridge.record/2"}`))
	f.Add([]byte(`{"schema":"p11bridge.record/1","file":"../x.pfx"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		record, err := parseRecord(text)
		if (err == nil) != (record != nil) {
			t.Fatalf("%v and the error %v", record, err)
		}
		if err != nil {
			return
		}
		if filepath.Base(record.File) != record.File || filepath.Dir(filepath.Join("here", record.File)) != "here" {
			t.Fatalf("the file %q leads out of the directory", record.File)
		}
		again, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]byte{again, asciiOnly(again)} {
			back, err := parseRecord(form)
			if err != nil || !reflect.DeepEqual(record, back) {
				t.Fatalf("%s came back as %+v: %v", form, back, err)
			}
		}
	})
}
