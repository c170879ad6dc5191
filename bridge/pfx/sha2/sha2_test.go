package sha2

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestVectors are those of RFC 7914 section 11, of which a key's first block is made here, each alone and beside another.
func TestVectors(t *testing.T) {
	if !Available() { // TestAvailable judges that
		return
	}
	for _, row := range []struct {
		password, salt string
		iterations     int
		want           string
	}{
		{"passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"},
		{"Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"},
	} {
		in, other := Input{[]byte(row.password), []byte(row.salt)}, Input{[]byte("another"), []byte("one")}
		for _, got := range [][]byte{Derive(row.iterations, in)[0], Derive(row.iterations, in, other)[0], Derive(row.iterations, other, in)[1], DeriveBeside(row.iterations, in, new([Size]byte), 7)} {
			if hex.EncodeToString(got) != row.want {
				t.Errorf("%s, %s, %d: %x", row.password, row.salt, row.iterations, got)
			}
		}
	}
}

// TestFits: what does not fit one block is left to others.
func TestFits(t *testing.T) {
	if !Available() { // TestAvailable judges that
		return
	}
	for _, row := range []struct {
		salt, iterations, size int
		want                   bool
	}{{16, 600000, 32, true}, {0, 1, 1, true}, {longestSalt, 1, 32, true}, {longestSalt + 1, 1, 32, false}, {16, 0, 32, false}, {16, 1 << 32, 32, false}, {16, 1, 33, false}} {
		if got := Fits(Input{nil, make([]byte, row.salt)}, row.iterations, row.size); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

// FuzzDerive: whatever the passwords and salts are, both keys are those of the standard library.
func FuzzDerive(f *testing.F) {
	f.Add([]byte("passwd"), []byte("salt"), []byte("Password"), []byte("NaCl"), uint8(3))
	f.Add(bytes.Repeat([]byte("k"), 64), bytes.Repeat([]byte("s"), longestSalt), bytes.Repeat([]byte("k"), 65), []byte{}, uint8(1))
	f.Add([]byte{}, []byte{0}, []byte{0xFF}, bytes.Repeat([]byte{0xFF}, 16), uint8(200))
	f.Fuzz(func(t *testing.T, password, salt, password2, salt2 []byte, count uint8) {
		if !Available() {
			return
		}
		iterations := 1 + int(count)
		var want [][]byte
		inputs := []Input{{password, salt[:min(len(salt), longestSalt)]}, {password2, salt2[:min(len(salt2), longestSalt)]}}
		for _, in := range inputs {
			key, err := pbkdf2.Key(sha256.New, string(in.Password), in.Salt, iterations, Size)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, key)
			if got := Derive(iterations, in)[0]; !bytes.Equal(got, key) {
				t.Fatalf("alone: %x and not %x", got, key)
			}
		}
		for i, got := range Derive(iterations, inputs...) {
			if !bytes.Equal(got, want[i]) {
				t.Fatalf("beside another: %x and not %x", got, want[i])
			}
		}
		digest, repeated := sha256.Sum256(password), sha256.Sum256(password)
		Repeat(&repeated, iterations)
		for range iterations {
			digest = sha256.Sum256(digest[:])
		}
		if digest != repeated {
			t.Fatalf("%x and not %x", repeated, digest)
		}
		// Fewer hashes than iterations, as many, and more.
		for _, times := range []int{0, iterations / 2, iterations - 1, iterations, 3 * iterations} {
			beside, alone := sha256.Sum256(salt), sha256.Sum256(salt)
			Repeat(&alone, times)
			if got := DeriveBeside(iterations, inputs[0], &beside, times); !bytes.Equal(got, want[0]) || beside != alone {
				t.Fatalf("%d hashes beside a key: %x, %x and not %x, %x", times, got, beside, want[0], alone)
			}
		}
	})
}

// TestAvailable: the instructions are found where the kernel names them, and then nothing here is left out.
func TestAvailable(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	flag := map[string]string{"amd64": "sha_ni", "arm64": "sha2"}[runtime.GOARCH]
	if named := flag != "" && slices.Contains(strings.Fields(string(text)), flag); named != Available() {
		t.Errorf("/proc/cpuinfo names %q: %v; available: %v", flag, named, Available())
	}
}

func BenchmarkLibrary(b *testing.B) {
	for b.Loop() {
		if _, err := pbkdf2.Key(sha256.New, "passwd", make([]byte, 16), 60000, Size); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOne(b *testing.B) {
	for b.Loop() {
		Derive(60000, Input{[]byte("passwd"), make([]byte, 16)})
	}
}

func BenchmarkBeside(b *testing.B) {
	for b.Loop() {
		DeriveBeside(60000, Input{[]byte("passwd"), make([]byte, 16)}, new([Size]byte), 60000)
	}
}

func BenchmarkRepeat(b *testing.B) {
	for b.Loop() {
		Repeat(new([Size]byte), 60000)
	}
}

func BenchmarkTwo(b *testing.B) {
	for b.Loop() {
		Derive(60000, Input{[]byte("passwd"), make([]byte, 16)}, Input{[]byte("passwe"), make([]byte, 16)})
	}
}
