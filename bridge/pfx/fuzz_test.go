package pfx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const fuzzIterations = 200

// addSeeds adds files of every writer, our own included, with their passwords.
func addSeeds(f *testing.F, add func(file []byte, password string)) {
	f.Helper()
	for _, foreign := range foreignFiles {
		add(foreign.read(f), foreign.password())
	}
	vectors, err := filepath.Glob("testdata/rfc9579/*.p12")
	must(f, err)
	for _, name := range vectors {
		file, err := os.ReadFile(name)
		must(f, err)
		add(file, "1234")
	}
	own, err := filepath.Glob("testdata/own/*.p12")
	must(f, err)
	for _, name := range own {
		file, err := os.ReadFile(name)
		must(f, err)
		add(file, "test")
	}
	if len(vectors) == 0 || len(own) == 0 || len(foreignFiles) == 0 {
		f.Fatal("there are no seeds")
	}
}

// typed reports whether an error is one of those that are promised.
func typed(err error) bool {
	return errors.Is(err, ErrPassword) || errors.Is(err, ErrPrivacyPassword) || errors.Is(err, ErrPasswordNotBMP) ||
		errors.Is(err, ErrPasswordNotUTF8) || errors.As(err, new(*DamagedError)) || errors.As(err, new(*LimitError)) ||
		errors.As(err, new(*UnsupportedError))
}

// allocated measures what one call allocates. Other goroutines of the fuzzer allocate too: the least of some runs counts.
func allocated(t *testing.T, bound uint64, call func()) {
	t.Helper()
	var least uint64
	for run := range 5 {
		var previous, after runtime.MemStats
		runtime.ReadMemStats(&previous)
		call()
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - previous.TotalAlloc; run == 0 || used < least {
			least = used
		}
		if least <= bound {
			return
		}
	}
	t.Errorf("allocated %d bytes, more than %d", least, bound)
}

func FuzzInspect(f *testing.F) {
	addSeeds(f, func(file []byte, _ string) { f.Add(file) })
	f.Fuzz(func(t *testing.T, file []byte) {
		var facts *Facts
		var err error
		allocated(t, 64*uint64(len(file))+16384, func() { facts, err = Inspect(file) })
		if err != nil {
			if !typed(err) || facts != nil {
				t.Errorf("error %T: %v", err, err)
			}
			return
		}
		if facts.Counted && (len(facts.KeyBags) != facts.Keys) || facts.MAC == "" || facts.Profile == "" {
			t.Errorf("facts: %+v", facts)
		}
	})
}

func FuzzDecode(f *testing.F) {
	addSeeds(f, func(file []byte, password string) { f.Add(file, []byte(password)) })
	f.Fuzz(func(t *testing.T, file, password []byte) {
		options := DecodeOptions{MaxIterations: fuzzIterations}
		contents, err := Decode(context.Background(), file, password, options)
		if err != nil {
			if !typed(err) || contents != nil {
				t.Errorf("error %T: %v", err, err)
			}
			return
		}
		previous, err := Inspect(file)
		must(t, err)
		facts := contents.Facts
		for _, p := range append(append([]Protection{{facts.MAC, facts.MACIterations}}, facts.Safes...), facts.KeyBags...) {
			if p.Iterations > fuzzIterations {
				t.Errorf("%+v is beyond the limit", p)
			}
		}
		if !facts.Counted || facts.Keys < previous.Keys || facts.Certificates < previous.Certificates || facts.MAC != previous.MAC {
			t.Errorf("inspected %+v, decoded %+v", previous, facts)
		}
		if len(contents.Keys)+len(contents.Certificates) == 0 {
			return
		}
		// What was read can be written, and comes back the same.
		if secret, err := newPassword(password); err != nil || secret.notBMP {
			return
		}
		again, err := Encode(context.Background(), seeded(0), *contents, password, Options{Profile: PBMAC1, Iterations: 1})
		must(t, err)
		twice, err := Decode(context.Background(), again, password, options)
		must(t, err)
		if diff := cmp.Diff(*contents, *twice, unordered); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzToDER(f *testing.F) {
	addSeeds(f, func(file []byte, _ string) { f.Add(file) })
	f.Fuzz(func(t *testing.T, source []byte) {
		der, wasDER, err := allDER(source, "it")
		if err != nil {
			return
		}
		if wasDER && string(der) != string(source) {
			t.Errorf("DER %x became %x", source, der)
		}
		again, wasDER, err := allDER(der, "it")
		if err != nil || !wasDER || string(again) != string(der) {
			t.Errorf("%x became %x (%v, %v)", der, again, wasDER, err)
		}
	})
}

func FuzzParseShrouded(f *testing.F) {
	seeds := 0
	for _, foreign := range foreignFiles {
		options := DecodeOptions{KeepShrouded: true, MaxIterations: fuzzIterations}
		contents, err := Decode(context.Background(), foreign.read(f), []byte(foreign.password()), options)
		if errors.As(err, new(*LimitError)) || errors.As(err, new(*UnsupportedError)) {
			continue
		}
		must(f, err)
		for _, key := range contents.Keys {
			if key.Shrouded != nil {
				f.Add(key.Shrouded)
				seeds++
			}
		}
	}
	if seeds == 0 {
		f.Fatal("there are no seeds")
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		s, ciphertext, err := ParseShrouded(der)
		if err != nil {
			if !typed(err) {
				t.Errorf("error %T: %v", err, err)
			}
			return
		}
		if s.Iterations > fuzzIterations {
			return
		}
		key, err := s.Key(context.Background(), []byte("test"))
		must(t, err)
		if len(key) != s.KeyLength || len(ciphertext) == 0 {
			t.Errorf("%d bytes of a key of %d", len(key), s.KeyLength)
		}
	})
}
