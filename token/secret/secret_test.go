package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"p11bridge/token/secret"
)

func TestTextNeverPrints(t *testing.T) {
	pin := secret.New([]byte("hunter2-pin"))
	holder := struct{ PIN *secret.Text }{pin}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("login", "pin", pin)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprint(pin), fmt.Sprintf("%v %+v %#v %s %q %x %d", pin, pin, pin, pin, pin, pin, pin),
		fmt.Sprintf("%+v", holder), fmt.Errorf("login: %v", pin).Error(), string(encoded), log.String(),
	} {
		if strings.Contains(printed, "hunter2") || strings.Contains(printed, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("the secret is in %q", printed)
		}
		if !strings.Contains(printed, "[redacted]") {
			t.Errorf("%q does not say that something was left out", printed)
		}
	}
}

func TestWipeZeroesTheOwnedBytes(t *testing.T) {
	b := []byte("1234")
	pin := secret.New(b)
	pin.Wipe()
	if string(b) != "\x00\x00\x00\x00" || pin.Given() {
		t.Errorf("after Wipe: %q, given %v", b, pin.Given())
	}
}

func TestNoneIsNotEmpty(t *testing.T) {
	var none *secret.Text
	if none.Given() || none.Len() != 0 {
		t.Error("a nil Text counts as given")
	}
	if !secret.New(nil).Given() {
		t.Error("an empty secret counts as not given")
	}
}
