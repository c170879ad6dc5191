package token

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for _, row := range []struct {
		text  string
		path  map[string]string
		query map[string]string
		print string // how it is written again; empty for as it was
	}{
		{"pkcs11:", nil, nil, ""},
		{"PKCS11:token=a", map[string]string{"token": "a"}, nil, "pkcs11:token=a"},
		{"pkcs11:token=The%20Token;object=my%2Dkey;type=private", map[string]string{"token": "The Token", "object": "my-key", "type": "private"}, nil,
			"pkcs11:token=The%20Token;object=my-key;type=private"},
		{"pkcs11:id=%01%ff%00", map[string]string{"id": "\x01\xff\x00"}, nil, "pkcs11:id=%01%FF%00"},
		{"pkcs11:id=abc", map[string]string{"id": "abc"}, nil, "pkcs11:id=%61%62%63"},
		{"pkcs11:object=;token=", map[string]string{"object": "", "token": ""}, nil, "pkcs11:token=;object="},
		{"pkcs11:token=a=b", map[string]string{"token": "a=b"}, nil, "pkcs11:token=a%3Db"},
		{"pkcs11:token=é", map[string]string{"token": "é"}, nil, "pkcs11:token=%C3%A9"},
		{"pkcs11:token=a?pin-source=file:/etc/pin&module-path=/m.so", map[string]string{"token": "a"},
			map[string]string{"pin-source": "file:/etc/pin", "module-path": "/m.so"}, "pkcs11:token=a?pin-source=file%3A%2Fetc%2Fpin&module-path=%2Fm.so"},
		{"pkcs11:?module-path=a?b", nil, map[string]string{"module-path": "a?b"}, "pkcs11:?module-path=a%3Fb"},
		{"pkcs11:slot-id=5;library-version=2.6;serial=1;manufacturer=m;model=x", map[string]string{"slot-id": "5", "library-version": "2.6", "serial": "1", "manufacturer": "m", "model": "x"},
			nil, "pkcs11:manufacturer=m;serial=1;model=x;library-version=2.6;slot-id=5"},
	} {
		uri, err := ParseURI(row.text)
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
			continue
		}
		if !maps.Equal(uri.Path, row.path) || !maps.Equal(uri.Query, row.query) {
			t.Errorf("%s: %q %q", row.text, uri.Path, uri.Query)
		}
		want := row.print
		if want == "" {
			want = row.text
		}
		if got := uri.String(); got != want {
			t.Errorf("%s is written %s, not %s", row.text, got, want)
		}
	}
}

