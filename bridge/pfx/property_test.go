package pfx

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

// bmpText is text that a friendlyName can hold: any, since it is UTF-16 to all readers.
func bmpText() *rapid.Generator[string] { return rapid.StringN(0, 12, 48) }

// bmpPassword has no character beyond the basic multilingual plane.
func bmpPassword() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var password []rune
		for _, r := range rapid.String().Draw(t, "text") {
			if r <= 0xffff {
				password = append(password, r)
			}
		}
		return string(password)
	})
}

func anySequence() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		var b cryptobyte.Builder
		content := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "content")
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
		return b.BytesOrPanic()
	})
}

// anyKey has the frame of a PrivateKeyInfo and an algorithm that nobody has heard of.
func anyKey() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		var b cryptobyte.Builder
		content := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "content")
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			addPlainAlgorithm(b, "2.999.1")
			b.AddASN1OctetString(content)
		})
		return b.BytesOrPanic()
	})
}

func anyAttributes() *rapid.Generator[[]Attribute] {
	one := rapid.Custom(func(t *rapid.T) Attribute {
		var b cryptobyte.Builder
		b.AddASN1OctetString(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))
		return Attribute{OID: rapid.StringMatching(`2\.999\.[1-9][0-9]{0,30}`).Draw(t, "oid"), Values: b.BytesOrPanic()}
	})
	return rapid.SliceOfN(one, 0, 3)
}

func anyContents() *rapid.Generator[Contents] {
	return rapid.Custom(func(t *rapid.T) Contents {
		var contents Contents
		ids := rapid.SliceOfN(rapid.Byte(), 0, 20)
		for range rapid.IntRange(0, 3).Draw(t, "keys") {
			contents.Keys = append(contents.Keys, Key{
				PKCS8: anyKey().Draw(t, "key"), FriendlyName: bmpText().Draw(t, "name"),
				LocalKeyID: ids.Draw(t, "id"), Attributes: anyAttributes().Draw(t, "attributes"),
			})
		}
		for range rapid.IntRange(0, 3).Draw(t, "certificates") {
			contents.Certificates = append(contents.Certificates, Certificate{
				DER: anySequence().Draw(t, "certificate"), FriendlyName: bmpText().Draw(t, "name"),
				LocalKeyID: ids.Draw(t, "id"), Attributes: anyAttributes().Draw(t, "attributes"),
			})
		}
		return contents
	})
}

// unordered is equality of contents, where a SET of attributes has no order.
var unordered = cmp.Options{
	ignoreFacts, cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b Attribute) bool { return a.OID+string(a.Values) < b.OID+string(b.Values) }),
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contents := anyContents().Draw(t, "contents")
		if len(contents.Keys)+len(contents.Certificates) == 0 {
			t.Skip("nothing to encode")
		}
		password := []byte(bmpPassword().Draw(t, "password"))
		options := Options{Profile: rapid.SampledFrom(knownProfiles).Draw(t, "profile"), Iterations: rapid.IntRange(1, 20).Draw(t, "iterations")}
		random := seeded(rapid.Byte().Draw(t, "seed"))
		if options.Profile != Legacy && rapid.Bool().Draw(t, "derived before") {
			derived, err := Derive(context.Background(), random, password, options)
			if err != nil {
				t.Fatal(err)
			}
			options.Derived = derived
		}
		file, err := Encode(context.Background(), random, contents, password, options)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(context.Background(), file, password, DecodeOptions{MaxIterations: 20})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(contents, *got, unordered); diff != "" {
			t.Fatal(diff)
		}
		if f := got.Facts; f.Profile != options.Profile || f.Iterations != options.Iterations || f.BER || f.ClearKey ||
			f.Keys != len(contents.Keys) || f.Certificates != len(contents.Certificates) {
			t.Fatalf("facts: %+v", f)
		}
		// What was read is written the same again.
		again, err := Encode(context.Background(), seeded(0), *got, password, options)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := Encode(context.Background(), seeded(0), contents, password, options)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("written again: %v, another file", err)
		}
	})
}

// Any DER may be written in BER by anybody: the transcoder leads back to it.
func TestBERLeadsBackToDER(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ber, der := anyBER(t, 4)
		got, wasDER, err := allDER(ber, "it")
		if err != nil || !bytes.Equal(got, der) || wasDER != bytes.Equal(ber, der) {
			t.Fatalf("%x became %x (%v, %v), not %x", ber, got, wasDER, err, der)
		}
		if got, wasDER, err = allDER(der, "it"); err != nil || !wasDER || !bytes.Equal(got, der) {
			t.Fatalf("%x became %x (%v, %v)", der, got, wasDER, err)
		}
	})
}

// anyBER returns an element in BER and in DER.
func anyBER(t *rapid.T, depth int) (ber, der []byte) {
	wrap := func(tag byte, ber, der []byte) ([]byte, []byte) {
		der = append(appendLength([]byte{tag}, len(der)), der...)
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			return append(append([]byte{tag, 0x80}, ber...), 0, 0), der
		case 1:
			return append([]byte{tag, 0x83, byte(len(ber) >> 16), byte(len(ber) >> 8), byte(len(ber))}, ber...), der
		default:
			return append(appendLength([]byte{tag}, len(ber)), ber...), der
		}
	}
	if depth == 0 || rapid.Bool().Draw(t, "string") {
		var pieces, content []byte
		for range rapid.IntRange(0, 3).Draw(t, "pieces") {
			piece := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "piece")
			pieces = append(appendLength(append(pieces, 4), len(piece)), piece...)
			content = append(content, piece...)
		}
		der = append(appendLength([]byte{4}, len(content)), content...)
		if rapid.Bool().Draw(t, "whole") {
			return der, der
		}
		ber, _ = wrap(0x24, pieces, nil)
		return ber, der
	}
	var innerBER, innerDER []byte
	for range rapid.IntRange(0, 3).Draw(t, "children") {
		b, d := anyBER(t, depth-1)
		innerBER, innerDER = append(innerBER, b...), append(innerDER, d...)
	}
	return wrap(rapid.SampledFrom([]byte{0x30, 0x31, 0xa0}).Draw(t, "tag"), innerBER, innerDER)
}
