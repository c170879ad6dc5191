package pfx

import (
	"context"
	"testing"
)

// One file as a user meets it: default iterations, a key and two certificates.
func BenchmarkEncode(b *testing.B) {
	contents := newIdentity(b, "P-256").contents("name")
	for _, profile := range knownProfiles {
		b.Run(string(profile), func(b *testing.B) {
			for b.Loop() {
				_, err := Encode(context.Background(), seeded(1), contents, []byte("test"), Options{Profile: profile})
				must(b, err)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	contents := newIdentity(b, "P-256").contents("name")
	for _, profile := range knownProfiles {
		b.Run(string(profile), func(b *testing.B) {
			file, err := Encode(context.Background(), seeded(1), contents, []byte("test"), Options{Profile: profile})
			must(b, err)
			for b.Loop() {
				_, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{})
				must(b, err)
			}
		})
	}
}

func BenchmarkDeriveBMP(b *testing.B) {
	for b.Loop() {
		_, err := deriveBMP(context.Background(), repeatHash, digestNamed("SHA-256"), purposeMAC, []byte{0, 0}, []byte{1}, DefaultIterations, 32)
		must(b, err)
	}
}