func TestParseURIRefuses(t *testing.T) {
	for _, text := range []string{
		"", "pkcs11", "pkcs12:token=a", " pkcs11:", "pkcs11:token", "pkcs11:token=a;", "pkcs11:;token=a", "pkcs11:token=a;token=b", "pkcs11:colour=red",
		"pkcs11:token=%", "pkcs11:token=%4", "pkcs11:token=%zz", "pkcs11:token=a b", "pkcs11:token=a\n", "pkcs11:token=\x7f", "pkcs11:type=Private",
		"pkcs11:type=", "pkcs11:token=a?colour=red", "pkcs11:token=a?pin-source", "pkcs11:token=a?pin-source=x&pin-source=y", "pkcs11:pin-source=x",
		"pkcs11:TOKEN=a", "pkcs11:token=" + strings.Repeat("a", maxURI),
	} {
		uri, err := ParseURI(text)
		var problem *URIError
		if !errors.As(err, &problem) || problem.Fault == "" || uri != nil {
			t.Errorf("%.40q: %v, %v", text, uri, err)
		}
	}
	for _, text := range []string{
		"pkcs11:?pin-value=1234", "pkcs11:token=a?pin-source=x&pin-value=1234", "pkcs11:pin-value=1234", "pkcs11:token=a;pin-value=1234?module-path=x", "pkcs11:?pin-value",
		"pkcs11:nonsense?pin-value=1234",
	} {
		if _, err := ParseURI(text); !errors.Is(err, ErrPINValue) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzParseURI holds the property that what is printed is read back as it was, and that a pin-value gets through nowhere.
func FuzzParseURI(f *testing.F) {
	for _, seed := range []string{
		"pkcs11:", "pkcs11:token=a;id=%01%FF;type=private", "pkcs11:object=%E2%80%AE%1B[2J?pin-source=file:/x&module-path=/m.so", "PKCS11:serial=0;slot-id=1",
		"pkcs11:?pin-value=1", "pkcs11:token=a?pin-source=x&pin-value=1", "pkcs11:%70in-value=1", "pkcs11:?pin%2Dvalue=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		uri, err := ParseURI(text)
		if err != nil {
			var problem *URIError
			if !errors.As(err, &problem) && !errors.Is(err, ErrPINValue) {
				t.Fatalf("an error of another type: %v", err)
			}
			if uri, again := ParseURI(text); again == nil || uri != nil {
				t.Fatal("refused once and taken the second time")
			}
			return
		}
		for _, attributes := range []map[string]string{uri.Path, uri.Query} {
			if _, given := attributes["pin-value"]; given {
				t.Fatal("a pin-value was taken")
			}
		}
		path, query, _ := strings.Cut(text[len(uriScheme):], "?")
		for _, part := range append(strings.Split(path, ";"), strings.Split(query, "&")...) {
			if strings.HasPrefix(part, "pin-value=") {
				t.Fatal("a pin-value was passed over")
			}
		}
		printed := uri.String()
		for _, b := range []byte(printed) {
			if b <= ' ' || b >= 0x7F || strings.IndexByte("'\"`$\\<>|!*(){}[]", b) >= 0 {
				t.Fatalf("%q needs quoting", printed)
			}
		}
		again, err := ParseURI(printed)
		if err != nil && len(printed) <= maxURI {
			t.Fatalf("%q is not read back: %v", printed, err)
		}
		if err == nil && (!maps.Equal(again.Path, uri.Path) || !maps.Equal(again.Query, uri.Query)) {
			t.Fatalf("%q is read back as %q %q", printed, again.Path, again.Query)
		}
	})
}

func TestURIMatches(t *testing.T) {
	module := ModuleInfo{Manufacturer: "maker", Description: "library", LibraryVersion: "2.6"}
	slot := Slot{ID: 7, Description: "reader", Manufacturer: "reader maker", Token: &Info{Label: "label", Manufacturer: "m", Model: "x", Serial: "s"}}
	for text, want := range map[string]bool{
		"pkcs11:": true, "pkcs11:token=label;serial=s;manufacturer=m;model=x": true, "pkcs11:slot-id=7;slot-description=reader;slot-manufacturer=reader%20maker": true,
		"pkcs11:library-manufacturer=maker;library-description=library;library-version=2.6": true,
		"pkcs11:token=Label": false, "pkcs11:token=": false, "pkcs11:serial=t": false, "pkcs11:slot-id=07": false, "pkcs11:library-version=2": false, "pkcs11:model=": false,
	} {
		uri, err := ParseURI(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := uri.MatchesToken(module, slot); got != want {
			t.Errorf("%s matches: %v", text, got)
		}
		if uri.MatchesToken(module, Slot{}) {
			t.Errorf("%s matches an empty slot", text)
		}
	}
	object := &Object{Class: CKOPrivateKey, Attributes: AttributesOf(map[Attribute]Answer{CKALabel: {Value: []byte("k\xff")}, CKAID: {Value: []byte{0, 1}}})}
	for text, want := range map[string]bool{
		"pkcs11:": true, "pkcs11:id=%00%01": true, "pkcs11:object=k%FF": true, "pkcs11:object=k%EF%BF%BD": true, "pkcs11:type=private;id=%00%01;object=k%FF": true,
		"pkcs11:id=%01": false, "pkcs11:id=": false, "pkcs11:object=k": false, "pkcs11:type=public": false, "pkcs11:type=cert": false,
	} {
		uri, err := ParseURI(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := uri.MatchesObject(object); got != want {
			t.Errorf("%s matches the object: %v", text, got)
		}
	}
	named, err := ParseURI((&Info{Label: "l", Serial: "s"}).URI().With(object).String())
	if err != nil || !named.MatchesObject(object) || !named.NamesObject() {
		t.Errorf("the URI of an object does not name it: %v, %v", named, err)
	}
	if (&Info{Label: "l"}).URI().NamesObject() {
		t.Error("the URI of a token names an object")
	}
}
