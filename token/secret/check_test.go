package secret_test

import (
	"errors"
	"testing"

	"p11bridge/token/secret"
)

func TestCheckRefusesWhatNobodyTypes(t *testing.T) {
	for _, test := range []struct {
		text string
		want secret.Fault
	}{
		{"", ""},
		{"123456", ""},
		{" Sturm und Drang ", ""},
		{"Grüße 東京", ""},
		{"pass\xe9", ""}, // Latin-1: whether that is a fault, others decide
		{"می\u200cخواهم", ""},
		{"\ufeff123456", secret.ByteOrderMark},
		{"\xff\xfe1\x002\x00", secret.UTF16},
		{"\xfe\xff\x001\x002", secret.UTF16},
		{"1\x002\x003\x00", secret.UTF16},
		{"\x001\x002", secret.UTF16},
		{"1\x002\x003\x00\r\x00", secret.UTF16},
		{"123\x00456", secret.NUL},
		{"123456\n", secret.SeveralLines},
		{"123456\r", secret.SeveralLines},
		{"123\n456", secret.SeveralLines},
		{"\n123456", secret.SeveralLines},
		{"123\t456", secret.ControlCharacter},
		{"\x1b[A", secret.ControlCharacter},
		{"123456\x7f", secret.ControlCharacter},
		{"123\u200b456", secret.ControlCharacter},
		{"123\ufeff", secret.ControlCharacter},
		{"123\u0085456", secret.ControlCharacter},
		{"123\u2028456", secret.ControlCharacter},
		{"\u202e123", secret.ControlCharacter},
	} {
		var fault *secret.FaultError
		err := secret.Check([]byte(test.text))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.text, err)
		case test.want != "" && (!errors.As(err, &fault) || fault.Fault != test.want):
			t.Errorf("%q: %v instead of %s", test.text, err, test.want)
		}
	}
}
